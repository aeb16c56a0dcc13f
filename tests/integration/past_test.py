"""Rows of a temporal view as they were: at every position, by token and by time, after a crash, a
rebuild and a loss of the view's file."""
import datetime
import json
import os
import random
import shutil
import time

import lib
from lib import case

ADA = 'ada-0123456789abcdef0123456789abcdef'
CONFIG = '''
[domain shelves]
module = {module}
[token ada]
secret = ''' + ADA + '''
roles = user keeper auditor
'''
SHELVES = 8
ROUNDS = 6
PUTS = 40


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%S.%fZ')


class Model:
    """What each shelf holds behind each event, from the log itself."""

    def __init__(self, http):
        self.events = lib.all_events(http, 'shelves')
        self.end = len(self.events)

    def rows(self, position):
        rows = {}
        for event in self.events[:position]:
            shelf = event['body']['shelf']
            row = rows.setdefault(shelf, {'shelf': shelf, 'held': '0', 'times': 0})
            row['held'] = str(int(row['held']) + event['body']['amount'])
            row['times'] += 1
        return rows


def put_some(http, chance):
    """Many changes of few rows, most of them within one flush."""
    body = [{'shelf': chance.randrange(SHELVES), 'amount': chance.randrange(1, 4)}
            for _ in range(PUTS)]
    reply = http.post('/shelves/Put', body)
    assert reply.status == 200 and {item['status'] for item in reply.json} == {201}, reply
    return reply.position


def check(http, at, rows, shelf):
    reply = http.get(f'/shelves/kept/{shelf}?at={at}')
    if shelf in rows:
        assert reply.status == 200 and same(reply.json, rows[shelf]), (at, reply, rows[shelf])
    else:
        assert reply.status == 404 and reply.json['rule'] == 'no_row', (at, reply)
    return reply


def same(found, wanted):
    return {name: str(value) for name, value in found.items()} == \
        {name: str(value) for name, value in wanted.items()}


def check_all(http, model):
    for position in range(model.end + 1):
        rows = model.rows(position)
        for shelf in range(position % 3, SHELVES + 1, 3):
            reply = check(http, position, rows, shelf)
            assert reply.position.split(':')[2] == str(position), reply


def rule(reply, status, name):
    assert reply.status == status and reply.json['rule'] == name, reply


def mistakes(http, model):
    rule(http.get(f'/shelves/kept/1?at={model.end + 1}'), 400, 'at_in_the_future')
    rule(http.get('/shelves/kept/1?at=2200-01-01T00:00:00Z'), 400, 'at_in_the_future')
    rule(http.get('/shelves/rows/1?at=1'), 400, 'not_temporal')
    for at in ('', 'yesterday', '-1', '1.5', '2026-13-01T00:00:00Z'):
        rule(http.get(f'/shelves/kept/1?at={at}'), 400, 'bad_query')
    rule(http.get('/shelves/kept/x?at=1'), 404, 'no_row')
    rule(http.get('/shelves/kept/1?at=1&min_position=2'), 400, 'unknown_parameter')
    rule(http.get('/shelves/kept/1?at=1', {'Accept': 'text/event-stream'}), 400, 'bad_query')
    foreign = f'shelves:0123456789abcdef:{model.end}'
    assert http.get(f'/shelves/kept/1?at={foreign}').status == 409


def main():
    module = os.environ.get('SHELVES', '')
    if not os.access(module, os.R_OK):
        lib.skip_all('the environment names no module with the test domain (SHELVES)')
    seed = int(os.environ.get('SLUICE_SEED') or random.randrange(1 << 32))
    lib.note(f'SLUICE_SEED={seed}')
    chance = random.Random(seed)
    with lib.Server(config=CONFIG.format(module=module)) as server:
        http = lib.Http(server.port, {'Authorization': f'Bearer {ADA}'})
        moments = []
        with case('asked for at once, a row is as it was behind the command'):
            moments.append((now(), 0))
            for _ in range(ROUNDS):
                time.sleep(0.02)
                token = put_some(http, chance)
                end = int(token.split(':')[2])
                reply = http.get(f'/shelves/kept/3?at={token}')
                assert reply.status in (200, 404) and reply.position == token, reply
                time.sleep(0.02)
                moments.append((now(), end))
        model = Model(http)
        with case('at every position'):
            assert model.end == ROUNDS * PUTS
            check_all(http, model)
        with case('by time'):
            for moment, position in moments:
                for shelf in range(SHELVES):
                    check(http, moment, model.rows(position), shelf)
            rule(http.get('/shelves/kept/1?at=1970-01-01T00:00:00Z'), 404, 'no_row')
        with case('what was does not change: its ETag'):
            shelf = model.events[0]['body']['shelf']
            reply = http.get(f'/shelves/kept/{shelf}?at=1')
            again = http.get(f'/shelves/kept/{shelf}?at=1',
                                    {'If-None-Match': reply.headers['etag']})
            assert again.status == 304, again
        with case('mistakes are told'):
            mistakes(http, model)
        with case('views say whether they are temporal'):
            views = {view['name']: view for view in http.get('/shelves').json['views']}
            assert views['kept']['temporal'] is True and views['rows']['temporal'] is False
            paths = http.get('/openapi.json').json['paths']
            names = [item.get('name') for item in paths['/shelves/kept/{key}']['get']['parameters']]
            assert 'at' in names, names
        for what in ('a crash', 'a rebuild', 'a crash that took the view'):
            with case(f'after {what}'):
                put_some(http, chance)
                if what == 'a rebuild':
                    code, text = server.run('view', 'rebuild', 'shelves/kept')
                    assert code == 0, text
                else:
                    server.kill()
                    if what != 'a crash':
                        shutil.rmtree(os.path.join(server.data, 'views'))
                    server.start()
                check_all(http, Model(http))
    lib.done()


if __name__ == '__main__':
    main()
