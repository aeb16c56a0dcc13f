"""How long a lookup takes while others ask for much: long lists, aggregates, searches, rebuilds.

One client looks balances up over RESP, one after the other, while nobody else is there, and then
while another client keeps the server at one kind of long work. The goal is that the work adds at
most 2 ms to all but one lookup of a thousand; the histogram says what became of each.

A lookup waits for the processor, too, and where other programs run, mostly for that. What it waits
for in the server is a turn of the engine's thread: how long those were, the server counts itself.
"""
import os
import re
import statistics
import subprocess
import sys
import threading
import uuid

import servers
import suite_slice
from servers import lib
from table import Row

ACCOUNTS = 10000
TRANSACTIONS = 45000
BOOKINGS = 20000
MORE_US = 2000
FIRST_BUCKET_US = 32
FIGURES = ('p50_us', 'p50'), ('p99_us', 'p99'), ('p999_us', 'p99.9'), ('most_us', 'the longest')
GZIP = {'Accept-Encoding': 'gzip'}


class DesksSluice(servers.Sluice):
    """With a domain whose view can be searched, of the tests: a shared object beside the server."""

    def __init__(self, program, folder):
        module = os.path.join(os.path.dirname(program), '..', '..', 'tests', 'integration',
                              'desks.so')
        self.has_search = os.access(module, os.R_OK)
        if self.has_search:
            path = os.path.join(folder, 'sluice.conf')
            with open(path, 'w', encoding='utf-8') as file:
                file.write(f'[domain desks]\nmodule = {os.path.abspath(module)}\n')
            self.arguments = ('--config', path)
        super().__init__(program, folder)

    def book(self, count):
        http = lib.Http(self.port)
        for at in range(0, count, 1000):
            items = [{'id': str(uuid.uuid4()), 'desk': f'D{number}', 'day': '2026-11-23',
                      'who': f'Person {number % 97} of the {number % 7} th floor'}
                     for number in range(at, at + 1000)]
            reply = http.post('/desks/BookDesk', items)
            if reply.status != 200 or any(item['status'] != 201 for item in reply.json):
                raise RuntimeError(f'BookDesk: {reply!r}')
        http.close()

    def rebuild(self):
        suite_slice.said([self.program, 'view', 'rebuild', 'bank/balance', '--data', self.data])


class Work:
    """Does one thing again and again, until it is told to stop; counts how often."""

    def __init__(self, server, what, headers):
        self.server, self.what, self.headers = server, what, headers
        self.stops, self.count, self.wrong = threading.Event(), 0, None
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        http = lib.Http(self.server.port)
        try:
            while not self.stops.is_set():
                if callable(self.what):
                    self.what()
                else:
                    reply = http.get(self.what, self.headers)
                    if reply.status != 200:
                        raise RuntimeError(f'{self.what}: {reply!r}')
                self.count += 1
        except Exception as error:  # told by the measurement's own thread
            self.wrong = error
        finally:
            http.close()

    def __enter__(self):
        if self.what:
            self.thread.start()
        return self

    def __exit__(self, *exception):
        self.stops.set()
        if self.what:
            self.thread.join()
        if self.wrong:
            raise self.wrong


def turns_of(server):
    """How many turns took at most so many microseconds, {limit: count}, since the server began."""
    http = lib.Http(server.port)
    text = http.get('/metrics').body.decode()
    http.close()
    found = re.findall(r'^sluice_turn_seconds_bucket{le="([\d.]+)"} (\d+)$', text, re.MULTILINE)
    below, counts = 0, {}
    for limit, count in found:
        counts[round(float(limit) * 1e6)] = int(count) - below
        below = int(count)
    return counts


def look_up(world, server, work, seen):
    """Lookups while the work is done; what the buckets say, and the turns, is added to `seen`."""
    before = turns_of(server)
    with Work(server, *work) as working:
        text = suite_slice.said([world.compile('lookups'), str(server.resp_port),
                                 f'{world.options.seconds:g}', str(ACCOUNTS)])
    found = suite_slice.must_not_fail(suite_slice.last_json(text), 'lookups')
    if work[0] and not working.count:
        raise RuntimeError('nothing was done meanwhile')
    turns = {limit: count - before[limit] for limit, count in turns_of(server).items()}
    seen.append((found.pop('buckets'), turns))
    return {**found, 'done': working.count}


def tell(seen):
    """Of all rounds: of a hundred thousand lookups, how many took how long; and the turns."""
    sums = [sum(counts) for counts in zip(*(buckets for buckets, _ in seen))]
    parts = []
    for i, count in enumerate(sums):
        is_last = i + 1 == len(sums)
        limit = FIRST_BUCKET_US << (i - 1 if is_last else i)
        if count:
            parts.append(f'{">" if is_last else "≤"} {limit:,} µs: {count * 1e5 / sum(sums):,.0f}')
    return ', '.join(parts)


def tell_turns(seen):
    """The longest turns of all rounds, and how many turns there were."""
    sums = {}
    for _, turns in seen:
        for limit, count in turns.items():
            sums[limit] = sums.get(limit, 0) + count
    longest = max((limit for limit, count in sums.items() if count), default=0)
    parts = [f'{count:,} of at most {limit:,} µs' for limit, count in sorted(sums.items())
             if count and limit > 512]
    return f'{sum(sums.values()):,} turns, none longer than {longest:,} µs' + \
        (f' ({", ".join(parts)})' if parts else '')


def works_of(world, server):
    """What is done beside the lookups: {name: (an address or a function, headers)}."""
    works = {'alone': (None, {}),
             'a list of 1,000 rows': ('/bank/balance?limit=1000', {}),
             'a list of 1,000 rows, packed': ('/bank/balance?limit=1000', GZIP),
             'a page of 1,000 events': ('/bank/events?limit=1000', {}),
             f'an aggregate of {ACCOUNTS:,} rows':
                 ('/bank/balance?aggregate=count,sum(balance)', {}),
             f'a rebuild from {TRANSACTIONS:,} transfers': (server.rebuild, {})}
    if server.has_search:
        server.book(BOOKINGS)
        works[f'a search among {BOOKINGS:,} rows'] = ('/desks/bookings?q=floor&limit=1000', {})
    else:
        world.notes.append('searches were left out: the tests are not built')
    return works


def measure_lookups(world):
    server = world.start(DesksSluice, world.program)
    server.open_accounts(ACCOUNTS)
    server.many('Transfer', suite_slice.transactions(TRANSACTIONS), world.new_run())
    works = works_of(world, server)
    seen = {name: [] for name in works}
    found = world.in_turns([
        (name, server, lambda name=name: look_up(world, server, works[name], seen[name]))
        for name in works])
    alone = {key: suite_slice.column(found['alone'], key) for key, _ in FIGURES}
    for name, rounds in found.items():
        beside = '' if name == 'alone' else f' beside {name}, again and again'
        more = []
        for key, what in FIGURES:
            values = suite_slice.column(rounds, key)
            is_goal = beside and key == 'p999_us'
            limits = [value + MORE_US for value in alone[key]] if is_goal else []
            world.rows.append(Row(f'a lookup{beside}, {what}', 'µs', values, limits,
                                  'alone and 2 ms' if limits else '', 1 if limits else None, False))
            difference = statistics.median(values) - statistics.median(alone[key])
            more.append(f'{what} {difference:+,.0f} µs')
        world.notes.append(f'of 100,000 lookups{beside or " alone"}: {tell(seen[name])}')
        if beside:
            world.notes.append(f'a lookup{beside}, against alone: {", ".join(more)}')
        world.notes.append(f'the engine\'s thread{beside or " alone"}: {tell_turns(seen[name])}')


MEASUREMENTS = [
    ('lookups', 'balances by RESP, alone and beside lists, aggregates, rebuilds, searches',
     measure_lookups),
]


def measure(options):
    """Runs it. Returns the world, its rows and notes filled."""
    try:
        world = suite_slice.World(options)
    except servers.Missing as missing:
        sys.exit(f'bench/run: {missing}')
    try:
        measure_lookups(world)
    finally:
        for server in world.running:
            server.stop()
        world.running = []
    return world
