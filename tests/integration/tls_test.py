"""TLS on both ports: who speaks it, who does not, certificates that change, peers that misbehave.
The certificates are made here, by openssl."""
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys

import lib
from lib import case

# A server whose limits are short enough to be met.
CONFIG = '''[server]
tls_certificate = cert.pem
tls_key = key.pem
[http]
handshake_ms = {handshake_ms}
'''


def make_certificate(folder, name, days=2, key_name=None):
    """A certificate of its own signature for localhost, and its key: folder/cert.pem, key.pem."""
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                    'ec_paramgen_curve:prime256v1', '-nodes', '-days', str(days),
                    '-subj', f'/CN={name}', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1',
                    '-keyout', os.path.join(folder, key_name or 'key.pem'),
                    '-out', os.path.join(folder, 'cert.pem')],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_expired(folder, name):
    """A certificate of folder/key.pem that has run out."""
    subprocess.run(['openssl', 'req', '-new', '-key', 'key.pem', '-subj', '/CN=old', '-out',
                    'old.csr'], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    write(folder, 'names', 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
    subprocess.run(['openssl', 'x509', '-req', '-in', 'old.csr', '-signkey', 'key.pem', '-days',
                    '-1', '-extfile', 'names', '-out', name], cwd=folder, check=True,
                   stderr=subprocess.DEVNULL)


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    return path


class TlsServer:
    """A server that speaks TLS; `trust` knows its first certificate."""

    def __init__(self, handshake_ms=10000, spoil=None):
        self.folder = lib.temp_folder()
        make_certificate(self.folder, 'first')
        if spoil:
            spoil(self.folder)
        shutil.copy(os.path.join(self.folder, 'cert.pem'), os.path.join(self.folder, 'first.pem'))
        write(self.folder, 'sluice.conf', CONFIG.format(handshake_ms=handshake_ms))
        self.port, self.resp_port = lib.free_port(), lib.free_port()
        self.child = lib.Child([lib.program(), 'serve', '--port', str(self.port), '--resp-port',
                                str(self.resp_port)], cwd=self.folder)
        self.child.wait_for_line(rf'try: curl https://127\.0\.0\.1:{self.port}/')

    def trust(self, *protocols, least=ssl.TLSVersion.TLSv1_3, most=None):
        context = ssl.create_default_context()
        context.load_verify_locations(os.path.join(self.folder, 'cert.pem'))
        context.minimum_version = least
        if most:
            context.maximum_version = most
        if protocols:
            context.set_alpn_protocols(protocols)
        return context

    def connect(self, port=None, context=None):
        raw = socket.create_connection(('127.0.0.1', port or self.port), 20)
        return (context or self.trust()).wrap_socket(raw, server_hostname='localhost',
                                                    suppress_ragged_eofs=False)

    def raw(self, port=None):
        return socket.create_connection(('127.0.0.1', port or self.port), 20)


def read_all(stream):
    """Until the other side ends; what was reset counts as an end with nothing more."""
    got = b''
    try:
        while chunk := stream.recv(65536):
            got += chunk
    except (ConnectionResetError, ssl.SSLEOFError):
        pass
    return got


GET = b'GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n'


def get(stream):
    stream.sendall(GET)
    got = b''
    while b'\r\n\r\n' not in got:
        chunk = stream.recv(65536)
        assert chunk, got
        got += chunk
    return got.split(b'\r\n')[0]


def subject(stream):
    return dict(pair[0] for pair in stream.getpeercert()['subject'])['commonName']


def people(server):
    with case('a request over TLS 1.3'):
        with server.connect() as stream:
            assert stream.version() == 'TLSv1.3', stream.version()
            assert get(stream) == b'HTTP/1.1 200 OK'
            assert get(stream) == b'HTTP/1.1 200 OK'
    with case('http/1.1 is chosen where it is offered'):
        with server.connect(context=server.trust('spdy/9', 'http/1.1')) as stream:
            assert stream.selected_alpn_protocol() == 'http/1.1'
    with case('a client that offers only what is not spoken is told so'):
        try:
            server.connect(context=server.trust('spdy/9')).close()
            raise AssertionError('it was let in')
        except ssl.SSLError as error:
            assert 'NO_APPLICATION_PROTOCOL' in str(error).upper().replace(' ', '_'), error
    with case('nothing older than TLS 1.3'):
        try:
            server.connect(context=server.trust(least=ssl.TLSVersion.TLSv1_2,
                                                most=ssl.TLSVersion.TLSv1_2)).close()
            raise AssertionError('it was let in')
        except ssl.SSLError as error:
            assert 'PROTOCOL_VERSION' in str(error).upper().replace(' ', '_'), error
    with case('curl'):
        done = subprocess.run(['curl', '-sS', '--cacert', os.path.join(server.folder, 'cert.pem'),
                               f'https://localhost:{server.port}/readyz', '-w', '%{http_code}'],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20,
                              check=False, text=True)
        assert done.returncode == 0 and done.stdout.endswith('200'), done
    with case('redis-cli --tls'):
        done = subprocess.run(['redis-cli', '--tls', '--cacert',
                               os.path.join(server.folder, 'cert.pem'), '-p',
                               str(server.resp_port), 'PING'],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20,
                              check=False, text=True)
        assert done.stdout.strip() == 'PONG', done


def bytes_of_all_sizes(server):
    account = {'id': 'tls-1', 'kind': 'external', 'currency': 'EUR'}
    with case('a body in many small records'):
        body = json.dumps(account).encode()
        head = (b'POST /bank/OpenAccount HTTP/1.1\r\nHost: localhost\r\n'
                b'Content-Type: application/json\r\nConnection: close\r\n'
                b'Content-Length: %d\r\n\r\n' % len(body))
        with server.connect() as stream:
            for byte in head + body:
                stream.send(bytes([byte]))
            assert read_all(stream).startswith(b'HTTP/1.1 201 '), 'refused'
    with case('a body of many records'):
        with server.connect() as stream:
            junk = b'x' * 3_000_000
            stream.sendall(b'POST /bank/OpenAccount HTTP/1.1\r\nHost: localhost\r\n'
                           b'Content-Type: application/json\r\nConnection: close\r\n'
                           b'Content-Length: %d\r\n\r\n' % len(junk) + junk)
            assert read_all(stream).startswith(b'HTTP/1.1 400 '), 'not read'
    with case('a pipeline of requests, more than is taken at once, and answers of many records'):
        # Its reader begins late: the server stops in between, with bytes that wait to be decrypted.
        count = 200
        with server.connect() as stream:
            request = b'GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n'
            sent = count * (request + b'\r\n') + request + b'Connection: close\r\n\r\n'
            stream.sendall(sent)
            got = read_all(stream)
        assert got.count(b'HTTP/1.1 200 OK') == count + 1, got.count(b'HTTP/1.1 200 OK')


def ends(server):
    with case('who has said his last word still gets his answer (half closed)'):
        sizes = half_close(server)
        assert any(kind == 23 and size > 5000 for kind, size in sizes), sizes
    with case('a connection that the server ends is ended by close_notify'):
        with server.connect() as stream:
            stream.sendall(GET.replace(b'\r\n\r\n', b'\r\nConnection: close\r\n\r\n'))
            got = b''
            while chunk := stream.recv(65536):  # an end without close_notify raises SSLEOFError
                got += chunk
            assert got.startswith(b'HTTP/1.1 200 OK'), got
    with case('a peer that leaves without a word does no harm'):
        stream = server.connect()
        stream.sendall(GET[:10])
        stream.close()
        with server.connect() as other:
            assert get(other) == b'HTTP/1.1 200 OK'
    with case('SHUTDOWN of a session of RESP: QUIT is answered, then close_notify'):
        with server.connect(server.resp_port) as stream:
            stream.sendall(b'QUIT\r\n')
            assert read_all(stream) == b'+OK\r\n'


def half_close(server):
    """Sends a request and close_notify in one, then reads what comes: the records' (type, size).
    Python's own object reads no more once it has said close_notify; but an answer is a record of
    application data (23) that is far longer than a session ticket."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = server.trust().wrap_bio(incoming, outgoing, server_hostname='localhost')
    with server.raw() as raw:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
                incoming.write(raw.recv(65536))
        tls.write(GET.replace(b'/readyz', b'/openapi.json'))
        try:
            tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        raw.sendall(outgoing.read())
        got = b''
        while chunk := raw.recv(65536):
            got += chunk
    at, sizes = 0, []
    while at + 5 <= len(got):
        size = int.from_bytes(got[at + 3:at + 5], 'big')
        sizes.append((got[at], size))
        at += 5 + size
    assert at == len(got), got
    return sizes


def strangers(server):
    with case('plain HTTP sent to the port of TLS is answered in clear'):
        with server.raw() as raw:
            raw.sendall(GET)
            got = read_all(raw)
        assert got.startswith(b'HTTP/1.1 400 ') and b'/errors/tls_only' in got, got
    with case('and plain RESP'):
        with server.raw(server.resp_port) as raw:
            raw.sendall(b'*1\r\n$4\r\nPING\r\n')
            assert read_all(raw) == b'-ERR this port speaks TLS: connect with --tls\r\n'
    for name, junk in (('zeros', bytes(100)), ('0xff', b'\xff' * 1000),
                       ('a broken record', b'\x16\x03\x01\xff\xff' + b'a' * 5000),
                       ('a record that is no handshake', b'\x17\x03\x03\x00\x05hello'),
                       ('a hello that is none', b'\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00')):
        with case(f'garbage: {name}'):
            for port in (server.port, server.resp_port):
                with server.raw(port) as raw:
                    raw.sendall(junk)
                    got = read_all(raw)
                    assert got == b'' or got[0] == 21, got  # an alert, or nothing
    with case('a broken record after the handshake ends the connection, with an alert'):
        with server.raw() as raw:
            stream = server.trust().wrap_socket(raw, server_hostname='localhost',
                                                do_handshake_on_connect=True)
            bare = socket.socket(fileno=os.dup(stream.fileno()))
            bare.settimeout(20)
            bare.sendall(b'\x17\x03\x03\x00\x20' + b'z' * 32)
            try:
                assert stream.recv(100) == b''
            except ssl.SSLError as error:
                assert 'BAD_RECORD_MAC' in str(error).upper().replace(' ', '_'), error
            bare.close()
    with case('the server is well'):
        with server.connect() as stream:
            assert get(stream) == b'HTTP/1.1 200 OK'


def sluice(server, *arguments):
    """The command line, as anybody on this machine may type it: exit code and all it says."""
    with open(os.path.join(server.folder, 'data', 'admin.token'), encoding='utf-8') as file:
        token = file.read().strip()
    done = subprocess.run([lib.program(), '--token', token, *arguments], cwd=server.folder,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False,
                          text=True)
    return done.returncode, done.stdout


def command_line(server):
    here = f'https://127.0.0.1:{server.port}'
    table = (
        ('an authority that is trusted', ('--ca', 'first.pem', '--url', here), 0, ', ready, up '),
        ('a name', ('--ca', 'first.pem', '--url', f'https://localhost:{server.port}/'), 0,
         ', ready, up '),
        ('an authority that nobody knows', ('--url', here), 1,
         'nobody whom this machine trusts has signed the certificate of the server at 127.0.0.1: '
         'name the file'),
        ('another authority', ('--ca', 'others/cert.pem', '--url', here), 1,
         'nobody whom the file of --ca names has signed'),
        ('a name that the certificate has not', ('--ca', 'first.pem', '--url',
                                                 f'https://127.1:{server.port}'), 1,
         'the certificate of the server at 127.1 is for localhost, 127.0.0.1: use such a name'),
        ('no TLS where TLS is spoken', ('--url', f'http://127.0.0.1:{server.port}'), 15,
         'the server answered 400'),
        ('an authority that is not there', ('--ca', 'none.pem', '--url', here), 1,
         'no certificate (PEM) can be read from none.pem'),
        ('a file that is no certificate', ('--ca', 'sluice.conf', '--url', here), 1,
         'no certificate (PEM) can be read from sluice.conf'),
        ('an authority and no TLS', ('--ca', 'first.pem', '--url', 'http://127.0.0.1:1'), 2,
         '--ca is for an address that begins with https://'),
        ('nobody answers', ('--ca', 'first.pem', '--url', f'https://127.0.0.1:{lib.free_port()}'),
         14, 'no server answers at 127.0.0.1:'),
    )
    other = os.path.join(server.folder, 'others')
    os.mkdir(other)
    make_certificate(other, 'other')
    for name, arguments, code, message in table:
        with case(f'sluice status: {name}'):
            got, output = sluice(server, *arguments, 'status')
            assert got == code and message in output, (got, output)
    with case('a verb that takes many answers, larger than a record'):
        got, output = sluice(server, '--ca', 'first.pem', '--url', here, 'view', 'list')
        assert got == 0 and 'bank/balance' in output, output


def command_line_in_bad_times():
    with lib.Server() as clear:
        with case('sluice status: TLS where none is spoken'):
            done = subprocess.run([lib.program(), '--url', f'https://127.0.0.1:{clear.port}',
                                   'status'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=30, check=False, text=True)
            assert done.returncode == 1 and 'speaks no TLS: write http:// in --url' in done.stdout
    server = TlsServer(spoil=lambda folder: make_expired(folder, 'cert.pem'))
    with case('sluice status: a certificate that has expired'):
        got, output = sluice(server, '--ca', 'cert.pem', '--url',
                             f'https://127.0.0.1:{server.port}', 'status')
        assert got == 1 and 'has expired: give the server a new one' in output, (got, output)
    server.child.signal(signal.SIGTERM)
    server.child.wait()


def pages(server):
    """What a page of this site is, over TLS; the table of all kinds is auth_test.c's."""
    table = (
        ('none', None, 200),
        ('its own', f'https://localhost:{server.port}', 200),
        ('its own in upper case', f'HTTPS://LOCALHOST:{server.port}', 200),
        ('its own name and port in clear', f'http://localhost:{server.port}', 403),
        ('another port', 'https://localhost:1', 403),
        ('no port', 'https://localhost', 403),
        ('a dot behind', f'https://localhost.:{server.port}', 403),
        ('an address', f'https://[::1]:{server.port}', 403),
        ('null', 'null', 403),
    )
    for protocol in ('--http1.1', '--http2'):
        for name, origin, status in table:
            with case(f'Origin over TLS, {protocol}: {name}'):
                header = ['-H', f'Origin: {origin}'] if origin else []
                done = subprocess.run(
                    ['curl', '-sS', protocol, '--cacert', os.path.join(server.folder, 'cert.pem'),
                     '-o', '/dev/null', '-w', '%{http_code}', *header,
                     f'https://localhost:{server.port}/readyz'],
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False,
                    text=True)
                assert done.stdout == str(status), done


def slow_handshakes():
    server = TlsServer(handshake_ms=1000)
    with case('handshakes that do not go on are ended'):
        begun = [server.raw() for _ in range(3)]
        for raw, start in zip(begun, (b'', b'\x16', b'\x16\x03\x01\x02\x00\x01')):
            raw.sendall(start)
        for raw in begun:
            assert read_all(raw) == b''
            raw.close()
    with case('one that is done is not'):
        with server.connect() as stream:
            lib.time.sleep(1.2)  # longer than the limit: the only way to see that it does not apply
            assert get(stream) == b'HTTP/1.1 200 OK'
    server.child.kill()


def renewal(server):
    certificate = os.path.join(server.folder, 'cert.pem')
    kept_file = os.path.join(server.folder, 'keep')
    kept = server.connect()
    assert get(kept) == b'HTTP/1.1 200 OK'
    with case('SIGHUP: who comes gets the new certificate'):
        make_certificate(server.folder, 'second')
        server.child.signal(signal.SIGHUP)
        server.child.wait_for_line(r'SIGHUP: a new certificate: /CN=second, good until 20')
        with server.connect() as stream:
            assert subject(stream) == 'second'
            assert get(stream) == b'HTTP/1.1 200 OK'
    with case('and who is there stays'):
        assert subject(kept) == 'first' and get(kept) == b'HTTP/1.1 200 OK'
    spoiled = (
        ('no file', lambda: os.remove(os.path.join(server.folder, 'key.pem')),
         r'tls_key: cannot read key\.pem: No such file'),
        ('an empty one', lambda: write(server.folder, 'key.pem', ''),
         r'tls_key: key\.pem is empty'),
        ('no key', lambda: write(server.folder, 'key.pem', 'nonsense\n'),
         r'tls_key: no private key in key\.pem: '),
        ('the key of another', lambda: make_certificate(server.folder, 'third', key_name='other'),
         r'tls_key: no private key in key\.pem|tls_key: the key in key\.pem is not that of'),
    )
    for name, spoil, message in spoiled:
        with case(f'a renewal that fails: {name}'):
            shutil.copy(certificate, kept_file)
            spoil()
            server.child.signal(signal.SIGHUP)
            server.child.wait_for_line(r'SIGHUP: the certificate stays as it was: ' + message)
            shutil.copy(kept_file, certificate)
            with server.connect() as stream:
                assert subject(stream) == 'second' and get(stream) == b'HTTP/1.1 200 OK'
    with case('all that while, the first connection was open'):
        assert get(kept) == b'HTTP/1.1 200 OK'
    kept.close()


def check(folder, *arguments):
    done = subprocess.run([lib.program(), 'serve', '--check', *arguments], cwd=folder, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, text=True)
    return done.returncode, done.stdout


def at_start():
    folder = lib.temp_folder()
    make_certificate(folder, 'one')
    os.rename(os.path.join(folder, 'cert.pem'), os.path.join(folder, 'one.pem'))
    make_certificate(folder, 'two', key_name='two.key')
    write(folder, 'empty', '')
    write(folder, 'junk', 'junk\n')
    subprocess.run(['openssl', 'pkey', '-in', 'key.pem', '-aes256', '-passout', 'pass:secret',
                    '-out', 'locked.key'], cwd=folder, check=True)
    table = (
        ('both are good', 'one.pem', 'key.pem', 0, 'the configuration is good'),
        ('no certificate', 'none.pem', 'key.pem', 3, 'tls_certificate: cannot read none.pem: No s'),
        ('no key', 'one.pem', 'none.pem', 3, 'tls_key: cannot read none.pem: No such file'),
        ('an empty certificate', 'empty', 'key.pem', 3, 'tls_certificate: empty is empty'),
        ('a certificate that is none', 'junk', 'key.pem', 3,
         'tls_certificate: no certificate in junk: it holds none in PEM'),
        ('a key in its place', 'key.pem', 'key.pem', 3,
         'tls_certificate: no certificate in key.pem: it holds none in PEM'),
        ('a folder', '.', 'key.pem', 3, 'tls_certificate: cannot read .: Is a directory'),
        ('a key that is none', 'one.pem', 'junk', 3, 'tls_key: no private key in junk: '),
        ('the key of another', 'one.pem', 'two.key', 3,
         'tls_key: the key in two.key is not that of one.pem'),
        ('a locked key', 'one.pem', 'locked.key', 3, 'tls_key: locked.key is locked by a pass'),
    )
    for name, certificate, key, code, message in table:
        with case(f'at start: {name}'):
            write(folder, 'sluice.conf',
                  f'[server]\ntls_certificate = {certificate}\ntls_key = {key}\n')
            got, output = check(folder)
            assert (got == 0) == (code == 0) and message in output, (got, output)
    with case('beyond this machine, with TLS and tokens: nothing has to be said aloud'):
        write(folder, 'sluice.conf', '[server]\ntls_certificate = one.pem\ntls_key = key.pem\n')
        code, output = check(folder, '--host', '0.0.0.0')
        assert code == 0, output
    with case('with TLS and no tokens: refused, unless --insecure is'):
        write(folder, 'sluice.conf', '[server]\ntls_certificate = one.pem\ntls_key = key.pem\n'
              '[auth]\nanonymous = user\n')
        code, output = check(folder, '--host', '0.0.0.0')
        assert code == 2 and 'act without a token' in output, output
        code, output = check(folder, '--host', '0.0.0.0', '--insecure')
        assert code == 0, output
    with case('a certificate that has run out is spoken of'):
        make_expired(folder, 'old.pem')
        write(folder, 'sluice.conf', '[server]\ntls_certificate = old.pem\ntls_key = key.pem\n')
        code, output = check(folder)
        assert code == 0 and 'warning: the certificate in old.pem is not good' in output, output


def in_clear():
    with lib.Server() as server:
        with case('SIGHUP without a certificate is spoken of and does nothing'):
            server.child.signal(signal.SIGHUP)
            server.child.wait_for_line('SIGHUP: there is no certificate to read anew')
            assert server.http.get('/readyz').status == 200
        with case('a handshake sent to a port in clear is refused'):
            with socket.create_connection(('127.0.0.1', server.port), 20) as raw:
                raw.sendall(bytes.fromhex('16030100050100000100') + b'\r\n\r\n')
                assert read_all(raw).startswith(b'HTTP/1.1 400 ')


def main():
    at_start()
    server = TlsServer()
    people(server)
    pages(server)
    command_line(server)
    command_line_in_bad_times()
    bytes_of_all_sizes(server)
    ends(server)
    strangers(server)
    renewal(server)
    with case('it stops as usual, while a connection by TLS is open'):
        with server.connect() as stream:
            assert get(stream) == b'HTTP/1.1 200 OK'
            server.child.signal(signal.SIGTERM)
            assert read_all(stream) == b''
            assert server.child.wait() == 0
    slow_handshakes()
    in_clear()


if __name__ == '__main__':
    main()
    lib.done()
    sys.exit(1)
