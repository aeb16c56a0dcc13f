"""The first slice: the bank over HTTP and RESP, beside PostgreSQL, Redis and the bare disk.

A measurement runs its sides in turns, `rounds` times, the first side changing from round to round;
between turns it waits until both servers have nothing left to do, so that nobody pays for the
other's flush or vacuum.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time

import machine
import servers
from servers import lib
from table import Row

ACCOUNTS = 10000
CONNECTIONS = 64
RESP_CONNECTIONS = 50
TRANSACTIONS = 100000
IDLE_S = 10
SETTLE_S = 20


class World:
    """One run: its options, its folder, its helpers, its servers, what was found."""

    def __init__(self, options):
        self.options = options
        self.program = os.path.abspath(options.server or
                                       os.path.join(machine.TOP, 'build/src/server/sluice'))
        if not os.access(self.program, os.X_OK):
            raise servers.Missing(f'there is no server at {self.program}: build it by '
                                  './run --check, or name one by --server')
        self.folder = lib.temp_folder() if not options.folder else _under(options.folder)
        if machine.mount_of(self.folder)[0] in ('tmpfs', 'ramfs'):
            raise servers.Missing('the temporary folder is in memory, where nothing is durable: '
                                  'name one on a disk by --folder')
        os.chmod(self.folder, 0o711)  # PostgreSQL runs as another user and must pass through
        self.others = machine.Others()
        self.commit = machine.commit()  # others may commit while this runs
        self.run = f'{int(time.time()):x}'
        self.count = 0
        self.running = []
        self.rows = []
        self.notes = []

    def compile(self, name):
        out = os.path.join(self.folder, name)
        if not os.path.exists(out):
            subprocess.run(['cc', '-std=c17', '-D_GNU_SOURCE', '-O2', '-o', out,
                            os.path.join(machine.HERE, name + '.c')], check=True)
        return out

    def start(self, kind, *arguments):
        server = kind(*arguments, self.folder)
        self.running.append(server)
        return server

    def new_run(self):
        """A word that no command id of this or another run begins with."""
        self.count += 1
        return f'{self.run}x{self.count}'

    def pids(self):
        return [server.pid for server in self.running]

    def rest(self):
        """Waits until our servers have used no processor time for half a second."""
        end = time.monotonic() + SETTLE_S
        while time.monotonic() < end:
            before = [machine.cpu_s(pid) for pid in self.pids()]
            time.sleep(0.5)
            if all(machine.cpu_s(pid) - was < 0.02 for pid, was in zip(self.pids(), before)):
                return
        self.say(f'the servers did not come to rest within {SETTLE_S} s')

    def settle(self):
        """Rests, and looks who else is there."""
        self.rest()
        self.others.sample(self.pids())

    def in_turns(self, sides):
        """sides: [(name, server or None, function)]; returns {name: [a result a round]}. A server's
        processor time is divided by what its side counted; work after the last answer (flushes,
        vacuum) is in it."""
        found = {name: [] for name, _, _ in sides}
        for number in range(self.options.rounds):
            for name, server, measure in sides if number % 2 == 0 else sides[::-1]:
                self.settle()
                before = machine.cpu_s(server.pid) if server else 0
                result = measure()
                if server:
                    self.rest()
                    spent = machine.cpu_s(server.pid) - before
                    result['cpu_us'] = spent / result['count'] * 1e6
                found[name].append(result)
                self.say(f'round {number + 1} {name}: ' +
                         ', '.join(f'{key} {value:,.2f}' for key, value in result.items()))
        return found

    @staticmethod
    def say(text):
        print(f'    {text}', file=sys.stderr)


def _under(folder):
    path = os.path.join(os.path.abspath(folder), f'sluice-bench-{os.getpid()}')
    os.makedirs(path)
    lib.folders.append(path)
    return path


def said(command, cwd='/', settings=None):
    result = subprocess.run(command, cwd=cwd, env={**os.environ, **(settings or {})},
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, check=False)
    text = result.stdout.decode('utf-8', 'replace')
    if result.returncode:
        raise RuntimeError(f'{command[0]}:\n{text}')
    return text


def last_json(text):
    return json.loads(text.strip().rpartition('\n')[2])


def must_not_fail(found, what):
    if found['failed']:
        raise RuntimeError(f'{what}: {found["failed"]} of {found["count"]} failed')
    return found


def column(results, name):
    return [result[name] for result in results]


# ---- Durable transfers beside pgbench -----------------------------------------------------------

def wrk(world, sluice, seconds):
    """Transfers per second, and percentiles; the log must have grown by at least as many events."""
    before = sluice.head()
    text = said([servers.find('wrk', 'wrk'), '-t1', f'-c{CONNECTIONS}', f'-d{seconds:g}s',
                 '--latency', '-s', os.path.join(machine.HERE, 'transfer.lua'),
                 f'http://127.0.0.1:{sluice.port}', '--', world.new_run(), str(ACCOUNTS)])
    found = must_not_fail(last_json(text), 'transfers')
    grown = sluice.head() - before
    if not found['count'] <= grown <= found['count'] + CONNECTIONS:
        raise RuntimeError(f'{found["count"]} transfers were answered, the log grew by {grown}')
    return {'count': found['count'], 'per_s': found['count'] / found['us'] * 1e6,
            'p50_ms': found['p50_us'] / 1e3, 'p99_ms': found['p99_us'] / 1e3}


def pgbench(postgres, seconds, *mode):
    text = postgres.client('pgbench', '-n', '-c', '8', '-j', '2', '-T', f'{max(1, round(seconds))}',
                           *mode, 'postgres')
    failed = re.search(r'number of failed transactions: (\d+)', text)
    if failed and failed.group(1) != '0':
        raise RuntimeError(text)
    latency = float(re.search(r'latency average = ([\d.]+) ms', text).group(1))
    done = int(re.search(r'actually processed: (\d+)', text).group(1))
    return {'count': done, 'per_s': float(re.search(r'tps = ([\d.]+)', text).group(1)),
            'mean_ms': latency}


def measure_transfers(world):
    seconds = world.options.seconds
    sluice = world.start(servers.Sluice, world.program)
    postgres = world.start(servers.Postgres)
    sluice.open_accounts(ACCOUNTS)
    wrk(world, sluice, min(2, seconds))
    pgbench(postgres, min(2, seconds))
    found = world.in_turns([
        ('sluice', sluice, lambda: wrk(world, sluice, seconds)),
        ('simple', postgres, lambda: pgbench(postgres, seconds)),
        ('prepared', postgres, lambda: pgbench(postgres, seconds, '-M', 'prepared')),
    ])
    mine = column(found['sluice'], 'per_s')
    world.rows += [
        Row('durable transfers, HTTP, 64 connections | pgbench TPC-B, 8 clients', '/s', mine,
            column(found['simple'], 'per_s'), 'PostgreSQL', 8, True),
        Row('the same | pgbench with prepared statements', '/s', mine,
            column(found['prepared'], 'per_s'), 'PostgreSQL', None, True),
        Row('a transfer among 64, p50 | a TPC-B transaction among 8, mean', 'ms',
            column(found['sluice'], 'p50_ms'), column(found['simple'], 'mean_ms'), 'PostgreSQL',
            None, False),
        Row('processor time of the server: a transfer | a TPC-B transaction', 'µs',
            column(found['sluice'], 'cpu_us'), column(found['simple'], 'cpu_us'), 'PostgreSQL',
            None, False),
        Row('a transfer among 64, p99', 'ms', column(found['sluice'], 'p99_ms'), None, '', None,
            False),
    ]
    world.notes.append(f'after the transfers the log has {sluice.head():,} events')


# ---- Lookups beside Redis -----------------------------------------------------------------------

def resp_bench(port, pipeline, count):
    """Replies per second, by redis-benchmark's own clock."""
    text = said([servers.find('redis-benchmark', 'redis-tools'), '-h', '127.0.0.1', '-p', str(port),
                 '-c', str(RESP_CONNECTIONS), '-P', str(pipeline), '-n', str(count), '-r',
                 str(ACCOUNTS), '--csv', '-e', 'GET', 'bank:balance:__rand_int__'])
    if 'Error' in text:
        raise RuntimeError(text)
    words = [word.strip('"') for word in text.strip().rpartition('\n')[2].split('","')]
    return {'count': count, 'per_s': float(words[1]), 'p50_ms': float(words[4]),
            'p99_ms': float(words[6])}


def copy_rows(sluice, redis):
    """The same keys and the same bytes for both; returns the size of a row."""
    mine, theirs = lib.Resp(sluice.resp_port), lib.Resp(redis.port)
    for number in range(ACCOUNTS):
        key = f'bank:balance:{number:012}'
        row = mine.call('GET', key)
        if not row or json.loads(row)['id'] != f'{number:012}':
            raise RuntimeError(f'{key}: {row!r}')
        theirs.call('SET', key, row)
    mine.close()
    theirs.close()
    return len(row)


def measure_lookups(world):
    seconds = world.options.seconds
    sluice = world.start(servers.Sluice, world.program)
    redis = world.start(servers.Redis)
    sluice.open_accounts(ACCOUNTS)
    wrk(world, sluice, 1)
    size = copy_rows(sluice, redis)
    for pipeline, goal in (1, 0.9), (16, 1.0):
        counts = {}
        for server, port in (sluice, sluice.resp_port), (redis, redis.port):
            rate = resp_bench(port, pipeline, 50000 * pipeline)['per_s']
            counts[server.name] = int(rate * seconds)
        found = world.in_turns([
            ('sluice', sluice, lambda: resp_bench(sluice.resp_port, pipeline, counts['Sluice'])),
            ('redis', redis, lambda: resp_bench(redis.port, pipeline, counts['Redis'])),
        ])
        for what, unit, name, aim, is_more_better in (
                (f'lookups of {size} B by RESP, 50 connections, pipeline {pipeline}', '/s',
                 'per_s', goal, True),
                (f'a lookup, pipeline {pipeline}, p99', 'ms', 'p99_ms', None, False),
                (f'processor time of the server: a lookup, pipeline {pipeline}', 'µs', 'cpu_us',
                 None, False)):
            world.rows.append(Row(what, unit, column(found['sluice'], name),
                                  column(found['redis'], name), 'Redis', aim, is_more_better))


# ---- One command beside one bare write ----------------------------------------------------------

def measure_one(world):
    seconds = f'{world.options.seconds:g}'
    one, bare = world.compile('one_command'), world.compile('bare_sync')
    sluice = world.start(servers.Sluice, world.program)
    nothing = world.start(servers.Bare, world.compile('bare_server'))
    sluice.open_accounts(ACCOUNTS)

    def command(server):
        return must_not_fail(last_json(said([one, str(server.port), seconds, str(ACCOUNTS),
                                             world.new_run()])), 'one command at a time')

    def write():
        return last_json(said([bare, world.folder, seconds]))

    found = world.in_turns([('sluice', sluice, lambda: command(sluice)), ('bare', None, write),
                            ('nothing', nothing, lambda: command(nothing))])
    for percentile, goal in ('p50_us', 2), ('p99_us', None):
        world.rows.append(Row(f'one durable command on one connection, {percentile[:3]} | '
                              'one bare synced 4 KiB write', 'µs',
                              column(found['sluice'], percentile),
                              column(found['bare'], percentile), 'disk', goal, False))
    world.rows.append(Row('the same, p50 | a server that only writes 4 KiB and answers', 'µs',
                          column(found['sluice'], 'p50_us'), column(found['nothing'], 'p50_us'),
                          'epoll', None, False))


# ---- Nothing happens ----------------------------------------------------------------------------

def idle(world, sides):
    """[(wake-ups in IDLE_S, MiB)] of each server, all in the same stretch of time."""
    world.settle()
    time.sleep(2)
    before = [machine.switches(server.pid) for server in sides]
    time.sleep(IDLE_S)
    found = [(machine.switches(server.pid) - was, machine.memory_mib(server.pid))
             for server, was in zip(sides, before)]
    world.say(', '.join(f'{server.name}: {woken} wake-ups, {mib:.1f} MiB'
                        for server, (woken, mib) in zip(sides, found)))
    return found


def measure_idle(world):
    seconds = world.options.seconds
    sluice = world.start(servers.Sluice, world.program)
    redis = world.start(servers.Redis)
    postgres = world.start(servers.Postgres)
    sides = [sluice, redis, postgres]
    fresh = idle(world, sides)
    sluice.open_accounts(ACCOUNTS)
    wrk(world, sluice, seconds)
    pgbench(postgres, seconds)
    copy_rows(sluice, redis)
    loaded = idle(world, sides)
    for when, found in ('after the start', fresh), ('after the load', loaded):
        for peer, at in ('Redis', 1), ('PostgreSQL', 2):
            world.rows.append(Row(f'idle, {when}: wake-ups in {IDLE_S} s', '', [found[0][0]],
                                  [found[at][0]], peer, None, False))
            world.rows.append(Row(f'idle, {when}: resident memory', 'MiB', [found[0][1]],
                                  [found[at][1]], peer, None, False))
    world.notes.append(f'idle after a load of {seconds:g} s: {sluice.head():,} events in the log')


# ---- The second start ---------------------------------------------------------------------------

def transactions(count):
    pairs = ((i * 7919 % ACCOUNTS, (i * 7919 + 1 + i % 97) % ACCOUNTS) for i in range(count))
    return [{'from': f'{debited:012}', 'to': f'{credited:012}', 'amount': 100 + credited % 900,
             'currency': 'EUR'} for debited, credited in pairs]


def measure_start(world):
    sluice = world.start(servers.Sluice, world.program)
    sluice.open_accounts(ACCOUNTS)
    sluice.many('Transfer', transactions(TRANSACTIONS), world.new_run())
    expected = sluice.head()
    found = {'stop': [], 'kill': []}
    for _ in range(world.options.rounds):
        for how in found:
            world.settle()
            getattr(sluice, how)()
            found[how].append(sluice.start() * 1e3)
            if sluice.head() != expected:
                raise RuntimeError(f'{expected} events before, {sluice.head()} after the start')
    for how, name in ('stop', 'an orderly stop'), ('kill', 'kill -9'):
        world.rows.append(Row(f'start with {TRANSACTIONS:,} transactions in the log, after {name}, '
                              'until /readyz says yes', 'ms', found[how], [300], 'a limit', 1,
                              False))


MEASUREMENTS = [
    ('transfers', 'durable transfers by HTTP | pgbench TPC-B', measure_transfers),
    ('lookups', 'balances by RESP, pipeline 1 and 16 | redis-server', measure_lookups),
    ('one', 'one command at a time | one bare synced write', measure_one),
    ('idle', 'wake-ups and memory, fresh and after load | redis-server, PostgreSQL', measure_idle),
    ('start', f'second start with {TRANSACTIONS:,} transactions | 300 ms', measure_start),
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
        except servers.Missing as missing:
            world.notes.append(f'{name} was left out: {missing}')
        finally:
            for server in world.running:
                server.stop() if hasattr(server, 'stop') else server.child.kill()
            world.running = []
            for left in 'sluice', 'postgres':
                shutil.rmtree(os.path.join(world.folder, left), ignore_errors=True)
    return world
