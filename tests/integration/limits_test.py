"""Many connections that do nothing, and what a connection may cost: ten thousand idle ones in less
than 64 MiB, and no more than are allowed; and rows of views in memory."""
import re
import resource
import socket

import lib
from lib import case

IDLE = 10000
RESIDENT_MAX_KIB = 64 * 1024
ACCOUNTS = 10000  # some 5 MiB of rows
VIEW_BYTES = 1 << 20
GET = b'GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n'


def resident_kib(server):
    with open(f'/proc/{server.child.pid}/status', encoding='ascii') as file:
        return next(int(line.split()[1]) for line in file if line.startswith('VmRSS:'))


def may_open(count):
    """Files for as many connections on both sides; a server inherits what its parent may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count + 200:
        return False
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 200, hard))
    return True


def connect(server):
    stream = socket.create_connection(('127.0.0.1', server.port), 20)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def idle():
    if not may_open(IDLE):
        raise lib.Skip(f'no process may have {IDLE + 200} files here (ulimit -n)')
    with lib.Server(config='[server]\nconnections_max = 10100\n') as server:
        before = resident_kib(server)
        if before > RESIDENT_MAX_KIB / 2:
            raise lib.Skip('this build needs more memory than any other: a sanitizer is in it')
        peers = [connect(server) for _ in range(IDLE)]
        for peer in peers:
            peer.sendall(GET)
        for peer in peers:
            assert peer.recv(4096).startswith(b'HTTP/1.1 200 '), 'not answered'
        kib = resident_kib(server)
        lib.note(f'{before} KiB, and with {IDLE} connections that were used {kib} KiB')
        assert kib < RESIDENT_MAX_KIB, f'{kib} KiB'
        assert server.http.get('/readyz').status == 200
        for peer in peers:
            peer.close()


def answered(server):
    """A connection that was let in, or None."""
    peer = connect(server)
    try:
        peer.sendall(GET)
        if peer.recv(4096).startswith(b'HTTP/1.1 200 '):
            return peer
    except (BrokenPipeError, ConnectionResetError):
        pass
    peer.close()
    return None


def view_bytes(server):
    text = server.http.get('/metrics').text
    return int(re.search(r'sluice_view_bytes{domain="bank",view="balance"} (\d+)', text).group(1))


def rows_in_memory():
    """More rows than their view may keep: all are found, few of them stay."""
    with lib.Server(config=f'[views]\nmemory_bytes = {VIEW_BYTES}\n') as server:
        for first in range(0, ACCOUNTS, 1000):
            reply = server.http.post('/bank/OpenAccount',
                                     [{'id': f'A{number}', 'currency': 'EUR'}
                                      for number in range(first, first + 1000)])
            assert all(item['status'] == 201 for item in reply.json), reply
        lib.wait_until(lambda: view_bytes(server) <= VIEW_BYTES, what='fewer rows in memory')
        for number in range(0, ACCOUNTS, 500):
            reply = server.http.get(f'/bank/balance/A{number}')
            assert reply.status == 200, reply


def main():
    # Memory that is asked for and never touched counts for nobody but Meson's runner.
    lib.os.environ.pop('MALLOC_PERTURB_', None)
    with case('ten thousand idle connections take less than 64 MiB'):
        idle()
    with case('a view keeps as many bytes of rows in memory as it may, and finds the others'):
        rows_in_memory()
    with lib.Server(config='[server]\nconnections_max = 5\n') as server:
        with case('no more connections than are allowed; who leaves makes room'):
            server.http.close()
            # That somebody has left, the server sees when it sees it.
            peers = [lib.wait_until(lambda: answered(server), what='room') for _ in range(5)]
            assert answered(server) is None
            peers.pop().close()
            peers.append(lib.wait_until(lambda: answered(server), what='room again'))
            for peer in peers:
                peer.close()
    lib.done()


main()
