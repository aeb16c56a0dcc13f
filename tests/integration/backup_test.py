"""Backup and restore with real servers: under load, killed, restored; two logs that call each
other; positions of a lost history."""
import glob
import json
import os
import shutil
import subprocess
import threading

import lib
from lib import case

CONFIG = """
[domain asker]
module = {asker}
segment_bytes = 131072
[domain doer]
module = {doer}
segment_bytes = 131072
[domain bank]
segment_bytes = 262144
"""


def config():
    paths = {'asker': os.environ.get('ASKER', ''), 'doer': os.environ.get('DOER', '')}
    for path in paths.values():
        if not os.access(path, os.R_OK):
            lib.skip_all('the environment names no modules with the test domains (ASKER, DOER)')
    return CONFIG.format(**paths)


def uuid(number):
    return f'00000000-0000-4000-8000-{number:012x}'


def run(server, *arguments, code=0, data=None):
    """A verb: what it prints on stdout; stderr goes to `run.stderr`."""
    result = subprocess.run([server.program, *arguments, '--data', data or server.data],
                            cwd=server.folder, stdin=subprocess.DEVNULL, capture_output=True,
                            timeout=120, check=False)
    run.stderr = result.stderr.decode()
    assert result.returncode == code, (arguments, result.returncode, result.stdout[-2000:],
                                       run.stderr)
    return result.stdout.decode()


def told(server, *arguments, **more):
    return json.loads(run(server, *arguments, '--json', **more))


def scan(server, log, data=None):
    return [json.loads(line) for line in run(server, 'log', 'scan', log, data=data).splitlines()]


class Load(threading.Thread):
    """Asks, twenty at a time, and opens accounts, until it is stopped or the server is gone. Keeps
    what was acknowledged. Processes are slower than who asks: there is an end to questions, too."""

    QUESTIONS_MAX = 2000

    def __init__(self, server, first):
        super().__init__()
        self.http = lib.Http(server.port)
        self.next = first
        self.acknowledged = []
        self.stopping = False

    def run(self):
        while not self.stopping:
            ids = [uuid(self.next + i) for i in range(20)]
            self.next += 20
            try:
                if len(self.acknowledged) < self.QUESTIONS_MAX:
                    reply = self.http.post('/asker/Ask', [{'id': id} for id in ids])
                    if reply.status != 200:
                        return
                    self.acknowledged += ids
                self.http.post('/bank/OpenAccount', [
                    {'id': f'X{self.next + i}', 'kind': 'external', 'currency': 'EUR'}
                    for i in range(20)])
            except (OSError, ValueError, lib.http.client.HTTPException):
                return

    def end(self):
        self.stopping = True
        self.join()


def ids_of(events, kind):
    return [event['body']['id'] for event in events if event['type'] == kind]


def check_cut(server, data):
    """No log remembers what the other one lacks. Returns how many there are of each."""
    asker, doer = scan(server, 'asker', data), scan(server, 'doer', data)
    asked, confirmed = ids_of(asker, 'Asked'), ids_of(asker, 'Confirmed')
    done = ids_of(doer, 'Done')
    assert len(set(asked)) == len(asked) and len(set(done)) == len(done)
    assert set(confirmed) <= set(done), set(confirmed) - set(done)
    assert set(done) <= set(asked), set(done) - set(asked)
    return len(asked), len(done), len(confirmed)


def check_cuts(server, cuts):
    """Likewise, of many cuts at once: their positions in logs that went on since."""
    asker = [(e['type'], e['body'].get('id')) for e in scan(server, 'asker')]
    doer = [e['body'].get('id') for e in scan(server, 'doer')]  # None: a process's own events
    done_at = {id: position for position, id in enumerate(doer)}
    asked_at = {id: position for position, (kind, id) in enumerate(asker) if kind == 'Asked'}
    latest = {}
    for position, (kind, id) in enumerate(asker):
        latest[position + 1] = max(latest.get(position, 0),
                                   done_at[id] + 1 if kind == 'Confirmed' else 0)
    for cut in cuts:
        assert latest.get(cut['asker'], 0) <= cut['doer'], f'{cut}: confirmed, not done'
        late = [id for id in doer[:cut['doer']] if id and asked_at[id] >= cut['asker']]
        assert not late, f'{cut}: {len(late)} done, not asked'


def under_load(server, backup):
    with case('backups under load: each is one cut of all logs, and restorable'):
        load = Load(server, 1)
        load.start()
        lib.wait_until(lambda: len(load.acknowledged) > 200, 30, 'the first questions')
        kept, positions = 0, []
        for number in range(4):
            before = list(load.acknowledged)
            result = told(server, 'backup', backup)
            data = os.path.join(server.folder, f'restored{number}')
            told(server, 'restore', backup, data=data)
            told(server, 'log', 'verify', data=data)
            counts = check_cut(server, data)
            asked = set(ids_of(scan(server, 'asker', data), 'Asked'))
            assert asked >= set(before), 'what was acknowledged before the backup is in it'
            kept += sum(log['files_kept'] for log in result['logs'])
            positions.append({log['name']: log['position'] for log in result['logs']})
            lib.note(f'asked, done, confirmed: {counts}')
            shutil.rmtree(data)
        assert kept > 0, 'full segments are not copied again'
        assert all(a[name] <= b[name] for a, b in zip(positions, positions[1:]) for name in a)
        assert counts[1] < counts[0] or counts[2] < counts[1] or counts[0] > 500
        more = Load(server, load.next + 50000)
        more.start()
        cuts = [{log['name']: log['position'] for log in told(server, 'backup', backup)['logs']}
                for _ in range(40)]
        more.end()
        assert cuts[-1]['doer'] > cuts[0]['doer'], (cuts[0], cuts[-1])
        check_cuts(server, cuts + positions)
        load.end()
        load.next = more.next
        files = glob.glob(f'{backup}/logs/*/*')
        manifest = json.load(open(f'{backup}/manifest.json', encoding='utf-8'))['manifest']
        named = {f'{backup}/{file["file"]}' for log in manifest['logs'] for file in log['files']}
        assert set(files) == named, 'what no manifest names is removed'
    return load


def killed_and_restored(server, backup, load):
    with case('written, backed up, written more, killed'):
        at_cut = told(server, 'backup', backup)
        position = {log['name']: log['position'] for log in at_cut['logs']}
        old = server.http.post('/bank/OpenAccount',
                               {'id': 'LOST', 'kind': 'external', 'currency': 'EUR'})
        assert old.status == 201, old
        token = old.position
        assert int(token.rsplit(':', 1)[1]) > position['bank']
        more = Load(server, load.next + 100000)
        more.start()
        lib.wait_until(lambda: len(more.acknowledged) > 400, 30, 'more questions')
        server.kill()
        more.end()
    data = os.path.join(server.folder, 'data2')
    with case('restore: every event up to the cut, and verify is content'):
        events = {name: scan(server, name)[:position[name]] for name in position}
        restored = told(server, 'restore', backup, data=data)
        assert {log['name']: log['position'] for log in restored['logs']} == position
        for name, wanted in events.items():
            assert scan(server, name, data) == wanted, name
        assert all(log['whole'] for log in told(server, 'log', 'verify', data=data)['logs'])
        check_cut(server, data)
    with case('a restored server refuses positions of the lost history with 409'):
        other = lib.Server(*server.arguments, data=data)
        reply = other.http.get('/bank/balance?limit=1', {'Sluice-Position': token})
        assert reply.status == 409, reply
        assert 'other_history' in reply.text, reply
        # Also when the new history has grown past the number in it.
        for i in range(0, 600, 20):
            assert other.http.post('/bank/OpenAccount', [
                {'id': f'N{i + k}', 'kind': 'external', 'currency': 'EUR'} for k in range(20)
            ]).status == 200
        reply = other.http.get('/bank/balance?limit=1', {'Sluice-Position': token})
        assert reply.status == 409, reply
        before = f'{token.rsplit(":", 1)[0]}:{position["bank"]}'
        assert other.http.get('/bank/balance?limit=1', {'Sluice-Position': before}).status == 200
        assert other.http.get('/bank/balance/LOST').status == 404
        epoch = told(other, 'log', 'stat', 'bank')['logs'][0]['epochs']
        assert [e['number'] for e in epoch] == list(range(1, len(epoch) + 1)) and len(epoch) >= 2
    with case('processes go on where they were: everything asked is done once, and confirmed'):
        def settled():
            logs = told(other, 'log', 'stat')['logs']
            count = {s['name']: s['events'] for log in logs for s in log['schemas']}
            return count['Asked'] == count['Done'] == count['Confirmed']
        lib.wait_until(settled, 240, 'every question confirmed')
        asker, doer = scan(other, 'asker'), scan(other, 'doer')
        asked = sorted(ids_of(asker, 'Asked'))
        assert asked == sorted(ids_of(doer, 'Done')) == sorted(ids_of(asker, 'Confirmed'))
    with case('views say what the log says'):
        events = scan(other, 'asker')
        asked = set(ids_of(events, 'Asked'))
        for id in sorted(asked)[::37]:
            row = other.http.get(f'/asker/things/{id}')
            assert row.status == 200 and row.json['steps'] == 2, row
        accounts = ids_of(scan(other, 'bank'), 'AccountOpened')
        for id in accounts[::53]:
            assert other.http.get(f'/bank/balance/{id}').status == 200, id
    with case('a backup of the restored log goes into the same folder'):
        result = told(other, 'backup', backup)
        assert all(log['files_kept'] > 0 for log in result['logs'] if log['name'] == 'asker')
    with case('a backup of the history that was left does not'):
        before = open(f'{backup}/manifest.json', 'rb').read()
        run(server, 'backup', backup, code=1)
        assert 'name another folder' in run.stderr, run.stderr
        assert open(f'{backup}/manifest.json', 'rb').read() == before
    with case('stopped or at work, a backup is the same'):
        one = told(other, 'backup', backup)
        assert other.stop() == 0
        two = told(other, 'backup', backup)
        assert [log['position'] for log in one['logs']] == [log['position'] for log in two['logs']]
    return data


def refusals(server, backup, data):
    fresh = os.path.join(server.folder, 'fresh')
    with case('restore refuses a folder that is not empty, or in use'):
        run(server, 'restore', backup, data=data, code=1)
        assert 'is not empty' in run.stderr
        with lib.Server(*server.arguments, data=data) as other:
            run(server, 'restore', backup, data=data, code=12)
            assert 'a server is at work' in run.stderr
            assert other.stop() == 0
        os.mkdir(fresh)
        run(server, 'restore', backup, data=fresh)
        assert os.listdir(fresh) == ['logs']
        shutil.rmtree(fresh)
    with case('a restore that was cut off leaves nothing that opens'):
        os.mkdir(fresh + '.restoring')
        run(server, 'restore', backup, data=fresh, code=1)
        assert 'rm -r' in run.stderr and not os.path.exists(fresh)
        os.rmdir(fresh + '.restoring')
    with case('a damaged backup is refused, and mended by the next one with --verify'):
        name = sorted(glob.glob(f'{backup}/logs/asker/*'))[0]
        good = open(name, 'rb').read()
        with open(name, 'r+b') as file:
            file.seek(5000)
            file.write(bytes([good[5000] ^ 1]))
        run(server, 'restore', backup, data=fresh, code=13)
        assert f'{name} is damaged' in run.stderr and not os.path.exists(fresh)
        shutil.rmtree(fresh + '.restoring')
        run(server, 'backup', backup, '--verify', data=data)
        assert open(name, 'rb').read() == good
        run(server, 'restore', backup, data=fresh)
        shutil.rmtree(fresh)
        os.rename(name, name + '.away')
        run(server, 'restore', backup, data=fresh, code=13)
        assert 'is missing from the backup' in run.stderr
        shutil.rmtree(fresh + '.restoring')
        run(server, 'backup', backup, data=data)
        run(server, 'restore', backup, data=fresh)
    with case('a damaged manifest is refused'):
        path = f'{backup}/manifest.json'
        text = open(path, 'rb').read()
        for at in (5, 20, 40, 60, len(text) // 2, len(text) - 2):
            open(path, 'wb').write(text[:at] + bytes([text[at] ^ 1]) + text[at + 1:])
            run(server, 'restore', backup, data=fresh + '3', code=13)
            run(server, 'backup', backup, data=data, code=13)
        open(path, 'wb').write(text[:100])
        run(server, 'restore', backup, data=fresh + '3', code=13)
        open(path, 'wb').write(text)
        run(server, 'restore', f'{backup}/logs', data=fresh + '3', code=1)
        assert 'holds no backup' in run.stderr
    with case('a damaged log is not backed up over a whole backup'):
        raw = sorted(glob.glob(f'{data}/logs/asker/0*.seg'))[-1]
        bytes_ = open(raw, 'rb').read()
        before = open(f'{backup}/manifest.json', 'rb').read()
        with open(raw, 'r+b') as file:
            file.seek(4096 + 120)
            file.write(bytes([bytes_[4096 + 120] ^ 1]))
        run(server, 'backup', backup, data=data, code=13)
        assert f'{raw}: damaged at offset 4096' in run.stderr, run.stderr
        assert open(f'{backup}/manifest.json', 'rb').read() == before
        open(raw, 'wb').write(bytes_)
    with case('a log that is gone does not fall out of the backup in silence'):
        os.rename(f'{data}/logs/bank', f'{data}/bank.away')
        run(server, 'backup', backup, data=data, code=1)
        assert 'has a backup of the log bank' in run.stderr
        os.rename(f'{data}/bank.away', f'{data}/logs/bank')
        run(server, 'backup', backup, data=data)
    with case('another log of the same name is another log'):
        with lib.Server(*server.arguments) as other:
            run(server, 'backup', backup, data=other.data, code=1)
            assert 'is another log' in run.stderr
            assert other.stop() == 0


def forks():
    """Two histories of one log, each longer than the backup."""
    small = '[domain bank]\nsegment_bytes = 65536\n'

    def write(server, first, count):
        for number in range(first, first + count):
            assert server.http.post('/bank/OpenAccount', {
                'id': f'F{number}', 'kind': 'external', 'currency': 'EUR'}).status == 201

    for before, there, here, name in ((5, 3, 3, 'in one segment'), (40, 60, 120, 'in several')):
        with case(f'a fork is never backed up over the other history: {name}'), \
                lib.Server(config=small) as server:
            backup = os.path.join(server.folder, 'backup')
            data = os.path.join(server.folder, 'forked')
            write(server, 0, before)
            run(server, 'backup', backup)
            run(server, 'restore', backup, data=data)
            with lib.Server(config=small, data=data) as other:
                write(other, 1000, there)
                assert other.stop() == 0
                run(other, 'backup', backup)
                manifest = open(f'{backup}/manifest.json', 'rb').read()
            write(server, 2000, here + 10)
            run(server, 'backup', backup, code=1)
            assert 'went on differently' in run.stderr, run.stderr
            assert open(f'{backup}/manifest.json', 'rb').read() == manifest


def alone():
    """One log of two is put back to an earlier time; what happens then at a position of the lost
    history is not taken for what happened there before."""
    def asked_about(server, number, kind):
        events = json.loads(server.http.get('/asker/events?limit=1000').body)['events']
        return any(e['type'] == kind and uuid(number) in json.dumps(e['body']) for e in events)

    def ask(server, number, kind):
        assert server.http.post('/asker/Ask', {'id': uuid(number)}).status == 201
        lib.wait_until(lambda: asked_about(server, number, kind), 20, f'{kind} of {number}')

    with case('one log put back alone: its process\'s commands are new ones'), \
            lib.Server(config=config()) as server:
        log, kept = (os.path.join(server.folder, *parts)
                     for parts in (('data', 'logs', 'asker'), ('kept',)))
        ask(server, 1, 'Confirmed')
        assert server.stop() == 0
        shutil.copytree(log, kept)
        server.start()
        ask(server, 2, 'Confirmed')
        assert server.stop() == 0
        shutil.rmtree(log)
        shutil.copytree(kept, log)
        server.start()
        # The other log knows that it was done. A command under the lost one's id would be answered
        # as a repeat, and nobody would ever say what became of it.
        ask(server, 2, '$RefusalTold')


def main():
    with lib.Server(config=config()) as server:
        backup = os.path.join(server.folder, 'backup')
        load = under_load(server, backup)
        data = killed_and_restored(server, backup, load)
        refusals(server, backup, data)
    forks()
    alone()
    lib.done()


main()
