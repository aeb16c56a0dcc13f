"""Nearby queries: taxis and where they are."""
import json
import math
import os
import random

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


def main():
    module = os.environ.get('TAXIS', '')
    if not os.access(module, os.R_OK):
        lib.skip_all('the environment names no module with the test domain (TAXIS)')
    with lib.Server(config=f'[domain taxis]\nmodule = {module}\n') as server:
        taxis = some_taxis()
        position = move(server.http, taxis)
        of_http(server.http, taxis, position)
        wrong(server.http)
    lib.done()


main()
