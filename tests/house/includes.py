"""Who may include whom, as the design says: folders are layers, and an include is the only way in.

Files in quotes belong to the project and name their folder ("base/buf.h"); public headers stand in
angles (<sluice/domain.h>). Headers of the operating system and of libraries are allowed where the
outside world is met, nowhere else: what has no way to reach the clock or the disk can be simulated.
"""
import posixpath
import re
import sys

import house
import tap

CENTRE = {'base', 'record'}
WRITE_SIDE = CENTRE | {'contracts', 'model'}
FLOW = WRITE_SIDE | {'consumer'}
ENGINE = FLOW | {'command', 'view', 'process', 'relay', 'engine'}
EVERYTHING = None

MAY_INCLUDE = {
    'src/base': {'base'},
    'src/record': CENTRE,
    'src/contracts': CENTRE | {'contracts'},
    'src/auth': CENTRE | {'auth'},
    'src/model': WRITE_SIDE,
    'src/command': WRITE_SIDE | {'command'},
    'src/spec': WRITE_SIDE | {'command', 'spec'},
    'src/consumer': FLOW,
    'src/view': FLOW | {'view'},
    'src/process': FLOW | {'command', 'view', 'process'},  # it commands; its state is a view's rows
    'src/relay': FLOW | {'relay'},
    'src/engine': ENGINE,
    'src/net': {'base', 'net'},
    'src/api': ENGINE | {'auth', 'net', 'api', 'web'},
    'src/stores': CENTRE | {'contracts'},
    'src/client': CENTRE | {'client'},
    'src/embed': EVERYTHING,
    'src/server': EVERYTHING,
    'src/cli': EVERYTHING,
    'include': set(),
    'domains': set(),
    'examples': set(),
    'web': {'base', 'api', 'web'},
    'tests': EVERYTHING,
    'fuzz': EVERYTHING,
    'bench': EVERYTHING,
}

# The language's own library. <time.h> is missing on purpose: clocks come through base/env.
LANGUAGE = set('''assert ctype errno float inttypes iso646 limits locale math setjmp stdalign stdarg
    stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings wchar wctype'''.split())
OUTSIDE_WORLD = re.compile(r'^(src/(base/env_posix|net/|stores/|server/|cli/|client/|embed/)|'
                           r'tests/|fuzz/|bench/)')
# Libraries and system headers with a home of their own. Locks and waiting live in the queue (T1).
HOMES = {
    'pthread.h': r'^src/(base/(env_posix|queue)|stores/|server/|cli/|embed/)',
    'xxhash.h': r'^src/(base|auth)/',
    'simdjson.h': r'^src/record/',
    # A domain reads no clock, but an import on the command line may say how long it took.
    'time.h': r'^src/(base/(env_posix|queue)|net/|stores/|server/|cli/|client/|embed/)'
              r'|^domains/[a-z]+/import\.c$',
    'sys/mman.h': r'^src/(base/(env_posix|table)|stores/)',
    'openssl/sha.h': r'^domains/bank/chain\.c$',  # a hash is a function of its arguments
    'unistd.h': OUTSIDE_WORLD.pattern + r'|^src/api/(admin|numbers)\.c$',  # which process this is
    'sanitizer/asan_interface.h': r'^src/base/',
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^">]+)[">]', re.MULTILINE)


def room_of(path):
    """The entry of MAY_INCLUDE that a file belongs to."""
    for room in MAY_INCLUDE:
        if path.startswith(room + '/'):
            return room
    return None


def rule(files):
    for path, text in files:
        room = room_of(path)
        for match in INCLUDE.finditer(text):
            line = text.count('\n', 0, match.start()) + 1
            style, name = match.groups()
            if room is None:
                complaint = f'{posixpath.dirname(path)} is no folder that the include rule knows'
            elif style == '<':
                complaint = angles(path, name)
            else:
                complaint = quotes(path, room, name)
            if complaint:
                yield f'{path}:{line}: {complaint}'


def is_trial(path):
    """Tests and benches stand beside the code they try, and may put it on a real store."""
    return path.endswith('_test.c') or posixpath.basename(path).startswith('bench')


def angles(path, name):
    if name.startswith('sluice/'):
        return None
    if name in HOMES:
        is_home = re.match(HOMES[name], path) or path.startswith(('tests/', 'fuzz/', 'bench/'))
        return None if is_home or is_trial(path) else f'<{name}> does not belong here'
    if path.endswith(('.cc', '_seam.h')) and '.' not in name:
        return None  # the C++ library, behind a seam of C
    base, _, ending = name.rpartition('.')
    if ending == 'h' and base in LANGUAGE:
        return None
    if OUTSIDE_WORLD.match(path) or (is_trial(path) and path.startswith('src/')):
        return None
    return f'<{name}>: the operating system and libraries are met in base/env_posix, net, ' \
           'stores, server, cli, client and embed only'


def quotes(path, room, name):
    allowed = MAY_INCLUDE[room]
    top = name.split('/')[0]
    is_test = is_trial(path)
    if '..' in name:
        return f'"{name}" climbs out of its folder'
    if name == 'tap/tap.h':
        is_at_home = is_test or room in ('tests', 'fuzz', 'bench')
        return None if is_at_home else f'"{name}" outside a test'
    if room in ('domains', 'examples'):
        parts = path.split('/')
        is_own = '/' not in name or name.startswith(posixpath.dirname(path) + '/') or \
            (len(parts) > 2 and name.startswith(f'{parts[1]}/'))
        if is_own or (is_test and top == 'tests'):
            return None
        return f'"{name}": {room} include <sluice/…> and files of their own folder only'
    if room == 'include':
        return f'"{name}": public headers include <sluice/…> only'
    if allowed is EVERYTHING:
        return None
    if '/' not in name:
        return f'"{name}" does not say its folder'
    if room == 'src/stores':
        own = '/'.join(path.split('/')[1:3])
        allowed = allowed | {own}
        top = '/'.join(name.split('/')[:2]) if top == 'stores' else top
    if top in allowed or (is_test and top in ('tests', 'conformance', 'domains', 'stores')):
        return None
    return f'"{name}": {room} may include {", ".join(sorted(allowed))} only'


SAMPLES = [
    ('what the layers allow', {
        'src/record/a.c': '#include "base/buf.h"\n#include <sluice/record.h>\n',
        'src/record/b.c': '#include <string.h>\n',
        'src/stores/log/a.c': '#include "stores/log/b.h"\n#include "contracts/event_store.h"\n',
        'src/stores/log/b.c': '#include <fcntl.h>\n',
        'src/base/buf_test.c': '#include "tap/tap.h"\n',
        'domains/bank/a.c': '#include <sluice/domain.h>\n#include "rules.h"\n',
        'src/server/main.c': '#include "stores/log/log.h"\n#include "api/route.h"\n'}, []),
    *((name, {path: f'#include {what}\n'}, [complaint]) for name, path, what, complaint in (
        ('upwards', 'src/base/a.c', '"record/value.h"', 'src/base/a.c:1: "record/value.h"'),
        ('sideways', 'src/net/a.c', '"record/value.h"', 'src/net may include base, net only'),
        ('the api names no store', 'src/api/a.c', '"stores/log/log.h"', '"stores/log/log.h"'),
        ('one store reads another', 'src/stores/log/a.c', '"stores/sqlite/db.h"', '"stores/sql'),
        ('a domain looks inside', 'domains/bank/a.c', '"base/buf.h"', 'domains include <sluice/'),
        ('a domain reads the clock', 'domains/bank/a.c', '<time.h>', '<time.h>'),
        ('a public header looks inside', 'include/sluice/a.h', '"base/buf.h"', 'public headers'),
        ('the disk past the environment', 'src/view/a.c', '<fcntl.h>', '<fcntl.h>'),
        ('a lock outside the queue', 'src/net/a.c', '<pthread.h>', '<pthread.h> does not belong'),
        ('a test header in the server', 'src/api/a.c', '"tap/tap.h"', 'outside a test'),
        ('a climb', 'src/api/a.c', '"../base/buf.h"', 'climbs'),
        ('a folder left out', 'src/api/a.c', '"route.h"', 'does not say its folder'),
        ('a new folder', 'src/magic/a.c', '<stdio.h>', 'no folder'))),
]

house.prove(rule, SAMPLES)
house.judge('the project keeps the include rule', rule(house.sources('.c', '.h', '.cc')))
sys.exit(tap.done())
