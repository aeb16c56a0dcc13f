"""Peers that are slow, on purpose or not: who does not send, or does not read, is cut off at the
time that docs/http.md states, on each protocol; who only waits is not. HTTP/2 is in h2_test.py.

Nothing is ever cut off early, so the least time is checked; how late a busy machine is, is not.
"""
import select
import socket
import time

import lib
from lib import case

HEAD_MS, REQUEST_MS, SEND_MS, IDLE_MS = 200, 250, 300, 350
CONFIG = f'''[http]
head_ms = {HEAD_MS}
request_ms = {REQUEST_MS}
send_ms = {SEND_MS}
idle_ms = {IDLE_MS}
'''
HOST = b'Host: localhost\r\n'
POST = b'POST /bank/OpenAccount HTTP/1.1\r\n' + HOST + b'Content-Type: application/json\r\n'
LATE = b'-ERR Protocol error: the command did not arrive whole in time'
ACCOUNTS = 30000

# (name, port, what comes at once, what drips behind it for ever, the limit, how the answer begins)
SENDERS = (
    ('half a request line', 'http', b'GET /rea', b'', HEAD_MS, b'HTTP/1.1 408 '),
    ('half a header', 'http', b'GET /readyz HTTP/1.1\r\nHos', b'', HEAD_MS, b'HTTP/1.1 408 '),
    ('a header that drips', 'http', b'GET /readyz HTTP/1.1\r\nX: ', b'y', HEAD_MS,
     b'HTTP/1.1 408 '),
    ('headers that drip', 'http', b'GET /readyz HTTP/1.1\r\n' + HOST, b'X: y\r\n', HEAD_MS,
     b'HTTP/1.1 408 '),
    ('a body that does not come', 'http', POST + b'Content-Length: 10\r\n\r\n', b'', REQUEST_MS,
     b'HTTP/1.1 408 '),
    ('a body that drips', 'http', POST + b'Content-Length: 100000\r\n\r\n', b' ', REQUEST_MS,
     b'HTTP/1.1 408 '),
    ('chunks that drip', 'http', POST + b'Transfer-Encoding: chunked\r\n\r\n', b'1\r\n \r\n',
     REQUEST_MS, b'HTTP/1.1 408 '),
    ('the second request of a connection', 'http', b'GET /readyz HTTP/1.1\r\n' + HOST +
     b'\r\nGET /', b'', HEAD_MS, b'HTTP/1.1 200 '),
    ('nothing at all', 'http', b'', b'', IDLE_MS, None),
    ('nothing behind an answer', 'http', b'GET /readyz HTTP/1.1\r\n' + HOST + b'\r\n', b'', IDLE_MS,
     b'HTTP/1.1 200 '),
    ('half a command of RESP', 'resp', b'*2\r\n$4\r\nPING\r\n', b'', REQUEST_MS, LATE),
    ('half a word of RESP', 'resp', b'*2\r\n$4\r\nPING\r\n$100\r\n', b'x', REQUEST_MS, LATE),
    ('half a line of RESP', 'resp', b'PIN', b'', REQUEST_MS, LATE),
)


def connect(server, port, small=False):
    """`small`: the system on this side takes as little as it can for who does not read."""
    peer = socket.socket()
    peer.settimeout(20)
    if small:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.connect(('127.0.0.1', {'http': server.port, 'resp': server.resp_port}[port]))
    return peer


def until_end(peer, drip):
    """All that comes until the other side ends; meanwhile a drop every 20 ms."""
    got, deadline = b'', time.monotonic() + 20
    while True:
        assert time.monotonic() < deadline, f'not cut off: {got!r}'
        try:
            if drip:
                peer.sendall(drip)
            if select.select([peer], [], [], 0.02 if drip else 20)[0]:
                chunk = peer.recv(65536)
                if not chunk:
                    return got
                got += chunk
        except (BrokenPipeError, ConnectionResetError):
            return got


def senders(server):
    for name, port, first, drip, limit_ms, answer in SENDERS:
        with case(f'a slow sender: {name}'), connect(server, port) as peer:
            begun = time.monotonic()
            peer.sendall(first)
            got = until_end(peer, drip)
            took_ms = 1000 * (time.monotonic() - begun)
            assert got.startswith(answer or b'') and (answer or not got), got
            assert took_ms >= limit_ms, f'{took_ms} ms'
            if answer == b'HTTP/1.1 408 ':
                assert b'request_too_slow' in got and b'onnection: close' in got, got


def dropped(server):
    line = next(line for line in server.http.get('/metrics').text.splitlines()
                if line.startswith('sluice_dropped_slow_total'))
    return int(line.split()[-1])


def fill(peer, bytes_, most):
    """Sends until the server takes no more, or `most` bytes."""
    peer.setblocking(False)
    sent = 0
    while sent < most and select.select([], [peer], [], 0.2)[1]:
        try:
            sent += peer.send(bytes_[sent % len(bytes_):])
        except BlockingIOError:
            pass


def readers(server):
    document = len(server.http.get('/openapi.json').text)
    get = b'GET /openapi.json HTTP/1.1\r\n' + HOST + b'\r\n'
    events = b'GET /bank/events?after=start HTTP/1.1\r\n' + HOST + \
        b'Accept: text/event-stream\r\n\r\n'
    echo = b'*2\r\n$4\r\nPING\r\n$100000\r\n' + b'x' * 100000 + b'\r\n'
    table = (
        ('answers of HTTP', 'http', get, len(get) * (24 << 20) // document),
        ('answers of RESP', 'resp', echo, 24 << 20),
        ('events', 'http', events, len(events)),
    )
    for name, port, request, most in table:
        with case(f'a reader that takes nothing: {name}'), connect(server, port, True) as peer:
            before, begun = dropped(server), time.monotonic()
            fill(peer, request, most)
            lib.wait_until(lambda was=before: dropped(server) == was + 1, 20, 'its end')
            took_ms = 1000 * (time.monotonic() - begun)
            assert took_ms >= SEND_MS, f'{took_ms} ms'
    with case('a slow reader that goes on taking gets all'), connect(server, 'http') as peer:
        before = dropped(server)
        peer.sendall(get * 40 + b'GET /readyz HTTP/1.1\r\n' + HOST + b'Connection: close\r\n\r\n')
        sum_, begun = 0, time.monotonic()
        while chunk := peer.recv(200000):
            sum_ += len(chunk)
            if time.monotonic() - begun < 2 * SEND_MS / 1000:
                select.select([], [], [], 0.02)
        assert sum_ > 40 * document and dropped(server) == before, (sum_, document)


def who_waits(server):
    with case('who only waits is not cut off: RESP, and events'):
        resp, stream = connect(server, 'resp'), connect(server, 'http')
        stream.sendall(b'GET /bank/balance/cash HTTP/1.1\r\n' + HOST +
                       b'Accept: text/event-stream\r\n\r\n')
        assert stream.recv(65536).startswith(b'HTTP/1.1 200 ')
        # The time that another needs to be cut off for being idle, and once more.
        for _ in range(2):
            with connect(server, 'http') as idle:
                assert idle.recv(1) == b''
        resp.sendall(b'PING\r\n')
        assert resp.recv(100) == b'+PONG\r\n'
        reply = server.http.post('/bank/OpenAccount', {'id': 'cash', 'kind': 'external',
                                                       'currency': 'EUR'})
        assert reply.status == 201, reply
        got = b''
        while b'"cash"' not in got:
            chunk = stream.recv(65536)
            assert chunk, got
            got += chunk
        resp.close()
        stream.close()


def main():
    with lib.Server(config=CONFIG) as server:
        who_waits(server)
        senders(server)
        for at in range(0, ACCOUNTS, 1000):
            reply = server.http.post('/bank/OpenAccount', [
                {'id': f'{number:012}', 'currency': 'EUR', 'limit': 1000}
                for number in range(at, at + 1000)])
            assert all(item['status'] == 201 for item in reply.json), reply
        readers(server)
        with case('the server is well'):
            assert server.http.get('/readyz').status == 200
    lib.done()


main()
