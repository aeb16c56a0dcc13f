"""What the server says about itself: /openapi.json against the server by schemathesis, a page for
every error that the source can answer, and the dashboard against /metrics."""
import glob
import json
import os
import random
import re
import subprocess

import desks
import fetched
import lib
from desks import bearer, book
from lib import case

RUN_S = 25  # of the 40 seconds and more that a whole run would take; a night runs longer
SOURCES = os.path.join(lib.TOP, 'src')


def walk(value):
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else \
            value if isinstance(value, list) else ():
        yield from walk(inner)


def document(server, admin):
    reply = server.http.get('/openapi.json')
    api = reply.json
    with case('all that the document refers to is in it'):
        for reference in {part['$ref'] for part in walk(api) if '$ref' in part}:
            found = api
            for name in reference.split('/')[1:]:
                found = found[name]
        ids = [part['operationId'] for part in walk(api['paths']) if 'operationId' in part]
        assert len(ids) == len(set(ids)), ids
    with case('every kind of address is in it'):
        assert set(api['paths']) >= {
            '/', '/healthz', '/readyz', '/metrics', '/live', '/openapi.json', '/errors',
            '/errors/{rule}', '/admin/status', '/admin/shutdown', '/admin/views/retry',
            '/admin/views/skip', '/admin/views/rebuild', '/admin/views/digest', '/desks',
            '/admin/processes/retry', '/admin/processes/skip',
            '/desks/BookDesk', '/desks/bookings', '/desks/bookings/{key}', '/desks/events',
            '/desks/streams/{aggregate}/{key}', '/bank/Transfer'}, sorted(api['paths'])
        assert '/desks/Sweep' not in api['paths']  # none sends it from outside
    with case('what takes a token here says so, and no more'):
        asks = {path: {} not in method['security'] for path, methods in api['paths'].items()
                for method in methods.values()}
        assert asks['/admin/shutdown'] and asks['/desks/ledger'] and asks['/desks/CancelBooking']
        assert not asks['/desks/BookDesk'] and not asks['/desks/bookings'], asks
        for path in ('/admin/status', '/desks/ledger', '/desks/events', '/metrics', '/desks'):
            assert asks[path] == (server.http.get(path).status == 401), path
    with case('what never ends, or ends the server, is as it says'):
        for event in server.http.events('/live', bearer(admin)):
            json.loads(event['data'])
            break
        assert server.http.post('/admin/shutdown', b'').status == 401
    with case('the same without a server'):
        code, text = server.run('openapi')
        assert code == 0 and '/bank/Transfer' in json.loads(text)['paths'], text[:200]


def schemathesis(server, admin):
    with case('schemathesis finds no 5xx and no contradiction'):
        program = os.path.join(os.path.dirname(fetched.python()), 'schemathesis')
        for i in range(1, 30):
            server.http.post('/desks/BookDesk', book(i, f'A{i}'))
        # The same requests each time, so that whoever changed something else does not pay for what
        # a new seed finds; SLUICE_SEED and the long form look further.
        seed = random.randrange(1 << 30) if lib.IS_LONG else int(os.environ.get('SLUICE_SEED', 1))
        lib.note(f'seed {seed}')
        result = subprocess.run(
            [program, '--config-file', os.path.join(fetched.CLIENTS, 'schemathesis.toml'), 'run',
             f'http://127.0.0.1:{server.port}/openapi.json', '--seed', str(seed),
             '--header', f'Authorization: Bearer {admin}', '--max-examples', '20',
             '--max-time', str(600 if lib.IS_LONG else RUN_S), '--no-shrink',
             '--exclude-path', '/live', '--exclude-path', '/admin/shutdown'],
            cwd=server.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=900, check=False)
        assert result.returncode == 0, result.stdout.decode('utf-8', 'replace')


def rules_of_source():
    """Names of rules that the source answers with, and the status where it stands beside them."""
    rules = {}
    for path in glob.glob(os.path.join(SOURCES, '*', '*.c')):
        if path.endswith(('_test.c', 'rules.c')) or '/embed/' in path:
            continue
        with open(path, encoding='utf-8') as file:
            text = file.read()
        for name in re.findall(r'(?:api_refuse|api_refuse_at|turn_away|answer_failed)'
                               r'\(\s*[^;"]+?,\s*"(\w+)"', text):
            rules.setdefault(name, None)
        for status, name in re.findall(r'\b([45]\d\d), \w*\(?"([a-z_0-9]+)"', text):
            rules[name] = int(status)
    return rules


def error_pages(server):
    rules = rules_of_source()
    with case('every error that the source can answer has a page with its status'):
        assert len(rules) > 50 and {'bad_host', 'overloaded', 'no_row', 'closing'} <= set(rules), \
            sorted(rules)
        for name, status in sorted(rules.items()):
            reply = server.http.get('/errors/' + name)
            assert reply.status == 200 and reply.json.get('title'), (name, reply)
            assert status in (None, reply.json['status']), (name, status, reply)
            assert reply.json['meaning'] and reply.json['advice'], name
    with case('and so has every one of the list, as a page, too'):
        for error in server.http.get('/errors').json['errors']:
            page = server.http.get('/errors/' + error['rule'], {'Accept': 'text/html'})
            assert page.status == 200 and 'What to do' in page.text, (error, page)


def metrics_of(text):
    """Types of metrics, and the labels each has."""
    types = dict(re.findall(r'^# TYPE (\S+) (\S+)$', text, re.M))
    labels = {}
    for name, inside in re.findall(r'^(\w+)(?:\{(.*)\})? \S+$', text, re.M):
        labels.setdefault(name, set()).update(re.findall(r'(\w+)="', inside))
    return types, labels


def dashboard(server, admin):
    with open(os.path.join(lib.TOP, 'docs', 'grafana.json'), encoding='utf-8') as file:
        board = json.load(file)
    types, labels = metrics_of(server.http.get('/metrics', bearer(admin)).text)
    targets = [target['expr'] for part in walk(board) for target in part.get('targets', [])]
    with case('the dashboard asks for metrics that there are, each as what it is'):
        assert len(targets) > 15, targets
        for expr in targets:
            asked = re.findall(r'\b((?:sluice|process)_\w+)\b', expr)
            assert asked, expr
            for name in asked:
                base = re.sub(r'_(bucket|sum|count)$', '', name)
                kind = types.get(name) or types.get(base)
                assert kind and name in labels, (name, expr)
                is_rate = re.search(r'(rate|increase)\(' + name + r'\b', expr) is not None
                assert is_rate == (kind in ('counter', 'histogram')), (name, kind, expr)
            for inside in re.findall(r'\{(.*?)\}', expr) + re.findall(r'by \((.*?)\)', expr):
                for label in re.findall(r'(\w+)(?:\s*=|\s*,|\s*$)', re.sub(r'"[^"]*"', '', inside)):
                    assert any(label in labels[name] for name in asked), (label, expr)
    # A new metric need not be on it, but whoever adds one may want to know.
    unused = {name for name in types if not any(name in expr for expr in targets)}
    lib.note('not on the dashboard: ' + ', '.join(sorted(unused)))


def main():
    with desks.server() as server:
        with open(os.path.join(server.data, 'admin.token'), encoding='utf-8') as file:
            admin = file.read().strip()
        document(server, admin)
        error_pages(server)
        dashboard(server, admin)
        schemathesis(server, admin)
        with case('the server still runs, and stops when told'):
            assert server.http.post('/admin/shutdown', b'', bearer(admin)).status == 202
            assert server.child.wait() == 0, server.child.output()
    lib.done()


main()
