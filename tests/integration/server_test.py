"""The server's life: starting, what is in the way of it, stopping; its configuration; its verbs."""
import json
import os
import signal
import socket
import stat
import subprocess
import time

import desks
import lib
from desks import bearer, book, uuid
from lib import case


def run(*arguments, config=None, cwd=None):
    """The program, to its end: (exit code, output)."""
    folder = cwd or lib.temp_folder()
    if config is not None:
        with open(os.path.join(folder, 'sluice.conf'), 'w', encoding='utf-8') as file:
            file.write(config)
    result = subprocess.run([lib.program(), *arguments], cwd=folder, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                            check=False)
    return result.returncode, result.stdout.decode()


def command_line():
    table = [
        (['--help'], 0, 'serve'),
        (['--version'], 0, 'sluice 0'),
        ([], 2, 'serve'),
        (['nonsense'], 2, 'no verb and no domain nonsense'),
        (['--nonsense', 'status'], 2, 'unknown option --nonsense'),
        (['status', '--data'], 2, 'no value for --data'),
        (['serve', '--help'], 0, '--resp-port'),
        (['serve', '--nonsense'], 2, 'unknown option'),
        (['serve', '--port'], 2, 'no value for'),
        (['serve', '--port', '70000'], 2, 'no port'),
        (['serve', '--port', 'http'], 2, 'no port'),
        (['serve', '--host', '0.0.0.0'], 2, '--insecure'),
        (['serve', '--config', 'nothing.conf'], 10, 'nothing.conf'),
        (['serve', '--check'], 0, 'is good'),
        (['status'], 14, 'sluice serve'),
        (['status', '--url', 'ftp://x'], 2, 'no address'),
        (['help', 'status'], 0, '--json'),
        (['status', '--help'], 0, '--json'),
        (['help', 'nonsense'], 2, 'nonsense'),
        (['errors'], 0, 'id_reused'),
        (['errors', 'id_reused'], 0, 'What to do'),
        (['errors', 'desk_taken'], 0, 'none of Sluice'),
        (['new'], 2, 'name'),
        (['new', 'Bad'], 2, 'lower-case'),
        (['check', 'nothing.so'], 1, 'nothing.so'),
    ]
    for arguments, code, part in table:
        with case(f'sluice {" ".join(arguments)} ends with {code}'):
            got, output = run(*arguments)
            assert got == code and part in output, (got, output)
    with case('sluice openapi is the server\'s document'):
        code, output = run('openapi')
        assert code == 0 and json.loads(output)['openapi'] == '3.1.0', output


def configuration():
    table = [
        ('[server]\nprot = 1\n', 'sluice.conf:2: [server] has no key prot'),
        ('[domain bank]\nstore = postgres\n', 'no store postgres'),
        ('[domain nothing]\nstore = log\n', 'no domain nothing'),
        ('[domain x]\nmodule = ./nothing.so\n', 'nothing.so'),
        ('[views]\nstore = redis\n', 'no store redis'),
        ('[token x]\nroles = user\n', 'no secret'),
        (f'[token {"x" * 43}]\nsecret = long-enough-to-be-one\n', 'name is too long'),
        ('[token local]\nsecret = long-enough-to-be-one\n', 'the name local is taken'),
    ]
    for config, part in table:
        with case(f'a configuration is refused: {part}'):
            code, output = run('serve', '--check', config=config)
            assert code == 10 and part in output, (code, output)
    with case('secrets that are too short are refused'):
        code, output = run('serve', '--port', '0', '--resp-port', '0',
                           config='[token x]\nsecret = short\n')
        assert code == 10 and 'token' in output, (code, output)
    with case('a domain can be left out'):
        code, output = run('serve', '--check', config='[domain bank]\nenabled = no\n')
        assert code == 0 and 'bank' not in output, output
    with case('a module under another name'):
        code, output = run('serve', '--check',
                           config=f'[domain seats]\nmodule = {os.environ["DESKS"]}\n')
        assert code == 10 and 'desks, not seats' in output, output


def folder(server):
    with case('everything in the data folder is its owner\'s alone'):
        for path, folders, files in os.walk(server.data):
            for name in folders + files:
                mode = os.stat(os.path.join(path, name)).st_mode
                assert stat.S_IMODE(mode) & 0o077 == 0, (path, name, oct(mode))
    with case('the first start says the admin\'s token, the second does not'):
        with open(os.path.join(server.data, 'admin.token'), encoding='ascii') as file:
            token = file.read().strip()
        assert token in server.child.output()
        assert server.stop() == 0
        server.start()
        assert token not in server.child.output()
        assert server.http.get('/admin/status', bearer(token)).status == 200
    with case('tokens of auth.conf'):
        with open(os.path.join(server.data, 'auth.conf'), 'w', encoding='ascii') as file:
            file.write('[token late]\nsecret = a-token-that-came-late\nroles = auditor\n')
        server.restart()
        reply = server.http.get('/desks/ledger', bearer('a-token-that-came-late'))
        assert reply.status == 200, reply


def in_the_way(server):
    with case('another server on the same folder says so'):
        code, output = run('serve', '--data', server.data, '--port', '0', '--resp-port', '0')
        assert code == 12 and 'another server' in output, (code, output)
    with case('a taken port is said so, with the next step'):
        for option in ('--port', '--resp-port'):
            arguments = {'--port': '0', '--resp-port': '0'}
            arguments[option] = str(server.port)
            code, output = run('serve', *[word for pair in arguments.items() for word in pair])
            assert code == 11 and 'is taken' in output and option in output, (code, output)
    with case('the server was not harmed'):
        assert server.http.get('/desks').status == 200


def verbs(server):
    with case('status, for people'):
        code, output = server.run('status')
        assert code == 0 and 'desks:' in output and 'view bookings' in output, output
    with case('status, for programs'):
        code, output = server.run('status', '--json')
        assert code == 0 and json.loads(output)['ready'] is True, output
    with case('status over TCP takes a token'):
        url = f'http://127.0.0.1:{server.port}'
        code, output = run('--url', url, 'status')
        assert code == 15 and 'unauthorized' in output, (code, output)
        with open(os.path.join(server.data, 'admin.token'), encoding='ascii') as file:
            code, output = run('--url', url, '--token', file.read().strip(), 'status')
        assert code == 0, output
    with case('the socket needs no Host and no token'):
        with socket.socket(socket.AF_UNIX) as wire:
            wire.connect(os.path.join(server.data, 'sluice.sock'))
            wire.sendall(b'GET /admin/status HTTP/1.1\r\nHost: whoever\r\n'
                         b'Connection: close\r\n\r\n')
            assert wire.makefile('rb').read().startswith(b'HTTP/1.1 200')
    with case('a domain\'s verbs'):
        code, output = server.run('help', 'desks')
        assert code == 0 and 'no verbs of its own' in output, output
        code, output = server.run('desks', 'nothing')
        assert code == 2, output


def crash(server):
    with case('what was answered survives a crash'):
        for i in range(20):
            done = server.http.post('/desks/BookDesk', book(i, f'A{i}'))
            assert done.status == 201, done
        server.kill()
        server.start()
        for i in range(20):
            reply = server.http.get('/desks/bookings/' + uuid(i),
                                    {'Sluice-Position': done.position})
            assert reply.status == 200, reply
    with case('also the ids'):
        key = {'Idempotency-Key': 'crash'}
        first = server.http.post('/desks/BookDesk', book(50, 'B1'), key)
        server.kill()
        server.start()
        again = server.http.post('/desks/BookDesk', book(50, 'B1'), key)
        assert again.headers['idempotent-replayed'] == 'true', again
        assert (again.json, again.position) == (first.json, first.position), (first, again)
        key = {'Idempotency-Key': 'taken'}
        first = server.http.post('/desks/BookDesk', book(51, 'B1'), key)
        assert first.status == 422, first
        for _ in range(2):
            server.kill()
            server.start()
            again = server.http.post('/desks/BookDesk', book(51, 'B1'), key)
            assert again.headers['idempotent-replayed'] == 'true', again
            assert (again.json, again.position) == (first.json, first.position), (first, again)


def stopping(server):
    with case('a stop under load answers what it took'):
        wire = socket.create_connection(('127.0.0.1', server.port), 30)
        body = json.dumps(book(900, 'Z1')).encode()
        head = (b'POST /desks/BookDesk HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n'
                b'Content-Type: application/json\r\n\r\n' % len(body))
        wire.sendall(head + body)
        started = time.monotonic()
        server.child.signal(signal.SIGTERM)
        try:
            answer = wire.makefile('rb').read()
        except ConnectionResetError:  # it had not been read yet: nothing was promised
            answer = b''
        assert server.child.wait() == 0, server.child.output()
        assert answer == b'' or b'HTTP/1.1 201' in answer or b'HTTP/1.1 503' in answer, answer
        assert time.monotonic() - started < 20
        server.start()
        again = server.http.post('/desks/BookDesk', book(901, 'Z1'))
        assert (again.status == 422) >= (b'HTTP/1.1 201' in answer), (answer, again)
        wire.close()
    with case('the admin can stop it'):
        code, output = server.run('stop')
        assert code == 0, output
        assert server.child.wait() == 0, server.child.output()
        assert not os.path.exists(os.path.join(server.data, 'sluice.sock'))


def damage(server):
    with case('a damaged log is said so, and the server does not start'):
        logs = os.path.join(server.data, 'logs', 'desks')
        hurt = 0
        for name in os.listdir(logs):
            with open(os.path.join(logs, name), 'r+b') as file:
                at = file.read().find(b'A1,')
                if at > 0:
                    file.seek(at)
                    file.write(b'\xff\xff')
                    hurt += 1
        assert hurt > 0, os.listdir(logs)
        code, output = run('serve', '--data', server.data, '--port', '0', '--resp-port', '0',
                           *server.arguments)
        assert code == 13, (code, output)


def main():
    command_line()
    with desks.server() as server:
        configuration()
        folder(server)
        in_the_way(server)
        verbs(server)
        crash(server)
        stopping(server)
        damage(server)
    lib.done()


main()
