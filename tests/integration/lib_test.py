"""The library of the integration tests, judged on strangers before it judges the server."""
import os
import socket
import sys
import threading

import lib
from lib import case

REPLIES = [
    # bytes on the wire, what the helper makes of them
    (b'+OK\r\n', 'OK'),
    (b':-42\r\n', -42),
    (b'$-1\r\n', None),
    (b'$0\r\n\r\n', b''),
    (b'$4\r\na\r\nb\r\n', b'a\r\nb'),
    (b'*2\r\n$1\r\na\r\n*1\r\n:7\r\n', [b'a', [7]]),
    (b'*-1\r\n', None),
    (b'%1\r\n$5\r\nproto\r\n:3\r\n', {'proto': 3}),
    (b'_\r\n', None),
    (b'#t\r\n', True),
    (b',1.5\r\n', 1.5),
    (b'>1\r\n+pong\r\n', ['pong']),
]


def answering(replies, received):
    """A server that reads one command per reply and answers with the bytes it was given."""
    listener = socket.create_server(('127.0.0.1', 0))

    def serve():
        connection, _ = listener.accept()
        with connection:
            for reply in replies:
                received.append(connection.recv(4096))
                connection.sendall(reply)

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


received = []
WIRE = [wire for wire, _ in REPLIES] + [b'-NOAUTH who are you\r\n', b'$9\r\ncut']
resp = lib.Resp(answering(WIRE, received))
for wire, value in REPLIES:
    with case(f'RESP: {wire!r}'):
        got = resp.call('GET', 'k')
        assert got == value, got
with case('RESP: a command goes out as an array of bulk strings'):
    assert received[0] == b'*2\r\n$3\r\nGET\r\n$1\r\nk\r\n', received[0]
with case('RESP: an error is raised'):
    try:
        resp.call('GET', 'k')
        assert False, 'nothing was raised'
    except lib.RespError as error:
        assert str(error) == 'NOAUTH who are you'
with case('RESP: a cut reply is an error'):
    try:
        resp.call('GET', 'k')
        assert False, 'nothing was raised'
    except ConnectionError:
        pass

HTTP_OK = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSluice-Position: p\r\n\r\nhi'
HTTP_LIVE = (b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hello\n\n'
             b'event: row\nid: 7\ndata: {"a":\ndata: 1}\n\n')
with case('HTTP: one connection serves several requests'):
    http = lib.Http(answering([HTTP_OK, HTTP_OK], []))
    assert http.get('/').text == 'hi'
    reply = http.post('/x', {'a': 1})
    assert (reply.status, reply.position) == (200, 'p'), reply
with case('HTTP: server-sent events'):
    events = list(lib.Http(answering([HTTP_LIVE], [])).events('/live'))
    assert events == [{'event': 'row', 'id': '7', 'data': '{"a":\n1}'}], events

with case('a child is waited for by what it prints'):
    child = lib.Child(['sh', '-c', 'echo ready at 7; exec sleep 1000'])
    assert child.wait_for_line(r'ready at (\d)').group(1) == '7'
    assert child.is_running()
with case('and killed'):
    assert child.kill() == -9
with case('a child that ends without the line is an error with its output'):
    child = lib.Child(['sh', '-c', 'echo out of luck; exit 3'])
    try:
        child.wait_for_line('ready')
        assert False, 'nothing was raised'
    except RuntimeError as error:
        assert 'out of luck' in str(error), error
    assert child.wait() == 3
with case('what a test leaves running dies with it'):
    script = 'import lib; print("pid", lib.Child(["sleep", "1000"]).pid)'
    leaving = lib.Child([sys.executable, '-c', script], env={'PYTHONPATH': lib.HERE})
    pid = int(leaving.wait_for_line(r'pid (\d+)').group(1))
    leaving.wait()
    lib.wait_until(lambda: not os.path.exists(f'/proc/{pid}'), what='the end of the grandchild')
lib.done()
