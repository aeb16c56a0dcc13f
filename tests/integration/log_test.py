"""`sluice log …` on the files of real servers: stopped, at work, damaged, read-only."""
import glob
import json
import os
import shutil
import stat
import subprocess
import threading

import lib
from lib import case

BATCH = 200


def account(number):
    return f'A{number:06d}'


def fill(server, first, count, keep=None):
    """Opens accounts, so many a request; ends early when `keep` says so."""
    http = lib.Http(server.port)
    for at in range(first, first + count, BATCH):
        if keep and not keep():
            break
        reply = http.post('/bank/OpenAccount',
                          [{'id': account(n), 'kind': 'external', 'currency': 'EUR'}
                           for n in range(at, min(at + BATCH, first + count))])
        assert reply.status == 200, reply
    http.close()


def run(server, *arguments, code=0, data=None, timeout_s=120):
    """A verb: what it prints on stdout; stderr goes to `run.stderr`."""
    result = subprocess.run([server.program, *arguments, '--data', data or server.data],
                            cwd=server.folder, stdin=subprocess.DEVNULL, capture_output=True,
                            timeout=timeout_s, check=False)
    run.stderr = result.stderr.decode()
    assert result.returncode == code, (arguments, result.returncode, result.stdout[-2000:],
                                       run.stderr)
    return result.stdout.decode()


def scan(server, *arguments, **more):
    return [json.loads(line) for line in run(server, 'log', 'scan', *arguments,
                                             **more).splitlines()]


def segments(data, log='bank'):
    """Files of a log, in order: sealed ones and raw ones."""
    return sorted(path for path in glob.glob(f'{data}/logs/{log}/0*')
                  if path.endswith(('.seg', '.sealed')))


def flip(path, offset):
    with open(path, 'r+b') as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 0x20]))


def over_http(server):
    """All events, as the server shows them."""
    events, after = [], ''
    while True:
        page = server.http.get(f'/bank/events?limit=1000{after}').json
        events += page['events']
        if page['end']:
            return events
        after = '&after=' + page['next']


def check_reading(server):
    """Everything that reads, against what the server itself says. The server may run."""
    events = over_http(server)
    with case('scan shows what the server shows, line by line'):
        assert scan(server, 'bank') == events
        named = scan(server)
        assert all(event.pop('log') == 'bank' for event in named)
        assert named == events
    with case('scan: from, until, limit, backwards'):
        assert scan(server, 'bank', '--from', '700', '--until', '1300') == events[700:1300]
        assert scan(server, 'bank', '--from', '699', '--limit', '3') == events[699:702]
        assert scan(server, 'bank', '--backwards') == events[::-1]
        assert scan(server, 'bank', '--backwards', '--limit', '7') == events[:-8:-1]
        assert scan(server, 'bank', '--backwards', '--from', '500', '--until', '900',
                    '--limit', '250') == events[650:900][::-1]
        assert scan(server, 'bank', '--from', str(len(events))) == []
        assert scan(server, 'bank', '--until', '0', '--backwards') == []
    with case('scan: by stream and by tag'):
        assert scan(server, 'bank', '--stream', f'account/{account(3)}') == [
            e for e in events if e['stream'] == f'account/{account(3)}']
        tag = events[5]['tags'][-1]
        found = scan(server, 'bank', '--tag', tag, '--backwards')
        assert found == [e for e in events if tag in e['tags']][::-1]
        assert found
    with case('stat counts'):
        told = json.loads(run(server, 'log', 'stat', 'bank', '--json'))['logs'][0]
        assert told['events'] == told['position'] == len(events), told
        assert told['streams'] == len({e['stream'] for e in events})
        assert sum(s['events'] for s in told['schemas']) == len(events)
        assert {s['name'] for s in told['schemas']} >= {'AccountOpened'}
        assert told['segments'] == len(segments(server.data))
        assert told['whole'] and told['durable_through'] <= told['position']
        assert f'{len(events)} events' in run(server, 'log', 'stat')
    with case('verify is content, in little memory too'):
        told = json.loads(run(server, 'log', 'verify', '--json'))['logs'][0]
        assert told['whole'] and told['events'] == len(events), told
        assert 'bank: whole' in run(server, 'log', 'verify', 'bank', '--memory', '1')
        assert 'bank: whole' in run(server, 'log', 'verify', f'{server.data}/logs/bank/')
    with case('dump shows every frame'):
        lines = [json.loads(line) for line in run(server, 'log', 'dump', '--json').splitlines()]
        shown = [line for line in lines if line.get('frame') == 'event']
        assert [line['position'] for line in shown] == list(range(len(events)))
        assert sum(line['kind'] == 'segment' for line in lines) == len(segments(server.data))
        one = run(server, 'log', 'dump', 'bank', '--segment', '1')
        assert one.count(' segment ') == 1 and 'segment 1 of log' in one
        run(server, 'log', 'dump', 'bank', '--segment', '999', code=1)
        assert 'has segments 0 to' in run.stderr


def check_at_work(server):
    with case('verify and stat beside a server that writes'):
        running = True
        writer = threading.Thread(target=fill, args=(server, 100_000, 400_000, lambda: running))
        writer.start()
        positions = []
        for _ in range(12):
            told = json.loads(run(server, 'log', 'verify', '--json'))['logs'][0]
            assert told['whole'], told
            positions.append(told['position'])
        running = False
        writer.join()
        assert positions == sorted(positions)
        assert positions[-1] > positions[0], positions
        lib.note(f'positions {positions}, {len(segments(server.data))} segments')


def last_batches(server):
    """Batches of the last segment, as they are shown."""
    lines = [json.loads(line) for line in run(server, 'log', 'dump', '--json').splitlines()]
    last = max(line['segment'] for line in lines if line['kind'] == 'segment')
    return [line for line in lines if line['kind'] == 'batch' and line['segment'] == last]


def check_damage(server):
    """The server is stopped."""
    whole = os.path.join(server.folder, 'whole')
    shutil.copytree(server.data, whole, ignore=shutil.ignore_patterns('*.sock'))
    raw = [path for path in segments(server.data) if path.endswith('.seg')][-1]
    events = scan(server, 'bank')
    with case('a torn tail is no damage'):
        batches = last_batches(server)
        last = batches[-1]
        flip(raw, last['offset'] + 120)
        told = json.loads(run(server, 'log', 'verify', '--json'))['logs'][0]
        assert told['whole'] and told['torn_bytes'] > 0, told
        assert 'the next start cuts it off' in run(server, 'log', 'verify')
        flip(raw, last['offset'] + 120)
    with case('damage: file, offset, exit code 13, and the command that helps'):
        batch = batches[-3]
        flip(raw, batch['offset'] + 120)
        out = run(server, 'log', 'verify', code=13)
        assert f'{raw}: damaged at offset {batch["offset"]}' in out, out
        assert f'sluice log salvage {server.data}/logs/bank --to DIR' in out, out
        told = json.loads(run(server, 'log', 'verify', '--json', code=13))['logs'][0]
        assert not told['whole'] and told['file'] == raw and told['offset'] == batch['offset']
        assert 'behind the damage' in run(server, 'log', 'dump', 'bank', code=13)
        child = lib.Child([server.program, 'serve', '--port', '0', '--resp-port', 'none', '--data',
                           server.data])
        assert child.wait() == 13, child.output()
        assert f'sluice log salvage {server.data}/logs/bank --to DIR' in child.output()
        scan(server, 'bank', '--limit', '5')
        run(server, 'log', 'scan', 'bank', code=13)
    with case('salvage saves what is whole, tells the rest, changes nothing'):
        before = [(path, os.stat(path).st_mtime_ns, open(path, 'rb').read())
                  for path in segments(server.data)]
        saved = os.path.join(server.folder, 'saved')
        told = json.loads(run(server, 'log', 'salvage', '--to', saved, '--json'))['logs'][0]
        assert told['damaged'] and told['file'] == raw, told
        assert told['position'] == batch['position'], (told, batch)
        assert told['lost_until'] == len(events), told
        assert told['lost_events'] == len(events) - batch['position']
        assert told['whole_behind'] == told['lost_events'] - batch['events'], told
        for path, time, content in before:
            assert os.stat(path).st_mtime_ns == time and open(path, 'rb').read() == content, path
        assert scan(server, 'bank', data=saved) == events[:batch['position']]
        run(server, 'log', 'verify', data=saved)
        run(server, 'log', 'salvage', 'bank', '--to', saved, code=1)
        assert 'name another folder' in run.stderr
    with case('a server starts on what was saved'):
        with lib.Server(data=saved) as other:
            assert over_http(other) == events[:batch['position']]
            fill(other, 900_000, 5)
            run(other, 'log', 'salvage', '--to', os.path.join(server.folder, 'x'), code=12)
            assert 'a server is at work' in run.stderr
            run(server, 'log', 'salvage', '--to', saved, code=12)
            assert other.stop() == 0
    with case('damage in a sealed segment, in its events and in its index'):
        sealed = [path for path in segments(whole) if path.endswith('.sealed')]
        assert sealed, segments(whole)
        flip(sealed[-1], 4096 + 3000)
        assert f'{sealed[-1]}: damaged at offset 4096' in run(server, 'log', 'verify', data=whole,
                                                              code=13)
        flip(sealed[-1], 4096 + 3000)
        flip(sealed[0], os.path.getsize(sealed[0]) - 2000)
        assert 'a page of the index' in run(server, 'log', 'verify', data=whole, code=13)
        saved = os.path.join(server.folder, 'unpacked')
        told = json.loads(run(server, 'log', 'salvage', 'bank', '--to', saved, '--json',
                              data=whole))['logs'][0]
        assert not told['damaged'] and told['indexes_lost'] == 1, told
        assert scan(server, 'bank', data=saved) == events
        with lib.Server(data=saved) as other:
            assert over_http(other) == events
            assert other.stop() == 0
        flip(sealed[0], os.path.getsize(sealed[0]) - 2000)
    with case('the last segment is lost: no tool takes what is left for a whole log'):
        lost = os.path.join(server.folder, 'lost')
        shutil.copytree(whole, lost)
        for path in segments(lost):
            if path.endswith('.seg'):
                os.remove(path)
        last = segments(lost)[-1]
        out = run(server, 'log', 'verify', 'bank', data=lost, code=13)
        assert f'{last}: damaged at offset' in out and 'behind it is missing' in out, out
        run(server, 'backup', os.path.join(server.folder, 'lost-backup'), data=lost, code=13)
        child = lib.Child([server.program, 'serve', '--port', '0', '--resp-port', 'none', '--data',
                           lost])
        assert child.wait() == 13, child.output()
        assert 'is missing, the one that was written to last' in child.output(), child.output()
        saved = os.path.join(server.folder, 'refound')
        told = json.loads(run(server, 'log', 'salvage', 'bank', '--to', saved, '--json',
                              data=lost))['logs'][0]
        assert told['damaged'] and 0 < told['position'] < len(events), told
        with lib.Server(data=saved) as other:
            assert over_http(other) == events[:told['position']]
            assert other.stop() == 0
    with case('a folder that may not be written to'):
        for folder, _, names in os.walk(whole):
            for name in names:
                os.chmod(os.path.join(folder, name), stat.S_IRUSR)
            os.chmod(folder, stat.S_IRUSR | stat.S_IXUSR)
        run(server, 'log', 'verify', data=whole)
        assert scan(server, 'bank', data=whole) == events
        for folder, _, _ in os.walk(whole):
            os.chmod(folder, stat.S_IRWXU)


def check_groups():
    """Beside eight segments lies a file that makes lookups quick."""
    with lib.Server(config='[domain bank]\nsegment_bytes = 65536\n') as server:
        number = 0
        while not glob.glob(f'{server.data}/logs/bank/*.8.group'):
            assert number < 500_000, 'segments are sealed, and no group is made'
            fill(server, number, 500)
            number += 500
        assert server.stop() == 0
        group = glob.glob(f'{server.data}/logs/bank/*.8.group')[0]
        with case('files of groups are counted, and compared with their segments'):
            told = json.loads(run(server, 'log', 'stat', '--json'))['logs'][0]
            assert told['group_files'] >= 1, told
            assert told['group_bytes'] >= os.path.getsize(group), told
            assert 'files of groups beside it' in run(server, 'log', 'stat')
            assert 'have every key of their segments' in run(server, 'log', 'verify')
        with case('one that is damaged is named; the log is whole'):
            flip(group, 4096 + 3000)
            out = run(server, 'log', 'verify', code=13)
            assert 'bank: whole' in out and f'{group} at offset 4096 (a page' in out, out
            told = json.loads(run(server, 'log', 'verify', '--json', code=13))['logs'][0]
            assert told['whole'] and told['group_file'] == group, told
            assert told['groups_damaged'] == 1 and told['group_offset'] == 4096, told
        with case('without it all is well, and it is made again'):
            os.remove(group)
            run(server, 'log', 'verify')
            with lib.Server(data=server.data) as other:
                lib.wait_until(lambda: os.path.exists(group))
                assert other.stop() == 0
            run(server, 'log', 'verify')


def check_usage(server):
    with case('what is asked wrongly is answered with what there is'):
        for arguments, code, says in (
                (['log'], 2, 'stat, verify, scan, dump, salvage or scavenge'),
                (['log', 'nonsense'], 2, 'there are stat'),
                (['log', 'stat', '--nonsense'], 2, 'no option --nonsense'),
                (['log', 'scan', '--limit', 'many'], 2, 'a whole number is wanted'),
                (['log', 'scan', '--limit'], 2, 'no value for --limit'),
                (['log', 'stat', 'bank', 'shop'], 2, 'what is shop?'),
                (['log', 'stat', 'nowhere'], 1, 'holds no log'),
                (['log', 'verify', '/nowhere/log'], 1, 'holds no log'),
                (['log', 'salvage', 'bank'], 2, 'needs --to DIR'),
                (['backup'], 2, 'a folder to copy to'),
                (['restore'], 2, 'the folder of a backup')):
            run(server, *arguments, code=code)
            assert says in run.stderr, (arguments, run.stderr)
        run(server, 'log', 'stat', data='/nowhere', code=1)
        assert 'there are no logs in /nowhere/logs' in run.stderr
        assert 'sluice log verify' in run(server, 'help', 'log')
        assert 'sluice log verify' in run(server, 'log', 'stat', '--help')
    with case('progress is shown when it is asked for'):
        run(server, 'log', 'verify', '--progress')
        assert 'bank: ' in run.stderr, run.stderr
        run(server, 'log', 'verify')
        assert run.stderr == ''


def main():
    with lib.Server(config='[domain bank]\nsegment_bytes = 262144\n') as server:
        fill(server, 0, 3000)
        check_reading(server)
        check_usage(server)
        check_at_work(server)
        first = 800_000
        while len(last_batches(server)) < 6:
            fill(server, first, 1)
            first += 1
        with case('a server stops'):
            assert server.stop() == 0
        check_damage(server)
    check_groups()
    lib.done()


main()
