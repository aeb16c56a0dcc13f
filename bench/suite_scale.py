"""Large: a log of millions of events, as many accounts, as many command ids, in bounded memory.

What they say is how much memory and time these things take when they are many; nobody is beside
them. `server` is the whole server, with network and views; the other programs stand in this folder
and use the server's own parts.
"""
import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time

import machine
import servers
import suite_slice
from servers import lib
from table import Row

OPEN_LIMIT_MS = 1000
ACCOUNT_MEMORY_MIB = 64
ID_MEMORY_MIB = 40
BATCH = '2048'
SEGMENT_MEMORY = str(4 << 20)  # of the index: small, so that millions make a thousand segments
SERVER_MEMORY_MIB = 256
CLIENTS = 3
ITEMS, TRANSFERS = 1000, 100  # of a request


class World(suite_slice.World):
    def tool(self, name):
        """Builds a program of bench/ beside the server, as that was built."""
        build = os.path.dirname(os.path.dirname(os.path.dirname(self.program)))
        subprocess.run(['ninja', '-C', build, f'bench/{name}'], check=True,
                       stdout=subprocess.DEVNULL)
        return os.path.join(build, 'bench', name)

    def room(self, name):
        path = os.path.join(self.folder, name)
        os.makedirs(path, exist_ok=True)
        return path

    def count_of(self):
        return round(self.options.millions * 1e6)


def forget_cached():
    """Nothing read before helps a cold start; only root may ask for that."""
    os.sync()
    try:
        with open('/proc/sys/vm/drop_caches', 'w', encoding='ascii') as file:
            file.write('3')
        return True
    except OSError:
        return False


def measure_log(world):
    tool, folder = world.tool('bench_log_open'), os.path.join(world.room('log'), 'log')
    count = world.count_of()
    world.settle()
    filled = json.loads(suite_slice.said([tool, 'fill', folder, str(count), BATCH]))
    rested = json.loads(suite_slice.said([tool, 'rest', folder]))
    cold = forget_cached()
    lines = suite_slice.said([tool, 'use', folder]).strip().split('\n')
    used = json.loads(lines[0])
    what = f'a log of {used["events"] / 1e6:,.0f} M events'
    mib = rested['disk_mib']
    add = world.rows.append
    add(Row(f'{what}: appended, {BATCH} a batch, each batch synced', '/s',
            [filled['events_a_second']], [], '', None, True))
    add(Row(f'{what}: on disk, sealed', 'MiB', [mib], [], '', None, False))
    add(Row(f'{what}: bytes an event on disk, outcome and index included', 'B',
            [mib * 1048576 / used['events']], [], '', None, False))
    add(Row(f'{what}: opened, ' + ('nothing cached' if cold else 'files not cached'), 'ms',
            [used['open_ms']], [OPEN_LIMIT_MS], 'a limit', 1, False))
    add(Row(f'{what}: memory after opening', 'MiB', [used['rss_mib']], [], '', None, False))
    for line in lines[1:]:
        read, took = re.fullmatch(r'(\{.*?\}) (\{.*\})', line).groups()
        read, took = json.loads(read), json.loads(took)
        add(Row(f'{what}: {read["read"]}, p50', 'µs', [took['p50_us']], [], '', None, False))
    add(Row(f'{what}: memory after these reads', 'MiB', [read['rss_mib']], [], '', None, False))
    world.notes.append(f'log: {rested["raw_segments"]} segments waited to be sealed when the last '
                       f'event was in, which took {rested["s"]:.1f} s more')


def measure_ids(world):
    tool, millions = world.tool('bench_ids'), max(1, round(world.options.millions))
    for kind in 'v7', 'random':
        world.settle()
        said = suite_slice.said([tool, world.room(f'ids-{kind}'), kind,
                                 str(millions), str(ID_MEMORY_MIB)])
        what = f'{millions} M command ids, {kind}, {ID_MEMORY_MIB} MiB'
        found = {
            'added': (r'added +(\d+) a second', '/s', True),
            'memory': (r'fences [\d.]+ MiB: ([\d.]+) bits', 'bits an id', False),
            'disk': (r'disk +([\d.]+) bytes', 'B an id', False),
        }
        for name, (pattern, unit, is_more) in found.items():
            match = re.search(pattern, said)  # few ids need no files
            if match:
                world.rows.append(Row(f'{what}: {name}', unit, [float(match.group(1))], [], '',
                                      None, is_more))


def measure_accounts(world):
    tool, count = world.tool('bench_many_accounts'), world.count_of()
    world.settle()
    said = suite_slice.said([tool, world.room('accounts'), str(count), str(ACCOUNT_MEMORY_MIB),
                             f'{world.options.seconds:g}'])
    what = f'{count / 1e6:g} M accounts, {ACCOUNT_MEMORY_MIB} MiB of states'
    for line in said.strip().split('\n'):
        match = re.match(r'(\w[\w ]*): \d+ in [\d.]+ s, (\d+)/s; resident (\d+) MiB \(peak (\d+)\)',
                         line)
        if match:
            name, rate, resident, peak = match.groups()
            world.rows.append(Row(f'{what}: {name}', '/s', [float(rate)], [], '', None, True))
            world.rows.append(Row(f'{what}: {name}: memory of the whole program, at most', 'MiB',
                                  [float(peak)], [], '', None, False))
            world.notes.append(f'accounts, {name}: {resident} MiB at the end')


# ---- Many segments ------------------------------------------------------------------------------

def use_log(tool, folder, **settings):
    """{read: {p50_us, …}}, of a log with nothing cached."""
    forget_cached()
    lines = suite_slice.said([tool, 'use', folder], settings=settings).strip().split('\n')
    found = {}
    for line in lines[1:]:
        read, took = re.fullmatch(r'(\{.*?\}) (\{.*\})', line).groups()
        found[json.loads(read)['read']] = json.loads(took)
    return found


def measure_segments(world):
    tool, folder = world.tool('bench_log_open'), os.path.join(world.room('segments'), 'log')
    memory = {'SLUICE_INDEX_MEMORY': SEGMENT_MEMORY}
    suite_slice.said([tool, 'fill', folder, str(world.count_of()), BATCH], settings=memory)
    rested = json.loads(suite_slice.said([tool, 'rest', folder], settings=memory))
    rounds = {'with': [], 'without': []}
    aside = world.room('aside')
    groups = [name for name in os.listdir(folder) if name.endswith('.group')]
    for number in range(world.options.rounds):
        for which in list(rounds) if number % 2 == 0 else list(rounds)[::-1]:
            world.settle()
            # Without sealing none are made while they are away.
            for name in groups if which == 'without' else []:
                os.rename(os.path.join(folder, name), os.path.join(aside, name))
            rounds[which].append(use_log(tool, folder, SLUICE_SEAL='no', **memory))
            for name in groups if which == 'without' else []:
                os.rename(os.path.join(aside, name), os.path.join(folder, name))
    for read in rounds['with'][0]:
        world.rows.append(Row(f'{rested["sealed"]:,} segments: {read}, p50 | without groups', 'µs',
                              [found[read]['p50_us'] for found in rounds['with']],
                              [found[read]['p50_us'] for found in rounds['without']],
                              'without groups', None, False))
    world.notes.append(f'segments: {world.count_of():,} events, {rested["sealed"]} sealed '
                       f'segments and {rested["groups"]} groups, {rested["disk_mib"]:,.0f} MiB; '
                       f'the index has {int(SEGMENT_MEMORY) >> 20} MiB of memory')


# ---- The whole server ---------------------------------------------------------------------------

def memory_mib(pid, what):
    """VmRSS, or VmHWM: the kernel's own mark of the most that there was."""
    status = machine.read(f'/proc/{pid}/status')
    return int(re.search(rf'{what}:\s*(\d+) kB', status).group(1)) / 1024


class Flood:
    """Arrays of commands from several connections at once, each item of which must be accepted.
    Those whose events are durable, but not in the view yet when the time for that is over (202),
    count, too: `late`."""

    def __init__(self, sluice, command, run, items, body_of, is_over):
        self.sluice, self.command, self.run, self.items = sluice, command, run, items
        self.body_of, self.is_over = body_of, is_over
        self.lock = threading.Lock()
        self.next, self.late, self.failed, self.ended = 0, 0, None, []

    def _client(self):
        http = lib.Http(self.sluice.port, timeout_s=300)
        while not self.failed:
            with self.lock:
                at = self.next
                if self.is_over(at):
                    return
                self.next += self.items
            body = '[' + ','.join(self.body_of(at + i) for i in range(self.items)) + ']'
            reply = http.post(f'/bank/{self.command}', body,
                              {'Content-Type': 'application/json',
                               'Idempotency-Key': f'{self.run}-{at}'})
            late = reply.body.count(b'"status":202')
            if reply.status != 200 or reply.body.count(b'"status":201') + late != self.items:
                self.failed = f'{self.command} {at}: {reply.status} {reply.body[:500]!r}'
            with self.lock:
                self.late += late
                self.ended.append(time.monotonic())

    def go(self):
        """Commands a second: in all, in the first tenth, in the last tenth."""
        begun = time.monotonic()
        clients = [threading.Thread(target=self._client) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        if self.failed:
            raise RuntimeError(self.failed)
        times, tenth = [begun] + self.ended, max(1, len(self.ended) // 10)
        return (len(self.ended) * self.items / (times[-1] - begun),
                tenth * self.items / (times[tenth] - begun),
                tenth * self.items / (times[-1] - times[-1 - tenth]))


def account_of(number):
    return (f'{{"id":"{number:012}","currency":"EUR","limit":{servers.LIMIT}}}')


def transfer_of(count):
    """A transfer between any two accounts."""
    debited = random.randrange(count)
    credited = (debited + random.randrange(1, count)) % count
    return (f'{{"from":"{debited:012}","to":"{credited:012}","amount":{random.randrange(1, 1000)},'
            f'"currency":"EUR"}}')


def read_balances(sluice, count, seconds):
    """Milliseconds of reads of random accounts, one after the other; all of them are there."""
    http, took, end = lib.Http(sluice.port), [], time.monotonic() + seconds
    while time.monotonic() < end:
        number = random.randrange(count)
        begun = time.monotonic()
        reply = http.get(f'/bank/balance/{number:012}')
        took.append((time.monotonic() - begun) * 1e3)
        if reply.status != 200:
            raise RuntimeError(f'account {number}: {reply!r}')
    http.close()
    return sorted(took)


def measure_server(world):
    count = max(ITEMS, world.count_of() // ITEMS * ITEMS)
    seconds = world.options.seconds
    sluice = world.start(servers.SmallSluice, world.program)
    world.settle()
    what, add = f'{count / 1e6:g} M accounts through the server', world.rows.append

    def memory(after):
        add(Row(f'{what}: memory, the most until {after}', 'MiB',
                [memory_mib(sluice.pid, 'VmHWM')], [SERVER_MEMORY_MIB], 'a limit', 1, False))

    opened = Flood(sluice, 'OpenAccount', world.new_run(), ITEMS, account_of,
                   lambda at: at >= count).go()
    memory('all were opened')
    if sluice.head() < count:
        raise RuntimeError(f'{count} accounts were opened, the log has {sluice.head()} events')
    for name, rate in zip(('', ', the first tenth', ', the last tenth'), opened):
        add(Row(f'{what}: opened{name}', '/s', [rate], [], '', None, True))
    took = read_balances(sluice, count, seconds)
    for name, part in ('p50', 0.5), ('p99', 0.99):
        add(Row(f'{what}: a balance of any, one at a time, {name}', 'ms',
                [took[int(part * len(took))]], [], '', None, False))
    end = time.monotonic() + seconds
    moves = Flood(sluice, 'Transfer', world.new_run(), TRANSFERS, lambda _: transfer_of(count),
                  lambda _: time.monotonic() > end)
    add(Row(f'{what}: transfers between any two', '/s', [moves.go()[0]], [], '', None, True))
    memory('transfers were made')
    sluice.stop()
    add(Row(f'{what}: start, until /readyz says yes', 'ms', [sluice.start() * 1e3], [], '', None,
            False))
    read_balances(sluice, count, min(seconds, 5))
    memory('read after the start')
    world.notes.append(f'server: {" ".join(sluice.config.split())}; {CLIENTS} connections, '
                       f'{ITEMS} accounts or {TRANSFERS} transfers a request; durable, ids '
                       f'remembered, all views kept; of {moves.next:,} transfers {moves.late:,} '
                       'were answered before their view had them (202)')


MEASUREMENTS = [
    ('log', 'a large log: appended, sealed, opened cold, read', measure_log),
    ('ids', 'many command ids: rate, memory, disk', measure_ids),
    ('accounts', 'more accounts than memory may hold', measure_accounts),
    ('segments', 'lookups in many segments, with and without groups', measure_segments),
    ('server', 'the whole server, with more accounts than memory may hold', measure_server),
]


def measure(options):
    """Runs what the options name. Returns the world, its rows and notes filled."""
    try:
        world = World(options)
    except servers.Missing as missing:
        sys.exit(f'bench/run: {missing}')
    for name, what, function in MEASUREMENTS:
        if options.only and name not in options.only:
            continue
        print(f'{name}: {what}', file=sys.stderr)
        try:
            function(world)
        finally:
            for server in world.running:
                server.stop()
            world.running = []
        for left in os.listdir(world.folder):
            path = os.path.join(world.folder, left)
            shutil.rmtree(path, ignore_errors=True) if os.path.isdir(path) else os.remove(path)
    return world
