"""Routes of a domain's own: raw bodies in and out, commands in order, rights, limits, mistakes."""
import os
import struct

import lib
from lib import case

ADA = 'the-token-of-ada-the-keeper'
BOB = 'the-token-of-bob-who-only-puts'
BINARY = {'Content-Type': 'application/octet-stream'}
NONE = 2**64 - 1


def bearer(token):
    return {'Authorization': f'Bearer {token}'}


def batch(http, puts, operation='put', **headers):
    body = b''.join(struct.pack('<IIQ', *put, *[0] * (3 - len(put))) for put in puts)
    return http.request('POST', f'/shelves/batch/{operation}', body,
                        {**BINARY, **{name.replace('_', '-'): value
                                      for name, value in headers.items()}})


def outcomes(reply):
    assert reply.status == 200, reply
    assert reply.headers['content-type'] == 'application/octet-stream', reply
    return list(struct.iter_unpack('<IIQ', reply.body))


def rule(reply, status, name):
    assert reply.status == status and reply.json['rule'] == name, reply
    return reply.json


def commands(http):
    with case('records in, records out, in order, each seeing those before it'):
        reply = batch(http, [(1, 600), (1, 600), (1, 400), (2, 1000), (1, 1)])
        assert outcomes(reply) == [(201, 0, 0), (422, 1, NONE), (201, 0, 1), (201, 0, 2),
                                   (422, 1, NONE)], outcomes(reply)
    with case('the answer says the position'):
        assert reply.position.startswith('shelves:') and reply.position.endswith(':3'), reply
        row = http.get('/shelves/rows/1', {'Sluice-Position': reply.position})
        assert row.json['held'] == 1000, row
    with case('no records'):
        assert outcomes(batch(http, [])) == []
    with case('a record that breaks a rule of its fields refuses itself alone'):
        assert outcomes(batch(http, [(3, 5001), (3, 5)])) == [(400, 3, NONE), (201, 0, 3)]
    with case('the same request again is the same'):
        first = batch(http, [(4, 1), (4, 2000), (4, 2)], Idempotency_Key='again')
        second = batch(http, [(4, 1), (4, 2000), (4, 2)], Idempotency_Key='again')
        assert outcomes(first) == outcomes(second), (first, second)
        assert http.get('/shelves/rows/4',
                        {'Sluice-Position': second.position}).json['held'] == 3
    with case('its id with another body is not'):
        assert [o[:2] for o in outcomes(batch(http, [(4, 7)], Idempotency_Key='again'))] == \
            [(422, 9)]
    with case('ids of the records hold over requests'):
        assert outcomes(batch(http, [(5, 1, 77)]))[0][0] == 201
        reply = outcomes(batch(http, [(5, 3), (5, 1, 77), (5, 2, 77)]))
        assert [o[0] for o in reply] == [201, 201, 422], reply
        assert http.get('/shelves/rows/5').json['held'] == 4
    with case('8,189 records, chunked or not'):
        reply = outcomes(batch(http, [(100 + n % 7, 0) for n in range(8189)]))
        assert len(reply) == 8189 and {o[0] for o in reply} == {201}
        places = [o[2] for o in reply]
        assert places == list(range(places[0], places[0] + 8189))
    with case('one more is too much for the route'):
        rule(batch(http, [(1, 1)] * 8190), 413, 'body_too_large')


def look(http, *shelves, **headers):
    reply = http.request('POST', '/shelves/lookup', struct.pack(f'<{len(shelves)}I', *shelves),
                         {**BINARY, **{k.replace('_', '-'): v for k, v in headers.items()}})
    assert reply.status == 200, reply
    return list(struct.iter_unpack('<IIQ', reply.body)), reply


def reads(server, http):
    gone = (NONE & 0xffffffff, 0, 0)
    with case('rows by their keys, in order, and those that are not there'):
        position = batch(http, [(50, 3), (51, 4), (50, 5)]).position
        rows, reply = look(http, 51, 999999, 50, Sluice_Position=position)
        assert rows == [(51, 1, 4), gone, (50, 2, 8)], rows
        assert int(reply.position.split(':')[2]) >= int(position.split(':')[2])
    with case('8,189 rows'):
        rows, _ = look(http, *[50 + n % 3 for n in range(8189)])
        assert len(rows) == 8189 and set(rows) == {(50, 2, 8), (51, 1, 4), gone}
    with case('a visit sees what its own commands did'):
        for n in range(1, 200):
            reply = http.request('PUT', '/shelves/touch/52')
            assert struct.unpack('<IIQ', reply.body) == (52, n, n), reply
    with case('a position that is not reached is said so'):
        far = position.rsplit(':', 1)[0] + ':999999999'
        reply = http.request('POST', '/shelves/lookup', struct.pack('<I', 1),
                             {**BINARY, 'Sluice-Position': far, 'Sluice-Timeout': '10'})
        rule(reply, 409, 'other_history')
    with case('a stretch of an index, page by page'):
        batch(http, [(n, 1000) for n in range(60, 66)])
        batch(http, [(n, 999) for n in range(66, 70)])
        position = batch(http, [(70, 998)]).position
        seen, after = [], ''
        while True:
            reply = http.get(f'/shelves/top?limit=4&full=1&after={after}',
                             {'Sluice-Position': position})
            assert reply.status == 200, reply
            seen += [int(line.split()[0]) for line in reply.text.splitlines()]
            after = reply.headers['x-next']
            if not after:
                break
        assert [n for n in seen if n >= 60] == [65, 64, 63, 62, 61, 60], seen
        top = http.get('/shelves/top?limit=1000').text.splitlines()
        held = [int(line.split()[1]) for line in top]
        assert held == sorted(held, reverse=True) and held[-1] == 0 and len(held) > 20, held
        rule(http.get('/shelves/top?limit=4&after=nonsense'), 400, 'bad_cursor')
    with case('events by their tag'):
        batch(http, [(80, n) for n in range(1, 6)])
        batch(http, [(80, 0)], 'clear')
        lines = http.get('/shelves/history/80?limit=100').text.splitlines()
        assert lines[:6] == [f'ThingPut 80 {n}' for n in range(1, 6)] + ['ShelfCleared 80 0'], lines
        assert lines[6].endswith(' end')
    with case('page by page, and backwards'):
        first = http.get('/shelves/history/80?limit=2').text.splitlines()
        assert first[:2] == ['ThingPut 80 1', 'ThingPut 80 2'] and 'end' not in first[2], first
        second = http.get(f'/shelves/history/80?limit=2&from={first[2]}').text.splitlines()
        assert second[:2] == ['ThingPut 80 3', 'ThingPut 80 4'], second
        back = http.get('/shelves/history/80?limit=2&backwards=1').text.splitlines()
        assert back[:2] == ['ShelfCleared 80 0', 'ThingPut 80 5'], back
        assert http.get('/shelves/history/81?limit=5').text.endswith(' end\n')
    with case('the roles of a view and of the log hold within a route'):
        bob = lib.Http(server.port, bearer(BOB))
        rule(bob.get('/shelves/hidden'), 403, 'forbidden')
        rule(bob.get('/shelves/history/80?limit=5'), 403, 'forbidden')
        assert bob.get('/shelves/open-history/80?limit=1').text.startswith('ThingPut 80 1\n')


def texts(server, http):
    with case('a route at the root, with text and parameters'):
        reply = http.request('POST', '/put-line?db=x&precision=s', b'20 1\n21 2\n',
                             {'Content-Type': 'text/plain; charset=utf-8'})
        assert reply.status == 204 and reply.body == b'', reply
        assert reply.headers['x-lines'] == 'all  X-Evil: 1', reply
        assert 'x-evil' not in reply.headers, reply
    with case('a domain\'s own refusal'):
        body = rule(http.request('POST', '/put-line', b'20 1001\n', {'Content-Type': 'text/plain'}),
                    422, 'line_refused')
        assert body['field'] == 'shelf_full' and 'too many' in body['detail']
    with case('another parameter is refused'):
        rule(http.request('POST', '/put-line?u=x', b'', {'Content-Type': 'text/plain'}), 400,
             'unknown_parameter')
    with case('another type of body'):
        rule(http.request('POST', '/put-line', b'{}', {'Content-Type': 'application/json'}), 415,
             'unsupported_media_type')
    with case('other methods, and what there is'):
        reply = http.request('GET', '/put-line')
        assert rule(reply, 405, 'method_not_allowed') and reply.headers['allow'] == 'POST, OPTIONS'
        reply = http.request('OPTIONS', '/shelves/mistakes/x')
        assert reply.status == 204 and reply.headers['allow'] == 'GET, HEAD, OPTIONS'
    with case('other addresses stay what they are'):
        rule(http.get('/shelves/batch'), 404, 'unknown_view')
        rule(http.request('POST', '/shelves/batch/', b'', BINARY), 404, 'not_found')
        rule(http.get('/put-line/x'), 404, 'unknown_domain')


def rights(server):
    with case('the roles of a route'):
        bob = lib.Http(server.port, bearer(BOB))
        rule(bob.request('POST', '/put-line', b'', {'Content-Type': 'text/plain'}), 403,
             'forbidden')
        nobody = lib.Http(server.port)
        rule(nobody.request('POST', '/put-line', b'', {'Content-Type': 'text/plain'}), 401,
             'unauthorized')
    with case('the roles of a command within a route'):
        assert outcomes(batch(bob, [(30, 5)]))[0][0] == 201
        assert outcomes(batch(bob, [(30, 0)], 'clear')) == [(403, 2, NONE)]
    with case('pages of others are refused'):
        rule(bob.request('POST', '/shelves/batch/put', b'',
                         {**BINARY, 'Origin': 'http://evil.example'}), 403, 'foreign_origin')
        rule(bob.request('POST', '/shelves/batch/put', b'', {**BINARY, 'Host': 'evil.example'}),
             403, 'unknown_host')


def mistakes(http):
    def faults():
        return sum(float(line.split()[-1]) for line in http.get('/metrics').text.splitlines()
                   if line.startswith('sluice_route_faults_total{'))

    with case('who answers twice has answered once'):
        before = faults()
        reply = http.get('/shelves/mistakes/twice')
        assert reply.status == 200 and reply.body == b'one', reply
        assert faults() == before + 1
    for kind in ['never', 'lost', 'unknown', 'status']:
        with case(f'a route that does wrong: {kind}'):
            before = faults()
            rule(http.get('/shelves/mistakes/' + kind), 500, 'route_failed')
            assert faults() == before + 1, (before, faults())
    with case('a route that wants too much memory'):
        rule(http.get('/shelves/mistakes/memory'), 503, 'no_memory')
    with case('and the server lives on'):
        assert http.get('/shelves/mistakes/twice').status == 200


def main():
    module = os.environ.get('SHELVES', '')
    if not os.access(module, os.R_OK):
        lib.skip_all('the environment names no module with the test domain (SHELVES)')
    config = f"""
[domain shelves]
module = {module}
[token ada]
secret = {ADA}
roles = user keeper auditor
[token bob]
secret = {BOB}
roles = user
"""
    with lib.Server(config=config) as server:
        http = lib.Http(server.port, bearer(ADA))
        commands(http)
        reads(server, http)
        texts(server, http)
        rights(server)
        mistakes(http)
    lib.done()


main()
