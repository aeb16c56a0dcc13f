"""How long a lookup takes while others ask for much: long lists, aggregates, searches, rebuilds.

One client looks balances up over RESP, one after the other, while nobody else is there, and then
while another client keeps the server at one kind of long work. The goal is that the work adds at
most 2 ms to all but one lookup of a thousand; the histogram says what became of each.
"""
import os
import subprocess
import sys
import threading
import uuid

import servers
import suite_slice
from servers import lib
from table import Row

ACCOUNTS = 10000
TRANSACTIONS = 45000  # two rows each: an aggregate looks at 100,000 at most
BOOKINGS = 20000
MORE_US = 2000
FIRST_BUCKET_US = 32


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
        suite_slice.said([self.program, 'view', 'rebuild', 'bank/statement', '--data', self.data])


class Work:
    """Does one thing again and again, until it is told to stop; counts how often."""

    def __init__(self, server, what):
        self.server, self.what = server, what
        self.stops, self.count, self.wrong = threading.Event(), 0, None
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        http = lib.Http(self.server.port)
        try:
            while not self.stops.is_set():
                if callable(self.what):
                    self.what()
                else:
                    reply = http.get(self.what)
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


def look_up(world, server, what, histograms):
    """Lookups while the work is done; what the buckets say is added to `histograms`."""
    with Work(server, what) as work:
        text = suite_slice.said([world.compile('lookups'), str(server.resp_port),
                                 f'{world.options.seconds:g}', str(ACCOUNTS)])
    found = suite_slice.must_not_fail(suite_slice.last_json(text), 'lookups')
    if what and not work.count:
        raise RuntimeError('nothing was done meanwhile')
    histograms.append(found.pop('buckets'))
    return {**found, 'done': work.count}


def tell(histograms):
    """Of all rounds: of a hundred thousand lookups, how many took how long."""
    sums = [sum(counts) for counts in zip(*histograms)]
    parts = []
    for i, count in enumerate(sums):
        is_last = i + 1 == len(sums)
        limit = FIRST_BUCKET_US << (i - 1 if is_last else i)
        if count:
            parts.append(f'{">" if is_last else "≤"} {limit:,} µs: {count * 1e5 / sum(sums):,.0f}')
    return ', '.join(parts)


def measure_lookups(world):
    server = world.start(DesksSluice, world.program)
    server.open_accounts(ACCOUNTS)
    server.many('Transfer', suite_slice.transactions(TRANSACTIONS), world.new_run())
    works = {'alone': None,
             'a list of 1,000 rows': '/bank/statement?limit=1000',
             f'an aggregate of {2 * TRANSACTIONS:,} rows':
                 '/bank/statement?aggregate=count,sum(amount)',
             f'a rebuild of {2 * TRANSACTIONS:,} rows': server.rebuild}
    if server.has_search:
        server.book(BOOKINGS)
        works[f'a search among {BOOKINGS:,} rows'] = '/desks/bookings?q=floor&limit=1000'
    else:
        world.notes.append('searches were left out: the tests are not built')
    histograms = {name: [] for name in works}
    found = world.in_turns([
        (name, server, lambda name=name: look_up(world, server, works[name], histograms[name]))
        for name in works])
    alone = suite_slice.column(found['alone'], 'p999_us')
    for name, rounds in found.items():
        beside = '' if name == 'alone' else f' beside {name}, again and again'
        for key, what in ('p50_us', 'p50'), ('p99_us', 'p99'), ('most_us', 'the longest'):
            world.rows.append(Row(f'a lookup{beside}, {what}', 'µs',
                                  suite_slice.column(rounds, key), [], '', None, False))
        values = suite_slice.column(rounds, 'p999_us')
        limits = [value + MORE_US for value in alone] if name != 'alone' else []
        world.rows.append(Row(f'a lookup{beside}, p99.9', 'µs', values, limits,
                              'alone and 2 ms' if limits else '', 1 if limits else None, False))
        world.notes.append(f'of 100,000 lookups{beside or " alone"}: {tell(histograms[name])}')


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
