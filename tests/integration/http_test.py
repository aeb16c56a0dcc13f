"""Commands and single rows over HTTP: outcomes, errors, ids, rights."""
import gzip
import json
import socket

import desks
import lib
from desks import ADA, DAY, EVE, MALLORY, bearer, book, uuid
from lib import case


def rule(reply, status, name):
    assert reply.status == status, reply
    assert reply.headers['content-type'] == 'application/problem+json', reply
    body = reply.json
    assert body['rule'] == name and body['status'] == status, reply
    assert body['type'] == '/errors/' + name and body['title'], reply
    return body


def commands(http):
    with case('an accepted command says what happened and where'):
        reply = http.post('/desks/BookDesk', book(1, 'A4'))
        assert reply.status == 201, reply
        assert reply.json['events'] == [
            {'type': 'DeskBooked', 'stream': f'desk-day/A4,{DAY}', 'revision': 0}], reply
        assert reply.json['position'] == reply.position, reply
    with case('its row is there, as of its position'):
        row = http.get('/desks/bookings/' + uuid(1), {'Sluice-Position': reply.position})
        assert row.status == 200 and row.json == book(1, 'A4'), row
    with case('a refusal names its rule and says it in words'):
        body = rule(http.post('/desks/BookDesk', book(2, 'A4')), 422, 'desk_taken')
        assert body['detail'] == f'desk A4 is taken on {DAY}', body
        assert body['id'] and body['position'], body
    with case('optional fields come and go'):
        assert http.post('/desks/BookDesk', book(3, 'B1', seats=2)).status == 201
        assert http.get('/desks/bookings/' + uuid(3)).json['seats'] == 2


def bodies(http):
    table = [
        ({**book(9, 'A9'), 'desc': 'A9'}, 'unknown_field', 'desc'),
        ({**book(9, 'A9'), 'desk': ''}, 'required', 'desk'),
        ({**book(9, 'A9'), 'desk': 'x' * 17}, 'length', 'desk'),
        ({**book(9, 'A9'), 'day': '2026-02-30'}, 'format', 'day'),
        ({**book(9, 'A9'), 'id': 'nine'}, 'format', 'id'),
        ({**book(9, 'A9'), 'who': 7}, 'type', 'who'),
        ({**book(9, 'A9'), 'seats': 9}, 'range', 'seats'),
        ('{"id"', 'syntax', None),
        ('', 'syntax', None),
        (b'{"desk": "\xff"}', 'utf8', None),
        ('{"desk":"A1","desk":"A2"}', 'duplicate_field', 'desk'),
    ]
    for body, name, field in table:
        with case(f'a body that breaks {name}'):
            headers = {'Content-Type': 'application/json'}
            problem = rule(http.post('/desks/BookDesk', body, headers), 400, name)
            assert problem.get('field') == field, problem
    with case('a body of another type'):
        rule(http.post('/desks/BookDesk', 'a=b', {'Content-Type': 'text/plain'}), 415,
             'unsupported_media_type')
    with case('JSON with parameters is JSON'):
        assert http.post('/desks/BookDesk', json.dumps(book(10, 'C1')),
                         {'Content-Type': 'application/json; charset=utf-8'}).status == 201


def ids(http):
    key = {'Idempotency-Key': 'once'}
    with case('the same id gets the same reply, and nothing happens twice'):
        first = http.post('/desks/BookDesk', book(20, 'D1'), key)
        again = http.post('/desks/BookDesk', book(20, 'D1'), key)
        assert first.status == again.status == 201 and first.body == again.body, again
        assert 'idempotent-replayed' not in first.headers, first
        assert again.headers['idempotent-replayed'] == 'true', again
        assert len(http.get(f'/desks/streams/desk-day/D1,{DAY}').json['events']) == 1
    with case('a refusal is remembered, too'):
        refused = http.post('/desks/BookDesk', book(21, 'D1'), {'Idempotency-Key': 'no'})
        assert http.post('/desks/CancelBooking', book(20, 'D1'), bearer(ADA)).status == 201
        again = http.post('/desks/BookDesk', book(21, 'D1'), {'Idempotency-Key': 'no'})
        assert refused.status == again.status == 422 and again.body == refused.body, again
    with case('the same id with another body is an error'):
        rule(http.post('/desks/BookDesk', book(22, 'D1'), key), 422, 'id_reused')
    with case('or from somebody else'):
        rule(http.post('/desks/BookDesk', book(20, 'D1'), {**key, **bearer(ADA)}), 422, 'id_reused')
    with case('a quoted id is the id'):
        again = http.post('/desks/BookDesk', book(20, 'D1'), {'Idempotency-Key': '"once"'})
        assert again.body == first.body, again
    with case('ids that are none'):
        for bad in ('""', 'x' * 257):
            reply = http.post('/desks/BookDesk', book(23, 'D2'), {'Idempotency-Key': bad})
            rule(reply, 400, 'bad_id')
    with case('a revision that is expected'):
        def expect(revision, desk):
            return http.post('/desks/BookDesk', book(24, desk),
                             {'Sluice-Expected-Revision': revision})
        rule(expect('0', 'D3'), 409, 'unexpected_revision')
        assert expect('none', 'D3').status == 201
        rule(expect('none', 'D3'), 409, 'unexpected_revision')
        rule(expect('7', 'D3'), 409, 'unexpected_revision')
        rule(expect('0', 'D3'), 422, 'desk_taken')
        for bad in ('x', '', '-1'):
            rule(expect(bad, 'D3'), 400, 'bad_revision')
    conditions(http)


def conditions(http):
    def unless(condition, desk, day='2099-01-01'):
        return http.post('/desks/BookDesk', {**book(25, desk), 'day': day},
                         {'Sluice-Unless-Tagged': condition})
    with case('nothing with a tag, ever'):
        first = unless('desk:T1', 'T1')
        assert first.status == 201, first
        again = unless('desk:T1', 'T1', '2099-01-02')
        rule(again, 409, 'conflict')
        assert 'desk:T1' in again.json['detail'] and again.json['position'], again
    with case('nothing with these tags since a position'):
        since = f'desk:T1 desk:T2; since={first.position}'
        second = unless(since, 'T2')
        assert second.status == 201, second
        rule(unless(since, 'T1', '2099-01-02'), 409, 'conflict')
        assert unless(f'desk:T1; since={first.position}', 'T1', '2099-01-02').status == 201
        assert unless(f'desk:T3;since="{second.position}"', 'T3').status == 201
    with case('conditions that are none'):
        for bad in ('', 'desk', ':7', 'desk:1; until=3', 'desk:1;', 'a:' + 'b' * 127,
                    ' '.join(f'desk:{i}' for i in range(17)), '; since=' + first.position):
            rule(unless(bad, 'T4'), 400, 'bad_condition')
        rule(unless('desk:1; since=x', 'T4'), 400, 'bad_position')
        rule(unless('desk:1; since=desks:0000000000000000:1', 'T4'), 409, 'other_history')
        rule(http.post('/desks/BookDesk', [book(25, 'T4')], {'Sluice-Unless-Tagged': 'desk:1'}),
             400, 'bad_condition')
        assert unless('desk:T4', 'T4').status == 201


def arrays(http):
    key = {'Idempotency-Key': 'many'}
    items = [book(30, 'E1'), book(31, 'E1'), {'desk': 'E2'}, book(32, 'E2')]
    with case('an array has an outcome per item, in order'):
        reply = http.post('/desks/BookDesk', items, key)
        assert reply.status == 200 and reply.position, reply
        assert [item['status'] for item in reply.json] == [201, 422, 400, 201], reply
        assert reply.json[1]['rule'] == 'desk_taken', reply
        assert len({item['id'] for item in reply.json}) == 4, reply
    with case('and can be repeated as a whole'):
        assert http.post('/desks/BookDesk', items, key).json == reply.json
    with case('an empty one'):
        assert http.post('/desks/BookDesk', []).json == []
    with case('a large one'):
        many = [book(1000 + i, f'F{i}') for i in range(8190)]
        reply = http.post('/desks/BookDesk', many)
        assert reply.status == 200, reply.status
        assert all(item['status'] == 201 for item in reply.json)
        assert len(reply.json) == 8190
    with case('one that is too large'):
        rule(http.post('/desks/BookDesk', many + [book(1, 'Z')]), 413, 'too_many_items')
    with case('what is no array of objects'):
        reply = http.post('/desks/BookDesk', [1])
        assert reply.status == 400 or reply.json[0]['rule'] == 'type', reply


def rows(http):
    with case('an entity tag saves sending a row again'):
        reply = http.get('/desks/bookings/' + uuid(1))
        tag = reply.headers['etag']
        same = http.get('/desks/bookings/' + uuid(1), {'If-None-Match': f'"x", W/{tag}'})
        assert same.status == 304 and same.body == b'' and same.headers['etag'] == tag, same
        assert http.get('/desks/bookings/' + uuid(1), {'If-None-Match': '"x"'}).status == 200
    with case('HEAD says what GET says, without the body'):
        head = http.request('HEAD', '/desks/bookings/' + uuid(1))
        assert head.status == 200 and head.body == b'', head
        assert head.headers['content-length'] == reply.headers['content-length'], head
    with case('keys have one form, however they are written'):
        assert http.post('/desks/BookDesk', book(40, 'a/b,c:%')).status == 201
        for key in ('a%2Fb%2Cc%3A%25', 'a%2fb%2cc:%25', '%61%2Fb%2Cc%3a%25'):
            row = http.get(f'/desks/days/{key},{DAY}')
            assert row.status == 200 and row.json['desk'] == 'a/b,c:%', row
        assert http.get('/desks/bookings/' + uuid(0xabcdef)).status == 404
        assert http.post('/desks/BookDesk', book(0xabcdef, 'G1')).status == 201
        assert http.get('/desks/bookings/' + uuid(0xabcdef).upper()).status == 200
    with case('rows that are not there'):
        rule(http.get('/desks/bookings/' + uuid(77)), 404, 'no_row')
        rule(http.get('/desks/bookings/nonsense'), 404, 'no_row')
        rule(http.get('/desks/bookings/%FF'), 404, 'no_row')
        rule(http.get(f'/desks/days/A4,{DAY},x'), 404, 'no_row')
    with case('a strong view has applied what was answered'):
        for i in range(20):
            assert http.post('/desks/BookDesk', book(50 + i, f'H{i}')).status == 201
            assert http.get(f'/desks/days/H{i},{DAY}').status == 200


def paths(http):
    table = [
        ('GET', '/nothing', 404, 'unknown_domain'),
        ('GET', '/desks/nothing', 404, 'unknown_view'),
        ('POST', '/desks/Nothing', 404, 'unknown_command'),
        ('GET', '/desks/BookDesk', 405, 'method_not_allowed'),
        ('POST', '/desks/bookings', 405, 'method_not_allowed'),
        ('DELETE', '/desks/bookings/1', 405, 'method_not_allowed'),
        ('GET', '/a/b/c/d', 404, 'not_found'),
        ('GET', '/desks/bookings/a/b', 404, 'not_found'),
        ('GET', '/admin', 404, 'not_found'),
        ('GET', '/desks/bookings/1?color=red', 400, 'unknown_parameter'),
        ('GET', '/desks?x=1', 400, 'unknown_parameter'),
        ('GET', '/ui/nothing', 404, 'not_found'),
    ]
    for method, path, status, name in table:
        with case(f'{method} {path} is {name}'):
            reply = http.request(method, path)
            rule(reply, status, name)
            assert (status == 405) == ('allow' in reply.headers), reply
    with case('OPTIONS says what an address takes'):
        assert http.request('OPTIONS', '/desks/BookDesk').headers['allow'] == 'POST, OPTIONS'
        assert http.request('OPTIONS', '/desks/bookings').headers['allow'] == 'GET, HEAD, OPTIONS'


def rights(server):
    http = server.http
    with case('a command for a role'):
        rule(http.post('/desks/CancelBooking', book(1, 'A4')), 401, 'unauthorized')
        rule(http.post('/desks/CancelBooking', book(1, 'A4'), bearer(EVE)), 403, 'forbidden')
        assert http.post('/desks/CancelBooking', book(1, 'A4'), bearer(ADA)).status == 201
    with case('a view for a role'):
        rule(http.get('/desks/ledger'), 401, 'unauthorized')
        rule(http.get('/desks/ledger/' + uuid(3), bearer(ADA)), 403, 'forbidden')
        assert http.get('/desks/ledger', bearer(EVE)).status == 200
    with case('and then the log is not for everybody, either'):
        rule(server.stranger.get('/desks/events'), 401, 'unauthorized')
        rule(http.get(f'/desks/streams/desk-day/A4,{DAY}', bearer(ADA)), 403, 'forbidden')
        assert http.get('/desks/events', bearer(EVE)).status == 200
    with case('what only processes send'):
        rule(http.post('/desks/Sweep', book(1, 'A4'), bearer(server.admin)), 403, 'forbidden')
    with case('a token that nobody has'):
        rule(http.get('/desks', bearer('nobody-has-this-token')), 401, 'unauthorized')
        rule(http.get('/desks', {'Authorization': 'Basic YTpi'}), 401, 'unauthorized')
    with case('a token whose roles are none of these'):
        rule(http.get('/desks/ledger', bearer(MALLORY)), 403, 'forbidden')
    with case('operations are the admin\'s'):
        rule(server.stranger.get('/admin/status'), 401, 'unauthorized')
        rule(http.get('/admin/status', bearer(ADA)), 403, 'forbidden')
        assert http.get('/admin/status', bearer(server.admin)).json['ready'] is True
        rule(server.stranger.post('/admin/shutdown', {}), 401, 'unauthorized')
    with case('no other site can ask'):
        rule(http.get('/desks', {'Host': 'evil.example'}), 403, 'unknown_host')
        rule(http.get('/healthz', {'Host': f'localhost.evil.example:{server.port}'}), 403,
             'unknown_host')
        rule(http.post('/desks/BookDesk', book(60, 'K1'), {'Origin': 'http://evil.example'}), 403,
             'foreign_origin')
        rule(http.get('/live', {'Origin': 'null', 'Accept': 'text/event-stream'}), 403,
             'foreign_origin')
        own = {'Origin': f'http://127.0.0.1:{server.port}', 'Host': f'127.0.0.1:{server.port}'}
        assert http.get('/desks', own).status == 200
    with case('a configured site can'):
        friend = {'Origin': 'https://desks.example'}
        reply = http.get('/desks', friend)
        assert reply.headers['access-control-allow-origin'] == 'https://desks.example', reply
        reply = http.request('OPTIONS', '/desks/BookDesk', None, friend)
        assert 'Idempotency-Key' in reply.headers['access-control-allow-headers'], reply
        assert http.get('/desks', {'Host': 'desks.example'}).status == 200
    with case('and whatever is kept of answers is kept by site'):
        for headers in ({}, friend):
            assert 'Origin' in varies(http, '/desks', headers), headers


def varies(http, path, headers):
    """What the answer says it depends on, of all its headers of that name."""
    with socket.create_connection(('127.0.0.1', http.port), 20) as raw:
        lines = [f'GET {path} HTTP/1.1', 'Host: localhost', 'Connection: close']
        lines += [f'{name}: {value}' for name, value in headers.items()]
        raw.sendall('\r\n'.join(lines + ['', '']).encode())
        head = raw.makefile('rb').read().partition(b'\r\n\r\n')[0].decode().split('\r\n')
    return {line[6:] for line in head if line.startswith('Vary: ')}


def packed(http):
    gzip_too = {'Accept-Encoding': 'br;q=1, gzip;q=0.8'}
    with case('a long answer comes packed to those who take it'):
        plain, reply = http.get('/openapi.json'), http.get('/openapi.json', gzip_too)
        assert reply.headers['content-encoding'] == 'gzip', reply
        assert gzip.decompress(reply.body) == plain.body
        assert len(reply.body) == int(reply.headers['content-length']) < len(plain.body) / 3
        assert 'content-encoding' not in plain.headers
        for headers in ({}, gzip_too):
            assert 'Accept-Encoding' in varies(http, '/openapi.json', headers), headers
    with case('its ETag is weak, and is known again'):
        tag = reply.headers['etag']
        assert tag == 'W/' + plain.headers['etag'], (tag, plain.headers)
        same = http.get('/openapi.json', {**gzip_too, 'If-None-Match': tag})
        assert same.status == 304 and same.body == b'', same
    with case('HEAD says what GET would'):
        head = http.request('HEAD', '/openapi.json', None, gzip_too)
        assert head.headers['content-length'] == reply.headers['content-length'], head
        assert head.headers['content-encoding'] == 'gzip' and head.body == b''
    with case('a short one comes as it is'):
        reply = http.get('/readyz', gzip_too)
        assert 'content-encoding' not in reply.headers, reply
        assert 'Accept-Encoding' not in varies(http, '/readyz', gzip_too)
        assert 'Accept-Encoding' not in varies(http, '/desks/NoDesk', gzip_too)


def documents(http):
    with case('every error has a page'):
        for error in http.get('/errors/').json['errors']:
            page = http.get('/errors/' + error['rule'], {'Accept': 'text/html'})
            assert page.status == 200 and b'What to do' in page.body, page
    with case('a domain is named that refused by a rule'):
        assert http.get('/errors/desk_taken').json['domains'] == ['desks']
        assert http.get('/errors/never_seen').json['domains'] == []
    with case('OpenAPI describes every command and view'):
        api = http.get('/openapi.json').json
        assert api['openapi'] == '3.1.0'
        for path in ('/desks/BookDesk', '/desks/bookings', '/desks/bookings/{key}', '/desks/events',
                     '/desks/streams/{aggregate}/{key}', '/admin/status'):
            assert path in api['paths'], path
        assert '/desks/Sweep' not in api['paths']
        ids = [operation['operationId'] for path in api['paths'].values()
               for operation in path.values()]
        assert len(ids) == len(set(ids)), ids
        names = set(api['components']['schemas'])
        text = json.dumps(api)
        for part in text.split('"#/components/schemas/')[1:]:
            assert part.split('"')[0] in names, part
    with case('metrics are numbers'):
        lines = http.get('/metrics').text.splitlines()
        values = {}
        for line in lines:
            if not line.startswith('#'):
                name, value = line.rsplit(' ', 1)
                assert name not in values, name
                values[name] = float(value)
        assert values['sluice_commands_accepted_total{domain="desks"}'] > 8000
        assert values['process_resident_memory_bytes'] > 1e6
        for stage in 'command', 'decision':
            assert values[f'sluice_{stage}_seconds_count{{domain="desks"}}'] > 8000, stage
        decision, command = (values[f'sluice_{stage}_seconds_sum{{domain="desks"}}']
                             for stage in ('decision', 'command'))
        assert 0 < decision < command
        assert 0 < values['sluice_append_seconds_count{domain="desks"}'] <= \
            values['sluice_batches_total{domain="desks"}']
        assert values['sluice_view_position{domain="desks",view="days"}'] == \
            values['sluice_durable_position{domain="desks"}']
    with case('an index for programs'):
        domains = http.get('/').json['domains']
        assert 'desks' in [domain['name'] for domain in domains], domains
        about = http.get('/desks').json
        assert [c['name'] for c in about['commands']] == ['BookDesk', 'CancelBooking'], about


def wire(server):
    with case('requests one behind the other are answered in order'):
        with socket.create_connection(('127.0.0.1', server.port), 10) as wire:
            body = json.dumps(book(70, 'L1')).encode()
            wire.sendall(b'POST /desks/BookDesk HTTP/1.1\r\nHost: localhost\r\nContent-Type: '
                         b'application/json\r\nContent-Length: %d\r\n\r\n%s' % (len(body), body) +
                         b'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
            answer = wire.makefile('rb').read()
        assert answer.index(b'HTTP/1.1 201') < answer.index(b'HTTP/1.1 200'), answer


def main():
    more = '[auth]\norigins = https://desks.example\nhosts = desks.example'
    with desks.server(more=more) as server:
        with open(server.data + '/admin.token', encoding='ascii') as file:
            server.admin = file.read().strip()
        server.stranger = lib.Http(server.port)
        server.http.headers = {}
        commands(server.http)
        bodies(server.http)
        ids_http = lib.Http(server.port)
        with_log = ids_http.get
        ids_http.get = lambda path, headers=None: with_log(path, {**bearer(EVE), **(headers or {})})
        ids(ids_http)
        arrays(server.http)
        rows(server.http)
        paths(server.http)
        rights(server)
        documents(server.http)
        packed(server.http)
        wire(server)
        with case('the server still runs, and stops when told'):
            assert server.stop() == 0, server.child.output()
    lib.done()


main()
