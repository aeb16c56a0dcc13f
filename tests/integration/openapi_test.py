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


SAMPLE = re.compile(r'(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)'
                    r'(?:\{(?P<labels>(?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? '
                    r'(?P<value>-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?|[+-]Inf|NaN)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
SUFFIXES = {'histogram': ('_bucket', '_sum', '_count'), 'counter': ('',), 'gauge': ('',)}


def exposition(text):
    """What Prometheus' own reader and its linter would say of it: a list of complaints."""
    types, helps, seen, series = {}, set(), set(), {}
    family, done = None, set()
    if not text.endswith('\n'):
        yield 'the last line has no end'
    for number, line in enumerate(text.splitlines(), 1):
        if found := re.fullmatch(r'# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)', line):
            word, name, rest = found.groups()
            if name != family:
                if name in done or name in types or name in helps:
                    yield f'{number}: {name} comes in two places'
                done.add(family)
                family = name
            if name in (helps if word == 'HELP' else types):
                yield f'{number}: a second {word} of {name}'
            if word == 'HELP':
                helps.add(name)
            else:
                types[name] = rest
                if rest not in SUFFIXES:
                    yield f'{number}: {rest} is no type'
                if (rest == 'counter') != name.endswith('_total'):
                    yield f'{number}: {name} is a {rest}: counters, and they alone, end by _total'
            continue
        found = SAMPLE.fullmatch(line)
        if not found:
            yield f'{number}: neither a comment nor a sample: {line!r}'
            continue
        labels = LABEL.findall(found['labels'] or '')
        if ','.join(f'{name}="{value}"' for name, value in labels) != (found['labels'] or ''):
            yield f'{number}: labels that are none: {line!r}'
        if len({name for name, _ in labels}) != len(labels):
            yield f'{number}: a label twice: {line!r}'
        if family not in types or family not in helps:
            yield f'{number}: no HELP and TYPE before {line!r}'
        elif found['name'] not in [family + suffix for suffix in SUFFIXES[types[family]]]:
            yield f'{number}: {found["name"]} is not of {family}'
        key = (found['name'], frozenset(labels))
        if key in seen:
            yield f'{number}: the same sample again: {line!r}'
        seen.add(key)
        series[key] = float(found['value'])
        if types.get(family) == 'counter' and not series[key] >= 0:
            yield f'{number}: a counter below zero: {line!r}'
    yield from histograms(types, series)


def histograms(types, series):
    """Buckets in order and cumulative, +Inf there and the count, a sum beside it."""
    for name in (name for name, kind in types.items() if kind == 'histogram'):
        rows = {}
        for (sample, labels), value in series.items():
            rest = frozenset(pair for pair in labels if pair[0] != 'le')
            if sample == name + '_bucket':
                bound = [value for label, value in labels if label == 'le']
                rows.setdefault(rest, []).append((float((bound or ['NaN'])[0]), value))
        counts = {labels for (sample, labels) in series if sample == name + '_count'}
        if not rows or counts != set(rows):
            yield f'{name}: buckets without a count, or the other way round'
        for labels, buckets in rows.items():
            bounds, values = zip(*buckets)
            if list(bounds) != sorted(set(bounds)) or bounds[-1] != float('inf'):
                yield f'{name}: bounds {bounds}'
            if list(values) != sorted(values):
                yield f'{name}: buckets are not cumulative: {values}'
            if values[-1] != series.get((name + '_count', labels)):
                yield f'{name}: +Inf is not the count'
            if (name + '_sum', labels) not in series:
                yield f'{name}: no sum'


HEAD = '# HELP a b\n# TYPE a histogram\n'
WRONG = (
    ('no end', '# HELP a b\n# TYPE a gauge\na 1', 'no end'),
    ('no TYPE', '# HELP a b\na 1\n', 'no HELP and TYPE'),
    ('HELP twice', '# HELP a b\n# HELP a b\n# TYPE a gauge\na 1\n', 'a second HELP'),
    ('two places', '# HELP a b\n# TYPE a gauge\na 1\n# HELP c d\n# TYPE c gauge\nc 1\n'
     '# TYPE a gauge\n', 'in two places'),
    ('a counter by another name', '# HELP a b\n# TYPE a counter\na 1\n', 'end by _total'),
    ('a stranger between', '# HELP a b\n# TYPE a gauge\nc 1\n', 'c is not of a'),
    ('no number', '# HELP a b\n# TYPE a gauge\na x\n', 'neither a comment nor'),
    ('a label without quotes', '# HELP a b\n# TYPE a gauge\na{b=c} 1\n', 'labels that are none'),
    ('the same again', '# HELP a b\n# TYPE a gauge\na 1\na 2\n', 'the same sample'),
    ('buckets that fall', HEAD + 'a_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
     'not cumulative'),
    ('no +Inf', HEAD + 'a_bucket{le="1"} 1\na_sum 1\na_count 1\n', 'bounds'),
    ('+Inf is another', HEAD + 'a_bucket{le="+Inf"} 1\na_sum 1\na_count 2\n', '+Inf is not'),
    ('no sum', HEAD + 'a_bucket{le="+Inf"} 1\na_count 1\n', 'no sum'),
    ('no count', HEAD + 'a_bucket{le="+Inf"} 1\na_sum 1\n', 'without a count'),
)


def metrics(server, admin):
    with case('/metrics: what is wrong would be seen'):
        for name, text, part in WRONG:
            complaints = list(exposition(text))
            assert any(part in complaint for complaint in complaints), (name, complaints)
        good = HEAD + 'a_bucket{le="1"} 0\na_bucket{le="+Inf"} 1\na_sum 1.5\na_count 1\n'
        assert not list(exposition(good)), list(exposition(good))
    with case('/metrics is what Prometheus reads'):
        assert server.http.post('/desks/BookDesk', desks.book(900, 'M1')).status == 201
        reply = server.http.get('/metrics', bearer(admin))
        assert reply.headers['content-type'].startswith('text/plain; version=0.0.4'), reply.headers
        complaints = list(exposition(reply.text))
        assert not complaints, '\n'.join(complaints)
        assert 'sluice_turn_seconds_count' in reply.text


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
        metrics(server, admin)
        dashboard(server, admin)
        schemathesis(server, admin)
        with case('the server still runs, and stops when told'):
            assert server.http.post('/admin/shutdown', b'', bearer(admin)).status == 202
            assert server.child.wait() == 0, server.child.output()
    lib.done()


main()
