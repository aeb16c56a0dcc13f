"""The clients of examples/ do what docs/clients.md says, whatever happens to connections: each is
driven by a few lines of its own language, through a proxy that loses replies."""
import json
import os
import shutil
import socket
import subprocess
import threading

import fetched
import lib
from lib import case

EXAMPLES = os.path.join(lib.TOP, 'examples')
VERBS = {
    'python': """
import json, sys
sys.path.insert(0, {examples!r})
from client import follow, get, send
verb, *words = sys.argv[1:]
if verb == 'follow':
    for position, event in follow(*words):
        print(json.dumps([position, event]), flush=True)
elif verb == 'send':
    print(json.dumps(send(words[0], json.loads(words[1]), *words[2:])))
else:
    print(json.dumps(get(*words)))
""",
    'typescript': """
import { follow, get, send } from './client.mjs';
const [verb, ...words] = process.argv.slice(2);
const show = (value) => console.log(JSON.stringify(value));
if (verb === 'follow') for await (const told of follow(...words)) show(told);
const { status, body } =
  verb === 'send' ? await send(words[0], JSON.parse(words[1]), words[2]) : await get(...words);
show([status, body]);
""",
}


class Proxy:
    """Between a client and the server; can take a request and lose the reply, or answer 503."""

    def __init__(self, port):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.server_port = port
        self.url = f'http://127.0.0.1:{self.listener.getsockname()[1]}'
        self.troubles = []  # what happens to the next connections: 'lost', 'busy'
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            trouble = self.troubles.pop(0) if self.troubles else None
            threading.Thread(target=self._serve, args=(client, trouble), daemon=True).start()

    def _serve(self, client, trouble):
        try:
            if trouble == 'busy':
                client.recv(65536)
                client.sendall(b'HTTP/1.1 503 Busy\r\nContent-Type: application/problem+json\r\n'
                               b'Content-Length: 2\r\nConnection: close\r\n\r\n{}')
                return
            server = socket.create_connection(('127.0.0.1', self.server_port))
            back = threading.Thread(target=self._pump, args=(server, client, trouble == 'lost'),
                                    daemon=True)
            back.start()
            self._pump(client, server, False)
            back.join()
        except OSError:
            pass
        finally:
            client.close()

    @staticmethod
    def _pump(source, target, is_lost):
        try:
            while True:
                data = source.recv(65536)
                if not data or is_lost:  # the server has answered, and nobody learns it
                    break
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def commands_of():
    """How each language's client is run: {name: words}; a case tells why one cannot be."""
    folder = lib.temp_folder()
    script = os.path.join(folder, 'verbs.py')
    with open(script, 'w', encoding='utf-8') as file:
        file.write(VERBS['python'].format(examples=EXAMPLES))
    commands = {'python': ['python3', script]}
    with case('the example in TypeScript is TypeScript'):
        node = fetched.node()
        shutil.copy(os.path.join(EXAMPLES, 'client.ts'), folder)
        subprocess.run([os.path.join(node, 'node_modules', '.bin', 'esbuild'), 'client.ts',
                        '--format=esm', '--outfile=client.mjs', '--log-level=warning'],
                       cwd=folder, check=True, timeout=60)
        with open(os.path.join(folder, 'verbs.mjs'), 'w', encoding='utf-8') as file:
            file.write(VERBS['typescript'])
        commands['typescript'] = ['node', os.path.join(folder, 'verbs.mjs')]
    return commands


def run(command, *words):
    result = subprocess.run([*command, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, timeout=60, check=False)
    assert result.returncode == 0, result.stderr.decode('utf-8', 'replace')
    return json.loads(result.stdout)


def sends(name, command, proxy):
    bank = proxy.url + '/bank/'
    with case(f'{name}: a command is sent, and what it did is read'):
        for account in ({'id': f'cash-{name}', 'kind': 'external', 'currency': 'EUR'},
                        {'id': name, 'currency': 'EUR'}):
            status, outcome = run(command, 'send', bank + 'OpenAccount', json.dumps(account))
            assert status == 201 and outcome['events'], outcome
        status, row = run(command, 'get', f'{bank}balance/{name}', outcome['position'])
        assert status == 200 and row['id'] == name, row
    with case(f'{name}: a reply that is lost is asked for again, and the command is done once'):
        transfer = {'from': f'cash-{name}', 'to': name, 'amount': 100, 'currency': 'EUR'}
        proxy.troubles = ['lost', 'busy', 'lost']
        status, outcome = run(command, 'send', bank + 'Transfer', json.dumps(transfer))
        assert status == 201 and not proxy.troubles, (status, outcome)
        row = run(command, 'get', f'{bank}balance/{name}', outcome['position'])[1]
        assert row['balance'] == 100, row
        words = ['send', bank + 'Transfer', json.dumps(transfer), 'an id of ' + name]
        again = run(command, *words)
        assert again[0] == 201 and again == run(command, *words), again
        row = run(command, 'get', f'{bank}balance/{name}', again[1]['position'])[1]
        assert row['balance'] == 200, row
    with case(f'{name}: what is refused is not asked again'):
        transfer['from'] = 'nobody'
        status, problem = run(command, 'send', bank + 'Transfer', json.dumps(transfer))
        assert status == 422 and problem['rule'] == 'debit_account_not_found', problem


def follows(name, command, server, proxy):
    with case(f'{name}: events come once each and in order, over a server that is killed'):
        reader = lib.Child([*command, 'follow', proxy.url + '/bank/events?after=start'])
        account = {'id': f'f-{name}', 'currency': 'EUR'}
        server.http.post('/bank/OpenAccount', account)
        reader.wait_for_line(f'f-{name}')
        for i in range(3):
            server.kill()
            server.start()
            reply = server.http.post('/bank/OpenAccount', {**account, 'id': f'f-{name}-{i}'})
            assert reply.status == 201, reply
            reader.wait_for_line(f'"f-{name}-{i}"')
        told = [json.loads(line) for line in reader.output().splitlines()]
        reader.kill()
        assert [event['position'] for _, event in told] == list(range(len(told))), told
        assert told[-1][0].split(':')[2] == str(len(told)), told[-1]


def main():
    commands = commands_of()
    with lib.Server() as server:
        proxy = Proxy(server.port)
        for name, command in commands.items():
            sends(name, command, proxy)
            follows(name, command, server, proxy)
        with case('the examples are short'):
            for name in ('client.py', 'client.ts'):
                with open(os.path.join(EXAMPLES, name), encoding='utf-8') as file:
                    assert len(file.readlines()) < 60, name
    lib.done()


main()
