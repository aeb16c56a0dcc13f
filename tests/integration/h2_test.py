"""HTTP/2: the same answers as HTTP/1.1, many at once; and peers that break its rules or make work
for nothing. Frames are written here by hand, because libraries refuse to send what is tried; and
h2spec has its say."""
import json
import os
import signal
import socket
import ssl
import struct
import subprocess

import fetched
import lib
from lib import case

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = \
    0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL, STREAM_CLOSED, FRAME_SIZE, REFUSED, \
    COMPRESSION, CALM = 0, 1, 2, 3, 5, 6, 7, 9, 11
PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

CONFIG = '''[server]
tls_certificate = cert.pem
tls_key = key.pem
[http]
head_ms = 1000
body_bytes_max = {body_bytes_max}
request_ms = {request_ms}
send_ms = {send_ms}
'''


class TlsServer:
    def __init__(self, body_bytes_max=4000000, request_ms=30000, send_ms=30000):
        self.folder = lib.temp_folder()
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                        'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj',
                        '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout',
                        'key.pem', '-out', 'cert.pem'], cwd=self.folder, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(os.path.join(self.folder, 'sluice.conf'), 'w', encoding='utf-8') as file:
            file.write(CONFIG.format(body_bytes_max=body_bytes_max, request_ms=request_ms,
                                     send_ms=send_ms))
        self.port = lib.free_port()
        self.child = lib.Child([lib.program(), 'serve', '--port', str(self.port), '--resp-port',
                                'none'], cwd=self.folder)
        self.child.wait_for_line(rf'try: curl https://127\.0\.0\.1:{self.port}/')
        self.context = ssl.create_default_context()
        self.context.load_verify_locations(os.path.join(self.folder, 'cert.pem'))
        self.context.set_alpn_protocols(['h2'])

    def connect(self, settings=b''):
        return H2(self, settings)

    def curl(self, path, *more):
        done = subprocess.run(['curl', '-sS', '--http2', '--cacert', 'cert.pem',
                               f'https://localhost:{self.port}{path}', '-w',
                               '\n%{http_version} %{http_code}', *more], cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20,
                              check=False, text=True)
        body, _, last = done.stdout.rpartition('\n')
        return last, body


def field(name, value):
    """A field as HPACK writes it without tables: literal, never indexed, no Huffman code."""
    name, value = name.encode('latin-1'), value.encode('latin-1')
    return b'\x10' + integer(7, len(name)) + name + integer(7, len(value)) + value


def integer(bits, number):
    most = (1 << bits) - 1
    if number < most:
        return bytes([number])
    out, number = bytes([most]), number - most
    while number >= 128:
        out, number = out + bytes([number % 128 + 128]), number // 128
    return out + bytes([number])


def status_of(block):
    """The status in an answer's head, where it stands first: indexed, or digits, which may be in
    Huffman code, of which 0 to 2 have five bits and the others six. (We forbid a table.)"""
    indexed = {0x88: 200, 0x89: 204, 0x8a: 206, 0x8b: 304, 0x8c: 400, 0x8d: 404, 0x8e: 500}
    while block[0] & 0xe0 == 0x20:  # the size of the table
        block = block[1:]
    if block[0] in indexed:
        return indexed[block[0]]
    length = block[1] & 0x7f
    if not block[1] & 0x80:
        return int(block[2:2 + length])
    bits = ''.join(f'{byte:08b}' for byte in block[2:2 + length])
    digits = ''
    while len(digits) < 3:
        if int(bits[:5], 2) < 3:
            digits, bits = digits + str(int(bits[:5], 2)), bits[5:]
        else:
            digits, bits = digits + str(int(bits[:6], 2) - 0x19 + 3), bits[6:]
    return int(digits)


def request(method='GET', path='/readyz', *more, authority='localhost', scheme='https'):
    head = field(':method', method) + field(':scheme', scheme) + field(':path', path)
    if authority:
        head += field(':authority', authority)
    return head + b''.join(field(name, value) for name, value in more)


class H2:
    """A connection; `frames` yields what comes, until the server ends it."""

    def __init__(self, server, settings=b''):
        raw = socket.create_connection(('127.0.0.1', server.port), 20)
        self.stream = server.context.wrap_socket(raw, server_hostname='localhost')
        assert self.stream.selected_alpn_protocol() == 'h2'
        self.buffer = b''
        self.next_id = 1
        self.bodies, self.statuses, self.errors = {}, {}, {}
        self.ended = set()
        self.goaway = self.end = None
        self.stream.sendall(PREFACE)
        self.send(SETTINGS, 0, 0, struct.pack('>HI', 1, 0) + settings)

    def send(self, kind, flags, stream, payload=b''):
        self.raw(frame(kind, flags, stream, payload))

    def raw(self, data):
        try:
            self.stream.sendall(data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass  # it has ended; what it said is read next

    def open(self, head, flags=END_STREAM | END_HEADERS):
        stream, self.next_id = self.next_id, self.next_id + 2
        self.send(HEADERS, flags, stream, head)
        return stream

    def read(self):
        """(kind, flags, stream, payload), or None at the end."""
        while True:
            if len(self.buffer) >= 9:
                length = int.from_bytes(self.buffer[:3], 'big')
                if len(self.buffer) >= 9 + length:
                    kind, flags, stream = struct.unpack('>BBI', self.buffer[3:9])
                    payload, self.buffer = self.buffer[9:9 + length], self.buffer[9 + length:]
                    return kind, flags, stream, payload
            try:
                chunk = self.stream.recv(65536)
            except (ConnectionResetError, ssl.SSLError) as error:
                self.end = error
                return None
            if not chunk:
                return None
            self.buffer += chunk

    def step(self):
        """Reads one frame and keeps what it says. False: the connection has ended."""
        got = self.read()
        if got is None:
            return False
        kind, flags, stream, payload = got
        if kind == SETTINGS and not flags & ACK:
            self.send(SETTINGS, ACK, 0)
        elif kind == HEADERS and status_of(payload) != 100:
            self.statuses[stream] = status_of(payload)
        elif kind == DATA:
            self.bodies[stream] = self.bodies.get(stream, b'') + payload
        elif kind == RST_STREAM:
            self.errors[stream] = int.from_bytes(payload, 'big')
            self.ended.add(stream)
        elif kind == GOAWAY:
            self.goaway = int.from_bytes(payload[4:8], 'big')
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            self.ended.add(stream)
        return True

    def until(self, condition):
        while not condition():
            assert self.step(), f'ended; goaway {self.goaway}, {self.statuses}, {self.errors}'

    def get(self, *arguments):
        stream = self.open(request(*arguments))
        self.until(lambda: stream in self.ended)
        return self.statuses.get(stream), self.bodies.get(stream, b'')

    def rest(self):
        """Reads to the end; returns the error of the GOAWAY, if one came."""
        while self.step():
            pass
        return self.goaway

    def close(self):
        self.stream.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def frame(kind, flags, stream, payload=b''):
    return len(payload).to_bytes(3, 'big') + struct.pack('>BBI', kind, flags, stream) + payload


def people(server):
    account = json.dumps({'id': 'h2-1', 'kind': 'external', 'currency': 'EUR'})
    with case('curl: GET, POST, HEAD, a body of many frames, an answer of many'):
        assert server.curl('/readyz')[0] == '2 200'
        got = server.curl('/bank/OpenAccount', '-H', 'Content-Type: application/json',
                          '-d', account)
        assert got[0] == '2 201', got
        last, body = server.curl('/openapi.json')
        assert last == '2 200' and json.loads(body)['openapi'], last
        last, head = server.curl('/openapi.json', '-I')
        assert last == '2 200' and f'content-length: {len(body.encode())}' in head, head
        big = os.path.join(server.folder, 'big')
        with open(big, 'w', encoding='utf-8') as file:
            file.write('x' * 3_000_000)
        got = server.curl('/bank/OpenAccount', '-H', 'Content-Type: application/json',
                          '--data-binary', '@big')
        assert got[0] == '2 400', got
    with case('curl: expects "100 Continue"'):
        got = server.curl('/bank/OpenAccount', '-H', 'Expect: 100-continue', '-H',
                          'Content-Type: application/json', '-d', account)
        assert got[0] in ('2 201', '2 422', '2 200'), got
    with case('HTTP/1.1 says the same'):
        first = server.curl('/bank')
        second = server.curl('/bank', '--http1.1')
        assert first[1] == second[1] and second[0] == '1.1 200', (first, second)


def many_at_once(server):
    account = {'kind': 'external', 'currency': 'EUR'}
    wide = struct.pack('>HI', 4, 1 << 20)  # SETTINGS_INITIAL_WINDOW_SIZE: of each stream
    with server.connect(wide) as peer:
        with case('a hundred requests at once'):
            streams = [peer.open(request('GET', '/openapi.json')) for _ in range(100)]
            # More than the connection's first window holds: it is given by and by.
            def give():
                if peer.bodies and sum(map(len, peer.bodies.values())) != give.seen:
                    now = sum(map(len, peer.bodies.values()))
                    peer.send(WINDOW_UPDATE, 0, 0, (now - give.seen).to_bytes(4, 'big'))
                    give.seen = now
                return len(peer.ended) == 100
            give.seen = 0
            peer.until(give)
            assert {peer.statuses[stream] for stream in streams} == {200}
            assert len({peer.bodies[stream] for stream in streams}) == 1
    with server.connect() as peer:
        with case('events flow on one stream while others are answered'):
            live = peer.open(request('GET', '/bank/events', ('accept', 'text/event-stream')))
            peer.until(lambda: live in peer.statuses)
            assert peer.statuses[live] == 200
            for i in range(5):
                body = json.dumps({**account, 'id': f'sse-{i}'}).encode()
                stream = peer.open(request('POST', '/bank/OpenAccount',
                                           ('content-type', 'application/json')), END_HEADERS)
                peer.send(DATA, END_STREAM, stream, body)
                peer.until(lambda: stream in peer.ended)
                assert peer.statuses[stream] == 201, peer.statuses
                peer.until(lambda: f'sse-{i}'.encode() in peer.bodies.get(live, b''))
        with case('an event stream that is reset ends, and the connection goes on'):
            peer.send(RST_STREAM, 0, live, CALM.to_bytes(4, 'big'))
            assert peer.get('GET', '/readyz')[0] == 200
    with server.connect() as peer:
        with case('more streams than may be open are refused, one by one'):
            peer.until(lambda: peer.step() and True)
            streams = [peer.open(request('GET', '/bank/events', ('accept', 'text/event-stream')))
                       for _ in range(128)]
            peer.until(lambda: len(peer.statuses) == 128)
            extra = peer.open(request())
            peer.until(lambda: extra in peer.errors or peer.goaway is not None)
            assert peer.errors.get(extra) == REFUSED or peer.goaway == PROTOCOL_ERROR
            assert set(peer.statuses.values()) == {200} and len(streams) == 128


# What a request may say, and what comes of it: a status, or the error of its stream ('rst').
REQUESTS = (
    ('a path with ..', request('GET', '/a/../b'), 400),
    ('a path with an escaped ..', request('GET', '/a/%2e%2e/b'), 400),
    ('a path without /', request('GET', 'readyz'), ('rst', 400)),
    ('a path with a space', request('GET', '/ready z'), ('rst', 400)),
    ('a path with a line break', request('GET', '/\r\nx: y'), ('rst', 400)),
    ('a method that is none', request('G(T', '/'), ('rst', 400)),
    ('a method that is unknown', request('BREW', '/'), 501),
    ('no host at all', request(authority=None), ('rst', 400)),
    ('another host', request(authority='evil.example'), 403),
    ('two hosts that agree', request('GET', '/readyz', ('host', 'localhost')), 200),
    ('two hosts that differ', request('GET', '/readyz', ('host', '127.0.0.1')), 400),
    ('a value with a line break', request('GET', '/readyz', ('x', 'a\r\nb: c')), ('rst', 400)),
    ('an upper-case name', request('GET', '/readyz', ('X', 'a')), ('rst',)),
    ('Connection', request('GET', '/readyz', ('connection', 'close')), ('rst',)),
    ('Transfer-Encoding', request('GET', '/readyz', ('transfer-encoding', 'chunked')), ('rst',)),
    ('TE: gzip', request('GET', '/readyz', ('te', 'gzip')), ('rst',)),
    ('TE: trailers', request('GET', '/readyz', ('te', 'trailers')), 200),
    ('no :path', field(':method', 'GET') + field(':scheme', 'https'), ('rst',)),
    (':path twice', request() + field(':path', '/'), ('rst',)),
    ('a pseudo header behind a header', field('x', 'y') + request(), ('rst',)),
    ('an unknown pseudo header', request() + field(':x', 'y'), ('rst',)),
    ('a length that does not agree', request('GET', '/readyz', ('content-length', '5')), ('rst',)),
    ('a length that is none', request('GET', '/readyz', ('content-length', '+0')), ('rst',)),
    ('101 headers', request('GET', '/readyz', *((f'x{i}', 'y') for i in range(101))), 431),
    ('a head of 17 KiB, in pieces', None, 431),
    ('CONNECT', field(':method', 'CONNECT') + field(':authority', 'localhost:80'),
     ('rst', 400, 405, 501)),
)


def requests(server):
    for name, head, wanted in REQUESTS:
        with case(f'a request: {name}'), server.connect() as peer:
            if head is None:
                head = request('GET', '/readyz', ('x', 'y' * 17000))
                stream = peer.open(head[:9000], END_STREAM)
                peer.send(CONTINUATION, END_HEADERS, stream, head[9000:])
            else:
                stream = peer.open(head)
            peer.until(lambda: stream in peer.ended or peer.goaway is not None)
            got = peer.statuses.get(stream, 'rst' if peer.errors.get(stream) else None)
            assert got == wanted or isinstance(wanted, tuple) and got in wanted, \
                (got, peer.statuses, peer.errors, peer.goaway)
            assert peer.get('GET', '/readyz')[0] == 200, 'the connection is unusable'


def too_large():
    server = TlsServer(body_bytes_max=4096)
    with case('a body that is too large is refused before it is all there; the others go on'):
        with server.connect() as peer:
            stream = peer.open(request('POST', '/bank/OpenAccount',
                                       ('content-type', 'application/json')), END_HEADERS)
            peer.send(DATA, 0, stream, b'x' * 5000)
            peer.until(lambda: stream in peer.errors)
            assert peer.statuses[stream] == 413 and peer.errors[stream] == NO_ERROR, peer.errors
            assert peer.get()[0] == 200
    with case('many bodies that are too large together'):
        with server.connect() as peer:
            streams = [peer.open(request('POST', '/bank/OpenAccount',
                                         ('content-type', 'application/json')), END_HEADERS)
                       for _ in range(5)]
            for stream in streams:
                peer.send(DATA, 0, stream, b'x' * 4000)
            peer.until(lambda: peer.statuses)
            assert set(peer.statuses.values()) == {413}, peer.statuses
    server.child.kill()


def violation(name, errors, sent):
    return name, errors, sent


# Whole connections: what is sent behind the preface, and the errors one of which ends it. None: it
# is closed without a word.
VIOLATIONS = (
    violation('a frame that is too large', (FRAME_SIZE,), frame(DATA, 0, 1, b'x' * 16385)),
    violation('DATA on stream 0', (PROTOCOL_ERROR,), frame(DATA, 0, 0, b'x')),
    violation('DATA on a stream that is not open', (PROTOCOL_ERROR, STREAM_CLOSED),
              frame(DATA, 0, 1, b'x')),
    violation('HEADERS on an even stream', (PROTOCOL_ERROR,),
              frame(HEADERS, END_STREAM | END_HEADERS, 2, request())),
    violation('a stream below one that was opened', (PROTOCOL_ERROR,),
              frame(HEADERS, END_STREAM | END_HEADERS, 5, request()) +
              frame(HEADERS, END_STREAM | END_HEADERS, 3, request())),
    violation('HEADERS, and then not CONTINUATION', (PROTOCOL_ERROR,),
              frame(HEADERS, 0, 1, request()) + frame(PING, 0, 0, bytes(8))),
    violation('CONTINUATION of nothing', (PROTOCOL_ERROR,), frame(CONTINUATION, 4, 1, b'')),
    violation('HPACK: an index that is not there', (COMPRESSION,),
              frame(HEADERS, END_STREAM | END_HEADERS, 1, b'\xff\xff\x0f')),
    violation('PING of 7 bytes', (FRAME_SIZE,), frame(PING, 0, 0, bytes(7))),
    violation('SETTINGS of 5 bytes', (FRAME_SIZE,), frame(SETTINGS, 0, 0, bytes(5))),
    violation('SETTINGS of a stream', (PROTOCOL_ERROR,), frame(SETTINGS, 0, 1, b'')),
    violation('a window that overflows', (FLOW_CONTROL,),
              2 * frame(WINDOW_UPDATE, 0, 0, b'\x7f\xff\xff\xff')),
    violation('WINDOW_UPDATE by 0', (PROTOCOL_ERROR,), frame(WINDOW_UPDATE, 0, 0, bytes(4))),
    violation('RST_STREAM of a stream that is not open', (PROTOCOL_ERROR,),
              frame(RST_STREAM, 0, 7, bytes(4))),
    violation('PUSH_PROMISE by a client', (PROTOCOL_ERROR,), frame(5, 4, 1, bytes(4) + request())),
    # Floods: what is not wrong in itself, but of no use, and too much.
    violation('flood of PING', (CALM,), 1500 * frame(PING, 0, 0, bytes(8))),
    violation('flood of SETTINGS', (CALM,), 1500 * frame(SETTINGS, 0, 0)),
    violation('flood of empty DATA', (CALM,),
              frame(HEADERS, END_HEADERS, 1, request('POST')) + 1500 * frame(DATA, 0, 1)),
    violation('flood of PRIORITY', (CALM,), 1500 * frame(PRIORITY, 0, 1, bytes(4) + b'\x10')),
    violation('flood of CONTINUATION', (INTERNAL_ERROR, CALM, PROTOCOL_ERROR, None),
              frame(HEADERS, 0, 1, request()) + 1500 * frame(CONTINUATION, 0, 1, field('a', 'b'))),
    violation('rapid reset (CVE-2023-44487)', (INTERNAL_ERROR, CALM),
              b''.join(frame(HEADERS, END_STREAM | END_HEADERS, 2 * i + 1, request()) +
                       frame(RST_STREAM, 0, 2 * i + 1, bytes(4)) for i in range(600))),
)


def violations(server):
    for name, errors, sent in VIOLATIONS:
        with case(f'refused: {name}'), server.connect() as peer:
            peer.raw(sent)
            got = peer.rest()
            assert got in errors, (got, peer.end)
    with case('refused: what is no HTTP/2, behind the promise that it is'):
        raw = socket.create_connection(('127.0.0.1', server.port), 20)
        with server.context.wrap_socket(raw, server_hostname='localhost') as stream:
            stream.sendall(b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
            try:
                while stream.recv(65536):
                    pass
            except (ConnectionResetError, ssl.SSLError):
                pass
    with case('a few of everything are nobody\'s harm'):
        with server.connect() as peer:
            for _ in range(50):
                peer.send(PING, 0, 0, bytes(8))
                peer.send(99, 0, 0, b'?')
            for _ in range(50):
                stream = peer.open(request())
                peer.send(RST_STREAM, 0, stream, CALM.to_bytes(4, 'big'))
            assert peer.get()[0] == 200
    with case('the server is well'):
        assert server.curl('/readyz')[0] == '2 200'


def slow():
    server = TlsServer(request_ms=1000, send_ms=1500)
    with case('a body that does not come: 408, and the connection goes on'):
        with server.connect() as peer:
            stream = peer.open(request('POST', '/bank/OpenAccount',
                                       ('content-type', 'application/json')), END_HEADERS)
            peer.send(DATA, 0, stream, b'{')
            peer.until(lambda: stream in peer.ended)
            assert peer.statuses[stream] == 408, peer.statuses
            assert peer.get()[0] == 200
    with case('a head that does not end'):
        with server.connect() as peer:
            assert peer.get()[0] == 200  # so that nothing else has to be said any more
            peer.open(request(), END_STREAM)
            assert peer.rest() in (None, NO_ERROR), peer.goaway
    with case('a window that stays closed'):
        closed = struct.pack('>HI', 4, 0)  # SETTINGS_INITIAL_WINDOW_SIZE = 0
        with server.connect(closed) as peer:
            stream = peer.open(request('GET', '/openapi.json'))
            peer.rest()
            assert peer.statuses[stream] == 200 and not peer.bodies.get(stream)
    with case('one that is opened in time'):
        with server.connect(closed) as peer:
            stream = peer.open(request('GET', '/openapi.json'))
            peer.until(lambda: stream in peer.statuses)
            for opened in (0, stream):
                peer.send(WINDOW_UPDATE, 0, opened, (1 << 20).to_bytes(4, 'big'))
            peer.until(lambda: stream in peer.ended)
            assert json.loads(peer.bodies[stream])
    server.child.kill()


def strangers(server):
    with case('h2spec finds nothing'):
        command = [fetched.h2spec(), '-h', 'localhost', '-p', str(server.port), '-t', '-k',
                   '--timeout', '3', '-P', '/openapi.json']
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=300, check=False, text=True)
        assert '145 tests, 145 passed, 0 skipped, 0 failed' in done.stdout, done.stdout[-3000:]


def stop(server):
    with case('a server that stops says GOAWAY, and ends streams of events'):
        with server.connect() as peer:
            live = peer.open(request('GET', '/bank/events', ('accept', 'text/event-stream')))
            peer.until(lambda: live in peer.statuses)
            server.child.signal(signal.SIGTERM)
            assert peer.rest() == NO_ERROR and live in peer.ended, (peer.goaway, peer.ended)
            assert server.child.wait() == 0


def main():
    server = TlsServer()
    people(server)
    many_at_once(server)
    requests(server)
    violations(server)
    strangers(server)
    stop(server)
    too_large()
    slow()


if __name__ == '__main__':
    main()
    lib.done()
