"""Idle: ten thousand connections that do nothing, by each protocol, in clear and by TLS.

What the whole server takes, and how often it wakes. Each connection has had one answer before it is
left alone. The client lets go of its side of TLS and keeps the socket, so that ten thousand cost it
nothing.
"""
import os
import resource
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import time

import machine
import servers
import suite_slice
from servers import lib
from table import Row

CONNECTIONS = 10000
LIMIT_MIB = 64
IDLE_S = 10
CONFIG = '''[server]
connections_max = {connections_max}
{tls}[http]
idle_ms = 3600000
'''
TLS = 'tls_certificate = cert.pem\ntls_key = key.pem\n'
GET = b'GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n'
# The preface, SETTINGS, and HEADERS of stream 1: GET https://localhost/readyz, in HPACK.
FIELDS = b'\x82\x87\x04\x07/readyz\x41\x09localhost'
H2_GET = (b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + b'\0\0\0\x04\0\0\0\0\0' +
          struct.pack('>I', len(FIELDS))[1:] + b'\x01\x05\0\0\0\x01' + FIELDS)
H2_ACK = b'\0\0\0\x04\x01\0\0\0\0'


class Sluice(servers.Sluice):
    """A server that lets so many in, with a certificate of its own where TLS is asked for."""

    def __init__(self, program, tls, folder):
        if tls:
            subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                            'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj',
                            '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout',
                            os.path.join(folder, 'key.pem'), '-out',
                            os.path.join(folder, 'cert.pem')], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(os.path.join(folder, 'sluice.conf'), 'w', encoding='ascii') as file:
            file.write(CONFIG.format(connections_max=CONNECTIONS + 100, tls=TLS if tls else ''))
        super().__init__(program, folder)

    def start(self):
        self.child = lib.Child([self.program, 'serve', '--config', 'sluice.conf', '--port',
                                str(self.port), '--resp-port', str(self.resp_port), '--data',
                                self.data], cwd=self.folder)
        self.child.wait_for_line(r'try: curl')


def may_open(count):
    """Files for as many connections on both sides; a server inherits what its parent may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count + 500:
        raise servers.Missing(f'no process may have {count + 500} files here (ulimit -n)')
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 500, hard))


def read_until(stream, is_whole):
    got = b''
    while not is_whole(got):
        chunk = stream.recv(16384)
        if not chunk:
            raise RuntimeError(f'the server closed an idle connection behind {got!r}')
        got += chunk


def is_http_answer(got):
    head, found, body = got.partition(b'\r\n\r\n')
    if not found:
        return False
    if not head.startswith(b'HTTP/1.1 200 '):
        raise RuntimeError(f'{got!r}')
    return len(body) == int(head.lower().partition(b'content-length:')[2].split()[0])


def has_h2_answer(got):
    """Frames up to the one that ends stream 1 (flag 1 of HEADERS or DATA)."""
    at = 0
    while at + 9 <= len(got):
        length, kind, flags = int.from_bytes(got[at:at + 3], 'big'), got[at + 3], got[at + 4]
        at += 9 + length
        if kind in (0, 1) and flags & 1 and at <= len(got):
            return True
    return False


def use(stream, protocol):
    if protocol == 'RESP':
        stream.sendall(b'PING\r\n')
        read_until(stream, lambda got: got == b'+PONG\r\n')
    elif protocol == 'HTTP/2':
        stream.sendall(H2_GET)
        read_until(stream, has_h2_answer)
        stream.sendall(H2_ACK)
    else:
        stream.sendall(GET)
        read_until(stream, is_http_answer)


def connect(server, protocol, context):
    port = server.resp_port if protocol == 'RESP' else server.port
    stream = socket.create_connection(('127.0.0.1', port), 60)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not context:
        use(stream, protocol)
        return stream
    secure = context.wrap_socket(stream, server_hostname='localhost')
    use(secure, protocol)
    return socket.socket(fileno=secure.detach())


def trust(server, protocol):
    context = ssl.create_default_context(cafile=os.path.join(server.folder, 'cert.pem'))
    context.set_alpn_protocols(['h2' if protocol == 'HTTP/2' else 'http/1.1'])
    return context


def alone(protocol, tls):
    def run(world):
        may_open(CONNECTIONS)
        server = world.start(Sluice, world.program, tls)
        world.settle()
        before = machine.memory_mib(server.pid)
        context = trust(server, protocol) if tls else None
        peers = [connect(server, protocol, context) for _ in range(CONNECTIONS)]
        world.rest()
        time.sleep(6)  # what follows a start is stored up to five seconds later
        woken = machine.switches(server.pid)
        time.sleep(IDLE_S)
        woken = machine.switches(server.pid) - woken
        mib = machine.memory_mib(server.pid)
        world.say(f'{before:.1f} MiB, with {CONNECTIONS} connections {mib:.1f}; {woken} wake-ups')
        for peer in peers:
            peer.close()
        what = f'{CONNECTIONS:,} idle connections, {protocol}{" by TLS" if tls else ""}'
        # The goal is for connections in clear: what TLS and HTTP/2 keep is their libraries'.
        world.rows.append(Row(f'{what}: the whole server', 'MiB', [mib], [LIMIT_MIB], 'a limit',
                              None if tls else 1, False))
        world.rows.append(Row(f'{what}: each', 'KiB', [(mib - before) * 1024 / CONNECTIONS], [], '',
                              None, False))
        world.rows.append(Row(f'{what}: wake-ups in {IDLE_S} s', '', [woken], [], '', None, False))
    return run


MEASUREMENTS = [
    ('http', 'HTTP/1.1 in clear | 64 MiB', alone('HTTP/1.1', False)),
    ('resp', 'RESP in clear | 64 MiB', alone('RESP', False)),
    ('http-tls', 'HTTP/1.1 by TLS', alone('HTTP/1.1', True)),
    ('resp-tls', 'RESP by TLS', alone('RESP', True)),
    ('h2', 'HTTP/2 (by TLS)', alone('HTTP/2', True)),
]


def measure(options):
    """Runs what the options name. Returns the world, its rows and notes filled."""
    world = suite_slice.World(options)
    for name, what, function in MEASUREMENTS:
        if options.only and name not in options.only:
            continue
        print(f'{name}: {what}', file=sys.stderr)
        try:
            function(world)
        except servers.Missing as missing:
            world.notes.append(f'{name} was left out: {missing}')
        finally:
            for server in world.running:
                server.stop()
            world.running = []
            shutil.rmtree(os.path.join(world.folder, 'sluice'), ignore_errors=True)
    world.notes.append(f'{CONNECTIONS:,} connections, each answered once and then left alone; '
                       'idle_ms is an hour, so that none ends meanwhile; memory is VmRSS')
    return world
