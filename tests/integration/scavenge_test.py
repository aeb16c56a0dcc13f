"""`sluice log scavenge` on a real server's log, and the server on what is left of it."""
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess

import lib
from lib import case


def note(number):
    """A text that is no other's, and that no compression makes small."""
    return ''.join(hashlib.sha256(f'{number} {i}'.encode()).hexdigest() for i in range(5))


def run(server, *arguments, code=0, data=None):
    """A verb: what it prints on stdout; stderr goes to `run.stderr`."""
    result = subprocess.run([server.program, *arguments, '--data', data or server.data],
                            cwd=server.folder, stdin=subprocess.DEVNULL, capture_output=True,
                            timeout=60, check=False)
    run.stderr = result.stderr.decode()
    assert result.returncode == code, (arguments, result.returncode, result.stdout[-2000:],
                                       run.stderr)
    return result.stdout.decode()


def told(server, *arguments, **more):
    logs = json.loads(run(server, *arguments, '--json', **more))['logs']
    return [log for log in logs if log['name'] == 'meter'][0]


def scavenge(server, *arguments, **more):
    return told(server, 'log', 'scavenge', 'meter', '--config', f'{server.folder}/sluice.conf',
                *arguments, **more)


def refused(server, *arguments, code=1):
    run(server, 'log', 'scavenge', *arguments, '--config', f'{server.folder}/sluice.conf',
        code=code)
    return run.stderr


def scan(server, *arguments):
    return [json.loads(line)
            for line in run(server, 'log', 'scan', 'meter', *arguments).splitlines()]


def digest(server):
    code, text = server.run('view', 'status', 'meter/meters', '--digest')
    found = re.search(r'digest (\w{16}) of (\d+) rows', text)
    assert code == 0 and found, text
    return found[1], found[2]


def of_the_meter(events):
    return [e for e in events if e['stream'] == 'meter/M1']


def sealed(server):
    return sorted(glob.glob(f'{server.data}/logs/meter/*.sealed'))


def fill(server):
    """Readings until some segments are sealed; returns how many."""
    post = server.http.post
    assert post('/meter/Name', {'meter': 'M1', 'value': 0, 'note': note(0)}).status == 201
    first = post('/meter/Read', {'meter': 'M1', 'value': 0, 'note': note(0)},
                 {'Idempotency-Key': 'the first reading'})
    assert first.status == 201, first
    assert post('/meter/Raise', {'meter': 'M1', 'alarm': 'A1'}).status == 201
    assert post('/meter/Open', {'meter': 'M1', 'door': 'D1'}).status == 201
    count = 2
    while count < 600 or len(sealed(server)) < 2:
        assert count < 20000, 'nothing is sealed'
        reply = post('/meter/Read', [{'meter': 'M1', 'value': count + i, 'note': note(count + i)}
                                     for i in range(20)])
        assert reply.status == 200, reply
        count += 20

    def has_advanced():
        page = server.http.get('/meter/events?backwards=1&limit=50').json
        return any(e['type'] == '$ProcessAdvanced' for e in page['events'])
    lib.wait_until(has_advanced, 10, 'the porter saying that the meter was read')
    return count + 1, first


def events_of(server):
    """All that the server shows, page by page."""
    events, after = [], ''
    while True:
        page = server.http.get(f'/meter/events?limit=100{after}').json
        events += page['events']
        if page['end']:
            return events
        after = '&after=' + page['next']


def check_refusals(server):
    with case('what may not go is refused, by name'):
        assert 'MeterNamed is kept for ever' in refused(server, 'meter', '--type', 'MeterNamed')
        assert 'Nonsense is no event type' in refused(server, 'meter', '--type', 'Nonsense')
        assert 'AlarmRaised is kept for 1h, so nothing of it may go after 59m' in refused(
            server, 'meter', '--older-than', '59m')
        assert 'there is no domain of that name' in refused(server, 'nowhere')
        assert 'a span such as 90d' in refused(server, 'meter', '--older-than', '3w', code=2)
    with case('a server at work is not disturbed'):
        assert 'stop the server first' in refused(server, 'meter', code=12)


def check_scavenged(server, count):
    backup = os.path.join(server.folder, 'backup')
    before = scan(server)
    going = [e['position'] for e in before if e['type'] in ('MeterRead', 'DoorOpened')]
    assert len(going) == count + 1
    door = [e['position'] for e in before if e['type'] == 'DoorOpened'][0]
    with case('a dry run tells what would go, and why the rest stays'):
        run(server, 'backup', backup)
        assert scavenge(server, '--older-than', '1h')['stones'] == 0
        size = os.path.getsize(sealed(server)[0])
        dry = scavenge(server, '--dry-run')
        assert dry['stones'] > 100 and dry['dry_run'], dry
        types = {t['name']: t for t in dry['types']}
        assert types['AlarmRaised']['process'] == 'watchman', types
        assert types['AlarmRaised']['below'] == 0 and 'process' not in types['MeterRead'], types
        assert (types['DoorOpened']['process'], types['DoorOpened']['below']) == (
            'porter', door + 1), types
        assert os.path.getsize(sealed(server)[0]) == size
        assert 'would go' in run(server, 'log', 'scavenge', '--dry-run', '--config',
                                 f'{server.folder}/sluice.conf')
    with case('bodies go, stones stay'):
        some = scavenge(server, '--before', '50')
        assert some['stones'] == sum(p < 50 for p in going) and door < 50, some
        done = scavenge(server)
        assert done['stones'] == dry['stones'] - some['stones'], (done, dry)
        assert done['bytes_after'] < done['bytes_before'], done
        assert scavenge(server)['segments_rewritten'] == 0
        assert all(os.stat(path).st_mode & 0o077 == 0 for path in sealed(server))
        gone = {p for p in going if p < done['sealed_below']}
        verified = told(server, 'log', 'verify', 'meter')
        assert verified['whole'] and verified['stones'] == len(gone) == dry['stones'], verified
        assert verified['events'] == len(before)
        assert f'{len(gone)} of the events are stones' in run(server, 'log', 'verify', 'meter')
        left = [e for e in before if e['position'] not in gone]
        assert scan(server) == left and scan(server, '--backwards') == left[::-1]
        assert scan(server, '--stream', 'meter/M1', '--from', '2') == [
            e for e in of_the_meter(left) if e['position'] >= 2]
        dumped = run(server, 'log', 'dump', 'meter', '--json')
        assert dumped.count('"frame":"stone"') == len(gone) == dumped.count('body_hash')
    with case('a backup copies again what was rewritten, and brings it back'):
        report = told(server, 'backup', backup)
        assert report['files_copied'] >= done['segments_rewritten'], report
        assert told(server, 'backup', backup)['files_copied'] == 0
        data = os.path.join(server.folder, 'restored')
        run(server, 'restore', backup, data=data)
        assert told(server, 'log', 'verify', data=data)['stones'] == len(gone)
    return left, max(e['revision'] for e in of_the_meter(before))


def check_server(server, left, revision, first):
    with case('the server shows what is left, and goes on where it was'):
        assert events_of(server) == left
        stream = server.http.get('/meter/streams/meter/M1?limit=1000').json
        assert stream['events'] == of_the_meter(left), len(stream['events'])
        again = server.http.post('/meter/Read', {'meter': 'M1', 'value': 0, 'note': note(0)},
                                 {'Idempotency-Key': 'the first reading'})
        assert (again.status, again.json['events']) == (201, first.json['events']), again
        late = server.http.post('/meter/Read', {'meter': 'M1', 'value': 7},
                                {'Sluice-Expected-Revision': str(revision)})
        assert late.status == 201 and late.json['events'][0]['revision'] == revision + 1, late
    with case('who follows the log passes over stones, and goes on'):
        wanted = left + [events_of(server)[-1]]
        for path, all_of_it in (('/meter/events?after=start', wanted),
                                ('/meter/streams/meter/M1?after=start', of_the_meter(wanted))):
            stream = server.http.events(path)
            assert [json.loads(next(stream)['data']) for _ in all_of_it] == all_of_it, path
            stream.close()
        with server.resp() as resp:
            resp.call('PSUBSCRIBE', 'meter:events:*@start')
            got = [json.loads(resp.read()[3])['event'] for _ in wanted]
            assert got == wanted, (got[:3], wanted[:3])
    with case('a view keeps what it had; built again it has what the log has'):
        def readings():
            reply = server.http.get(f'/meter/meters/M1?min_position={late.position}')
            assert reply.status == 200 and reply.json['names'] == 1, reply
            return reply.json['readings']
        had = readings()
        assert had > len(left), (had, len(left))
        assert server.stop() == 0
        shutil.rmtree(os.path.join(server.data, 'views'))
        server.start()
        assert readings() == sum(e['type'] == 'MeterRead' for e in left) + 1
    with case('and the same rows each time that it is built from the log as it is now'):
        before = digest(server)
        code, text = server.run('view', 'rebuild', 'meter/meters')
        assert code == 0, text
        assert digest(server) == before


def check_owner(server):
    with case('files do not come to belong to somebody else'):
        if os.geteuid() != 0:
            return
        folder = f'{server.data}/logs/meter'
        os.chown(folder, 12345, -1)
        assert 'belongs to the user with number 12345' in refused(server, 'meter')
        os.chown(folder, 0, -1)


def main():
    module = os.environ.get('METER', '')
    if not os.access(module, os.R_OK):
        lib.skip_all('the environment names no module with the test domain (METER)')
    config = f'[domain meter]\nmodule = {module}\nsegment_bytes = 65536\n'
    with lib.Server(config=config) as server:
        count, first = fill(server)
        check_refusals(server)
        assert server.stop() == 0
        check_owner(server)
        left, revision = check_scavenged(server, count)
        server.start()
        check_server(server, left, revision, first)
        assert server.stop() == 0


main()
lib.done()
