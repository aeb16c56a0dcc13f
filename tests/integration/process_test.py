"""A process that stands still says where and why, tries again, and goes on when it is told to."""
import json
import os
import shutil
import uuid

import lib
from lib import case


def status(server):
    code, text = server.run('process', 'status', 'asker/delegate', '--json')
    return code, json.loads(text)[0]


def settle(server, state, position):
    def is_there():
        found = status(server)[1]
        return found['state'] == state and found['position'] == position and found
    return lib.wait_until(is_there, 10, f'the process {state} at {position}')


def ask(http):
    name = str(uuid.uuid4())
    reply = http.post('/asker/Ask', {'id': name})
    assert reply.status == 201, reply
    return name, int(reply.position.rsplit(':', 1)[1]) - 1


def said(server):
    events = server.http.get('/asker/events?limit=50').json['events']
    return [e for e in events if e['type'] == '$EventSkipped']


def steps(server, name):
    """How far an asking has come: asked and confirmed are 2."""
    reply = server.http.get(f'/asker/things/{name}')
    return reply.json['steps'] if reply.status == 200 else 0


def alone(server):
    """The domain that is to carry the command out is not there: the reaction fails."""
    first, at_first = ask(server.http)
    with case('status says which instance, since when, where and why'):
        found = settle(server, 'degraded', at_first)
        assert status(server)[0] == 1 and found['stuck'] is True, found
        assert found['instance'] == first and found['tries'] >= 1, found
        assert found['since'].startswith('20') and 'no domain' in found['why'], found
        text = server.run('process', 'status')[1]
        assert first in text and 'no domain' in text, text
    with case('list and metrics say so'):
        code, text = server.run('process', 'list')
        assert code == 0 and 'asker/delegate' in text and 'degraded' in text, text
        metrics = server.http.get('/metrics').text
        assert 'sluice_process_stuck{domain="asker",process="delegate"} 1' in metrics
    with case('trying again changes nothing while it is not mended, and is counted'):
        tries = status(server)[1]['tries']
        assert server.run('process', 'retry', 'asker/delegate')[0] == 0
        lib.wait_until(lambda: status(server)[1]['tries'] > tries, 10, 'another try')
        assert settle(server, 'degraded', at_first)['instance'] == first
    second, at_second = ask(server.http)
    with case('the event is skipped, and the process goes on to the next on which it fails'):
        assert server.run('process', 'skip', 'asker/delegate')[0] == 0
        assert settle(server, 'degraded', at_second)['instance'] == second
        events = said(server)
        assert [e['body']['position'] for e in events] == [at_first], events
        assert events[0]['stream'] == '$skipped/delegate', events
        assert 'no domain' in events[0]['body']['why'], events
    with case('a process that is not there is not tried again'):
        assert server.run('process', 'retry', 'asker/none')[0] == 15
        assert server.run('process', 'status', 'asker/none')[0] == 15
        assert server.http.post('/admin/processes/skip', b'').status == 401
        assert server.run('process', 'skip')[0] == 2
    with case('with its instances lost, it skips the same, and asks nobody'):
        assert server.stop() == 0
        shutil.rmtree(os.path.join(server.data, 'views'))
        server.start()
        settle(server, 'degraded', at_second)
        assert len(said(server)) == 1
    return first, second


def main():
    paths = {'asker': os.environ.get('ASKER', ''), 'doer': os.environ.get('DOER', '')}
    for path in paths.values():
        if not os.access(path, os.R_OK):
            lib.skip_all('the environment names no modules with the test domains (ASKER, DOER)')
    sections = {name: f'[domain {name}]\nmodule = {path}\n' for name, path in paths.items()}
    with lib.Server(config=sections['asker']) as server:
        first, second = alone(server)
        with case('mended, it carries out what it stood at, and not what was skipped'):
            assert server.stop() == 0
            with open(os.path.join(server.folder, 'sluice.conf'), 'a', encoding='utf-8') as config:
                config.write(sections['doer'])
            server.start()
            lib.wait_until(lambda: steps(server, second) == 2, 10, 'the second to be confirmed')
            assert steps(server, first) == 1
            assert server.http.get(f'/doer/things/{first}').status == 404
        with case('what does not stand still skips nothing, and is not tried again'):
            assert server.run('process', 'skip', 'asker/delegate')[0] == 15
            assert server.run('process', 'retry', 'asker/delegate')[0] == 15
            assert server.run('process', 'status')[0] == 0
            assert 'sluice_process_stuck{domain="asker",process="delegate"} 0' in \
                server.http.get('/metrics').text
        with case('all of its instances lost, it does not send what was given up'):
            assert server.stop() == 0
            shutil.rmtree(os.path.join(server.data, 'views'))
            server.start()
            third, _ = ask(server.http)
            lib.wait_until(lambda: steps(server, third) == 2, 10, 'the third to be confirmed')
            assert steps(server, first) == 1 and steps(server, second) == 2
            assert server.http.get(f'/doer/things/{first}').status == 404
    lib.done()


main()
