"""Nearby queries: taxis and where they are."""
import json
import math
import os
import random
import subprocess

import fetched
import lib
from lib import case

RADIUS = 6371008.8


def metres(a, b):
    """By vectors, not as the server does it."""
    x, y = ((math.cos(math.radians(lat)) * math.cos(math.radians(lon)),
             math.cos(math.radians(lat)) * math.sin(math.radians(lon)),
             math.sin(math.radians(lat))) for lat, lon in (a, b))
    cross = (x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0])
    return RADIUS * math.atan2(math.sqrt(sum(c * c for c in cross)),
                               sum(p * q for p, q in zip(x, y)))


def some_taxis():
    seed = int(os.environ.get('SLUICE_SEED', '5'))
    print(f'# seed {seed}', flush=True)
    chance = random.Random(seed)
    taxis = {'north': (90.0, 12.0), 'south': (-90.0, 0.0), 'west': (0.0, -179.999),
             'east': (0.0, 179.998)}
    for i in range(300):
        taxis[f'any{i}'] = (chance.uniform(-90, 90), chance.uniform(-180, 180))
        taxis[f'city{i}'] = (chance.uniform(52.4, 52.6), chance.uniform(13.3, 13.5))
    return taxis


def move(http, taxis):
    reply = http.post('/taxis/Move', [{'taxi': name, 'lat': lat, 'lon': lon}
                                      for name, (lat, lon) in taxis.items()])
    assert all(item['status'] == 201 for item in reply.json), reply
    return reply.position


def rule(reply, name, field):
    assert reply.status == 400 and reply.json['rule'] == name, reply
    assert reply.json.get('field') == field, reply


def of_http(http, taxis, position):
    def near(lat, lon, more=''):
        reply = http.get(f'/taxis/free?near={lat},{lon}&min_position={position}{more}')
        assert reply.status == 200 and reply.json['exact'] is True, reply
        return [(item['row']['taxi'], item['metres']) for item in reply.json['rows']]

    for lat, lon in ((52.5, 13.4), (90, 0), (-90, 45), (0, 180), (0, -180), (10, 10)):
        with case(f'the nearest to {lat}, {lon}'):
            far = sorted((metres((lat, lon), spot), name) for name, spot in taxis.items())
            found = near(lat, lon, '&limit=25')
            assert [name for name, _ in found] == [name for _, name in far[:25]], (found, far[:25])
            for (_, is_far), (should_be, _) in zip(found, far):
                assert abs(is_far - should_be) < 0.01, (is_far, should_be)
            within = far[9][0] + 0.5
            assert len(near(lat, lon, f'&limit=25&within={within}')) == 10
    with case('unless said, 50'):
        assert len(near(0, 0)) == 50
    with case('nothing is within'):
        assert near(-45, -120, '&within=0') == []
    with case('who drives on is elsewhere, who is off is nowhere'):
        token = move(http, {'city1': (-10.5, -20.5)})
        reply = http.post('/taxis/Move', {'taxi': 'city2', 'is_off': True})
        reply = http.get(f'/taxis/free?near=-10.5,-20.5&limit=1&min_position={reply.position}')
        assert reply.json['rows'][0] == {'metres': 0, 'row': {'taxi': 'city1', 'lat': -10.5,
                                                              'lon': -20.5}}, (token, reply)
        reply = http.get('/taxis/free?near=52.5,13.4&limit=1000')
        assert not {'city1', 'city2'} & {item['row']['taxi'] for item in reply.json['rows'][:290]}
    with case('an answer has an ETag'):
        tag = http.get('/taxis/free?near=1,2&limit=3').headers['etag']
        assert http.get('/taxis/free?near=1,2&limit=3', {'If-None-Match': tag}).status == 304


def wrong(http):
    table = [
        ('free?near=91,0', 'bad_query', 'near'),
        ('free?near=0,-180.5', 'bad_query', 'near'),
        ('free?near=52', 'bad_query', 'near'),
        ('free?near=', 'bad_query', 'near'),
        ('free?near=nan,0', 'bad_query', 'near'),
        ('free?near=1,2,3', 'bad_query', 'near'),
        ('free?near=1,2&near=3,4', 'bad_query', 'near'),
        ('free?near=1,2&limit=0', 'bad_query', 'limit'),
        ('free?near=1,2&limit=1001', 'bad_query', 'limit'),
        ('free?near=1,2&within=-1', 'bad_query', 'within'),
        ('free?near=1,2&within=far', 'bad_query', 'within'),
        ('free?near=1,2&taxi=any1', 'unknown_parameter', None),
        ('all?near=1,2', 'no_near', 'near'),
        ('free?within=5', 'unknown_parameter', None),
    ]
    for query, name, field in table:
        with case(f'{query} is {name} of {field}'):
            rule(http.get('/taxis/' + query), name, field)
    with case('a live stream has no distance'):
        rule(http.get('/taxis/free?near=1,2', {'Accept': 'text/event-stream'}), 'bad_query', 'near')
    with case('the view and its description say what is near'):
        views = {view['name']: view for view in http.get('/taxis').json['views']}
        assert views['free']['near'] == 'lat, lon' and 'near' not in views['all'], views
        paths = http.get('/openapi.json').json['paths']
        names = [p.get('name') for p in paths['/taxis/free']['get']['parameters']]
        assert 'near' in names and 'within' in names, names
        assert 'within' not in json.dumps(paths['/taxis/all'])
        assert 'metres' in json.dumps(paths['/taxis/free']['get']['responses']['200'])


def of_resp(server, taxis):
    def search(*more):
        return redis.call('GEOSEARCH', 'taxis:free', 'FROMLONLAT', *more)

    far = sorted((metres((10, 179), spot), name, spot) for name, spot in taxis.items()
                 if not name.startswith('city'))
    with server.resp() as redis:
        with case('GEOSEARCH: keys, nearest first, which GET takes'):
            keys = search('179', '10', 'BYRADIUS', '30000', 'km', 'ASC', 'COUNT', '20')
            assert [key.decode() for key in keys] == ['taxis:free:' + f[1] for f in far[:20]], keys
            assert json.loads(redis.call('GET', keys[0].decode()))['taxi'] == far[0][1]
        with case('GEOSEARCH with distances and places'):
            answer = search('179', '10', 'BYRADIUS', f'{far[4][0] / 1000 + .01}', 'KM', 'WITHCOORD',
                            'WITHDIST')
            assert len(answer) == 5, answer
            for (key, distance, (lon, lat)), (is_far, name, spot) in zip(answer, far):
                assert key.decode() == 'taxis:free:' + name
                assert abs(float(distance) - is_far / 1000) < 0.0002
                assert (float(lat), float(lon)) == spot
        for words, says in (
                (('taxis:all', 'FROMLONLAT', '1', '2', 'BYRADIUS', '1', 'm'), 'does not say where'),
                (('taxis:free:x', 'FROMLONLAT', '1', '2', 'BYRADIUS', '1', 'm'), 'domain:view'),
                (('taxis:free', 'FROMLONLAT', '1', '91', 'BYRADIUS', '1', 'm'), 'between -90'),
                (('taxis:free', 'FROMLONLAT', '1', '2', 'BYRADIUS', '-1', 'm'), 'BYRADIUS is'),
                (('taxis:free', 'FROMLONLAT', '1', '2', 'BYRADIUS', '1', 'feet'), 'BYRADIUS is'),
                (('taxis:free', 'FROMLONLAT', '1', '2'), 'BYRADIUS r'),
                (('taxis:free', 'BYRADIUS', '1', 'm'), 'missing'),
                (('taxis:free', 'FROMLONLAT', '1'), 'GEOSEARCH domain:view'),
                (('taxis:free', 'FROMLONLAT', '1', '2', 'BYRADIUS', '1', 'm', 'COUNT', '0'),
                 'COUNT'),
                (('taxis:free', 'FROMMEMBER', 'x', 'BYRADIUS', '1', 'm'), 'not known'),
                (('none:free', 'FROMLONLAT', '1', '2', 'BYRADIUS', '1', 'm'), '')):
            with case('GEOSEARCH ' + ' '.join(words) + ' is an error'):
                try:
                    raise AssertionError(redis.call('GEOSEARCH', *words))
                except lib.RespError as error:
                    assert says in str(error), error
        with case('a session finds what it did itself'):
            redis.call('SLUICE.DO', 'taxis.Move',
                       json.dumps({'taxi': 'T7', 'lat': -52.52, 'lon': 13.40095625}))
            keys = search('13.4', '-52.52', 'BYRADIUS', '5', 'km', 'COUNT', '2')
            assert keys == [b'taxis:free:T7'], keys
    with case('redis-py'):
        run = subprocess.run([fetched.python(), '-c', REDIS_PY, str(server.resp_port)], timeout=60,
                             capture_output=True, check=False)
        assert run.returncode == 0, run.stderr


REDIS_PY = """
import redis, sys
for protocol in (2, 3):
    client = redis.Redis(port=int(sys.argv[1]), protocol=protocol)
    args = dict(longitude=13.4, latitude=-52.52, radius=5, unit='km', count=3, sort='ASC')
    assert client.geosearch('taxis:free', **args) == [b'taxis:free:T7']
    rows = client.geosearch('taxis:free', withdist=True, withcoord=True, **args)
    key, distance, (lon, lat) = rows[0]
    assert key == b'taxis:free:T7' and abs(distance - 0.0647) < 0.0001, rows
    assert (lon, lat) == (13.40095625, -52.52), rows
"""


def main():
    module = os.environ.get('TAXIS', '')
    if not os.access(module, os.R_OK):
        lib.skip_all('the environment names no module with the test domain (TAXIS)')
    with lib.Server(config=f'[domain taxis]\nmodule = {module}\n') as server:
        taxis = some_taxis()
        position = move(server.http, taxis)
        of_http(server.http, taxis, position)
        wrong(server.http)
        of_resp(server, taxis)
    lib.done()


main()
