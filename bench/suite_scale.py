"""Large: a log of millions of events, as many accounts, as many command ids, in bounded memory.

The programs stand in this folder and use the server's own parts, without network and views. Nobody
is beside them: what they say is how much memory and time these things take when they are many.
"""
import json
import os
import re
import shutil
import subprocess
import sys

import servers
import suite_slice
from table import Row

OPEN_LIMIT_MS = 1000
ACCOUNT_MEMORY_MIB = 64
ID_MEMORY_MIB = 40
BATCH = '2048'


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


MEASUREMENTS = [
    ('log', 'a large log: appended, sealed, opened cold, read', measure_log),
    ('ids', 'many command ids: rate, memory, disk', measure_ids),
    ('accounts', 'more accounts than memory may hold', measure_accounts),
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
        function(world)
        for left in os.listdir(world.folder):
            shutil.rmtree(os.path.join(world.folder, left), ignore_errors=True)
    return world
