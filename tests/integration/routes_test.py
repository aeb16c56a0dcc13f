"""Routes of a domain's own: raw bodies in and out, commands in order, rights, limits, mistakes."""
import http.client
import os
import socket
import struct
import subprocess

import lib
from lib import case

ADA = 'the-token-of-ada-the-keeper'
BOB = 'the-token-of-bob-who-only-puts'
BINARY = {'Content-Type': 'application/octet-stream'}
NONE = 2**64 - 1


def bearer(token):
    return {'Authorization': f'Bearer {token}'}


def batch(http_, puts, operation='put', **headers):
    body = b''.join(struct.pack('<IIQ', *put, *[0] * (3 - len(put))) for put in puts)
    return http_.request('POST', f'/shelves/batch/{operation}', body,
                        {**BINARY, **{name.replace('_', '-'): value
                                      for name, value in headers.items()}})


def outcomes(reply):
    assert reply.status == 200, reply
    assert reply.headers['content-type'] == 'application/octet-stream', reply
    return list(struct.iter_unpack('<IIQ', reply.body))


def rule(reply, status, name):
    assert reply.status == status and reply.json['rule'] == name, reply
    return reply.json


def commands(http_):
    with case('records in, records out, in order, each seeing those before it'):
        reply = batch(http_, [(1, 600), (1, 600), (1, 400), (2, 1000), (1, 1)])
        assert outcomes(reply) == [(201, 0, 0), (422, 1, NONE), (201, 0, 1), (201, 0, 2),
                                   (422, 1, NONE)], outcomes(reply)
    with case('the answer says the position'):
        assert reply.position.startswith('shelves:') and reply.position.endswith(':3'), reply
        row = http_.get('/shelves/rows/1', {'Sluice-Position': reply.position})
        assert row.json['held'] == 1000, row
    with case('no records'):
        assert outcomes(batch(http_, [])) == []
    with case('a record that breaks a rule of its fields refuses itself alone'):
        assert outcomes(batch(http_, [(3, 5001), (3, 5)])) == [(400, 3, NONE), (201, 0, 3)]
    with case('the same request again is the same'):
        first = batch(http_, [(4, 1), (4, 2000), (4, 2)], Idempotency_Key='again')
        second = batch(http_, [(4, 1), (4, 2000), (4, 2)], Idempotency_Key='again')
        assert outcomes(first) == outcomes(second), (first, second)
        assert http_.get('/shelves/rows/4',
                        {'Sluice-Position': second.position}).json['held'] == 3
    with case('its id with another body is not'):
        assert [o[:2] for o in outcomes(batch(http_, [(4, 7)], Idempotency_Key='again'))] == \
            [(422, 9)]
    with case('ids of the records hold over requests'):
        assert outcomes(batch(http_, [(5, 1, 77)]))[0][0] == 201
        reply = outcomes(batch(http_, [(5, 3), (5, 1, 77), (5, 2, 77)]))
        assert [o[0] for o in reply] == [201, 201, 422], reply
        assert http_.get('/shelves/rows/5').json['held'] == 4
    with case('8,189 records, chunked or not'):
        reply = outcomes(batch(http_, [(100 + n % 7, 0) for n in range(8189)]))
        assert len(reply) == 8189 and {o[0] for o in reply} == {201}
        places = [o[2] for o in reply]
        assert places == list(range(places[0], places[0] + 8189))
    with case('one more is too much for the route'):
        rule(batch(http_, [(1, 1)] * 8190), 413, 'body_too_large')


def look(http_, *shelves, **headers):
    reply = http_.request('POST', '/shelves/lookup', struct.pack(f'<{len(shelves)}I', *shelves),
                         {**BINARY, **{k.replace('_', '-'): v for k, v in headers.items()}})
    assert reply.status == 200, reply
    return list(struct.iter_unpack('<IIQ', reply.body)), reply


def reads(server, http_):
    gone = (NONE & 0xffffffff, 0, 0)
    with case('rows by their keys, in order, and those that are not there'):
        position = batch(http_, [(50, 3), (51, 4), (50, 5)]).position
        rows, reply = look(http_, 51, 999999, 50, Sluice_Position=position)
        assert rows == [(51, 1, 4), gone, (50, 2, 8)], rows
        assert int(reply.position.split(':')[2]) >= int(position.split(':')[2])
    with case('8,189 rows'):
        rows, _ = look(http_, *[50 + n % 3 for n in range(8189)])
        assert len(rows) == 8189 and set(rows) == {(50, 2, 8), (51, 1, 4), gone}
    with case('a visit sees what its own commands did'):
        for n in range(1, 200):
            reply = http_.request('PUT', '/shelves/touch/52')
            assert struct.unpack('<IIQ', reply.body) == (52, n, n), reply
    with case('a position that is not reached is said so'):
        far = position.rsplit(':', 1)[0] + ':999999999'
        reply = http_.request('POST', '/shelves/lookup', struct.pack('<I', 1),
                             {**BINARY, 'Sluice-Position': far, 'Sluice-Timeout': '10'})
        rule(reply, 409, 'other_history')
    with case('a stretch of an index, page by page'):
        batch(http_, [(n, 1000) for n in range(60, 66)])
        batch(http_, [(n, 999) for n in range(66, 70)])
        position = batch(http_, [(70, 998)]).position
        seen, after = [], ''
        while True:
            reply = http_.get(f'/shelves/top?limit=4&full=1&after={after}',
                             {'Sluice-Position': position})
            assert reply.status == 200, reply
            seen += [int(line.split()[0]) for line in reply.text.splitlines()]
            after = reply.headers['x-next']
            if not after:
                break
        assert [n for n in seen if n >= 60] == [65, 64, 63, 62, 61, 60], seen
        top = http_.get('/shelves/top?limit=1000').text.splitlines()
        held = [int(line.split()[1]) for line in top]
        assert held == sorted(held, reverse=True) and held[-1] == 0 and len(held) > 20, held
        rule(http_.get('/shelves/top?limit=4&after=nonsense'), 400, 'bad_cursor')
    with case('events by their tag'):
        batch(http_, [(80, n) for n in range(1, 6)])
        batch(http_, [(80, 0)], 'clear')
        lines = http_.get('/shelves/history/80?limit=100').text.splitlines()
        assert lines[:6] == [f'ThingPut 80 {n}' for n in range(1, 6)] + ['ShelfCleared 80 0'], lines
        assert lines[6].endswith(' end')
    with case('page by page, and backwards'):
        first = http_.get('/shelves/history/80?limit=2').text.splitlines()
        assert first[:2] == ['ThingPut 80 1', 'ThingPut 80 2'] and 'end' not in first[2], first
        second = http_.get(f'/shelves/history/80?limit=2&from={first[2]}').text.splitlines()
        assert second[:2] == ['ThingPut 80 3', 'ThingPut 80 4'], second
        back = http_.get('/shelves/history/80?limit=2&backwards=1').text.splitlines()
        assert back[:2] == ['ShelfCleared 80 0', 'ThingPut 80 5'], back
        assert http_.get('/shelves/history/81?limit=5').text.endswith(' end\n')
    with case('the roles of a view and of the log hold within a route'):
        bob = lib.Http(server.port, bearer(BOB))
        rule(bob.get('/shelves/hidden'), 403, 'forbidden')
        rule(bob.get('/shelves/history/80?limit=5'), 403, 'forbidden')
        assert bob.get('/shelves/open-history/80?limit=1').text.startswith('ThingPut 80 1\n')


def texts(http_):
    with case('a route at the root, with text and parameters'):
        reply = http_.request('POST', '/put-line?db=x&precision=s', b'20 1\n21 2\n',
                             {'Content-Type': 'text/plain; charset=utf-8'})
        assert reply.status == 204 and reply.body == b'', reply
        assert reply.headers['x-lines'] == 'all  X-Evil: 1', reply
        assert 'x-evil' not in reply.headers, reply
    with case('a domain\'s own refusal'):
        body = rule(http_.request('POST', '/put-line', b'20 1001\n',
                                  {'Content-Type': 'text/plain'}),
                    422, 'shelf_full')
        assert body['detail'] == '1001 more are too many for shelf 20' and body['id'], body
        assert body['position'].startswith('shelves:'), body
    with case('a command of its own address, and an outcome as POST tells it'):
        mine = http_.request('PUT', '/shelves/one/22/7')
        theirs = http_.post('/shelves/Put', {'shelf': 22, 'amount': 7})
        assert mine.status == theirs.status == 201 and set(mine.json) == set(theirs.json), mine
        assert mine.json['events'] == [{'type': 'ThingPut', 'stream': 'shelf/22', 'revision': 0}]
        rule(http_.request('PUT', '/shelves/one/-1/7'), 400, 'no_number')
        rule(http_.request('PUT', '/shelves/one/1%20/7'), 400, 'no_number')
        rule(http_.request('PUT', '/shelves/one/22/5001'), 400, 'range')
    with case('another parameter is refused'):
        rule(http_.request('POST', '/put-line?u=x', b'', {'Content-Type': 'text/plain'}), 400,
             'unknown_parameter')
    with case('another type of body'):
        rule(http_.request('POST', '/put-line', b'{}', {'Content-Type': 'application/json'}), 415,
             'unsupported_media_type')
    with case('other methods, and what there is'):
        reply = http_.request('GET', '/put-line')
        assert rule(reply, 405, 'method_not_allowed') and reply.headers['allow'] == 'POST, OPTIONS'
        reply = http_.request('OPTIONS', '/shelves/mistakes/x')
        assert reply.status == 204 and reply.headers['allow'] == 'GET, HEAD, OPTIONS'
    with case('other addresses stay what they are'):
        rule(http_.get('/shelves/batch'), 404, 'unknown_view')
        rule(http_.request('POST', '/shelves/batch/', b'', BINARY), 404, 'not_found')
        rule(http_.get('/put-line/x'), 404, 'unknown_domain')


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


def mistakes(http_):
    def faults():
        return sum(float(line.split()[-1]) for line in http_.get('/metrics').text.splitlines()
                   if line.startswith('sluice_route_faults_total{'))

    with case('who answers twice has answered once'):
        before = faults()
        reply = http_.get('/shelves/mistakes/twice')
        assert reply.status == 200 and reply.body == b'one', reply
        assert faults() == before + 1
    for kind in ['never', 'lost', 'unknown', 'status']:
        with case(f'a route that does wrong: {kind}'):
            before = faults()
            rule(http_.get('/shelves/mistakes/' + kind), 500, 'route_failed')
            assert faults() == before + 1, (before, faults())
    with case('a route that wants too much memory'):
        rule(http_.get('/shelves/mistakes/memory'), 503, 'no_memory')
    with case('and the server lives on'):
        assert http_.get('/shelves/mistakes/twice').status == 200


def described(server, http_):
    with case('/openapi.json lists routes, each address once'):
        paths = http_.get('/openapi.json').json['paths']
        put = paths['/shelves/batch/{operation}']['post']
        assert list(put['requestBody']['content']) == ['application/octet-stream'], put
        assert put['requestBody']['content']['application/octet-stream']['schema']['format'] == \
            'binary'
        assert [p['name'] for p in put['parameters'] if 'name' in p] == ['operation']
        line = paths['/put-line']['post']
        assert [p['name'] for p in line['parameters'] if 'name' in p] == ['db', 'precision'], line
        assert {} not in line['security'] and set(paths['/shelves/thing']) == {'get', 'delete'}
        code, text = server.run('openapi')
        assert code == 0 and '/put-line' in text
    with case('and so does the domain\'s own address'):
        routes = http_.get('/shelves').json['routes']
        assert {'method': 'POST', 'href': '/put-line', 'content_type': 'text/plain',
                'help': 'Lines of shelf and amount.', 'roles': 'keeper'} in routes, routes
    with case('two methods of one address'):
        assert http_.get('/shelves/thing').text == 'GET'
        assert http_.request('DELETE', '/shelves/thing').text == 'DELETE'
        reply = http_.request('POST', '/shelves/thing', b'')
        assert reply.status == 405 and reply.headers['allow'] == 'GET, HEAD, DELETE, OPTIONS'
        reply = http_.request('HEAD', '/shelves/thing')
        assert reply.status == 200 and reply.body == b'' and reply.headers['content-length'] == '3'
    with case('visits are counted'):
        assert 'sluice_route_visits_total{domain="shelves",route="DELETE thing"} 1' in \
            http_.get('/metrics').text


def events_of_outcomes(server, http_):
    def tell(puts, **headers):
        return [(shelf, amount, age < 600) for shelf, amount, age in
                outcomes(batch(http_, puts, 'tell', **headers))]

    with case('outcomes with their events, of refusals without'):
        reply = tell([(95, 600), (95, 500), (95, 400)], Idempotency_Key='tell')
        assert reply == [(95, 600, True), (0, 0, True), (95, 400, True)], reply
    with case('also of a repeat'):
        assert tell([(95, 600), (95, 500), (95, 400)], Idempotency_Key='tell') == reply
    with case('also where a strong view holds the reply back'):
        server.restart()
        http_.close()
        puts = [(100 + n % 7, n % 2) for n in range(100)]
        assert tell(puts) == [(*put, True) for put in puts]
    with case('a visit sees what its commands did also where the rows are not in memory'):
        for n in range(200, 205):
            reply = http_.request('PUT', '/shelves/touch/52')
            assert struct.unpack('<IIQ', reply.body) == (52, n, n), reply
    with case('8,189 rows that are not in memory'):
        put = batch(http_, [(1000 + n, 1) for n in range(8189)])
        assert {o[0] for o in outcomes(put)} <= {201, 202}, outcomes(put)
        server.restart()
        http_.close()
        rows, _ = look(http_, *range(1000, 1000 + 8189), Sluice_Position=put.position,
                       Sluice_Timeout='30000')
        assert rows == [(1000 + n, 1, 1) for n in range(8189)]


def chunked(server):
    with case('a body in chunks'):
        connection = http.client.HTTPConnection('127.0.0.1', server.port, timeout=30)
        connection.request('POST', '/shelves/batch/put',
                           iter([b'\x5a\0\0\0\1\0', b'\0\0', b'\0' * 8]),
                           {**BINARY, **bearer(ADA)})
        reply = connection.getresponse()
        assert reply.status == 200 and len(reply.read()) == 16
        connection.close()


def send(server, *parts):
    peer = socket.create_connection(('127.0.0.1', server.port))
    peer.sendall(b''.join(parts))
    return peer


def head(server, method, path, length, *more):
    lines = [f'{method} {path} HTTP/1.1', f'Host: localhost:{server.port}',
             f'Authorization: Bearer {ADA}', 'Content-Type: application/octet-stream',
             f'Content-Length: {length}', *more]
    return ('\r\n'.join(lines) + '\r\n\r\n').encode()


def clients_that_go(server, http_):
    with case('commands of a client that went are carried out'):
        body = struct.pack('<IIQ', 91, 1, 0) * 5
        for _ in range(10):
            send(server, head(server, 'POST', '/shelves/batch/put', len(body)), body).close()
        lib.wait_until(lambda: look(http_, 91)[0] == [(91, 50, 50)], what='the tenth batch')
    with case('reads that wait end with their client'):
        for n in range(10):
            position = batch(http_, [(92, 1)]).position
            peer = send(server, head(server, 'GET', '/shelves/top?limit=5', 0,
                                     f'Sluice-Position: {position}'))
            if n % 2:
                peer.shutdown(socket.SHUT_WR)
                assert peer.recv(4096)[:12] in (b'HTTP/1.1 200', b'HTTP/1.1 504')
            peer.close()
        assert look(http_, 92)[0] == [(92, 10, 10)]


def limits(module):
    config = CONFIG.format(module=module) + '[server]\nqueue_max = 100\n'
    with lib.Server(config=config) as server:
        http_ = lib.Http(server.port, bearer(ADA))
        with case('more commands than the server takes at once: none is carried out'):
            reply = batch(http_, [(1, 1)] * 101)
            rule(reply, 503, 'overloaded')
            assert reply.headers['retry-after'] == '1'
            assert look(http_, 1)[0] == [(NONE & 0xffffffff, 0, 0)]
            assert len(outcomes(batch(http_, [(1, 1)] * 100))) == 100
        with case('a visit under way is ended before the server ends'):
            for _ in range(3):
                body = struct.pack('<IIQ', 2, 0, 0) * 100
                peer = send(server, head(server, 'POST', '/shelves/batch/put', len(body)), body)
                assert server.stop() == 0, server.child.output()
                try:
                    assert peer.recv(4096)[:12] in (b'HTTP/1.1 200', b'HTTP/1.1 503', b'')
                except ConnectionResetError:
                    pass  # it had not been accepted
                server.start()
            assert look(lib.Http(server.port, bearer(ADA)), 1)[0] == [(1, 100, 100)]


def contradictions(module):
    config = CONFIG.format(module=module)
    with case('a route that takes an address of the server\'s keeps it from starting'):
        server = lib.Server(config=config, start=False)
        code, text = server.run('serve', '--port', '0', '--config',
                                os.path.join(server.folder, 'sluice.conf'))
        assert code != 0 and '"/metrics" is an address of the server\'s own' in text, text


def http2(module):
    folder = lib.temp_folder()
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                    'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj',
                    '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout',
                    'key.pem', '-out', 'cert.pem'], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(os.path.join(folder, 'sluice.conf'), 'w', encoding='utf-8') as file:
        file.write(CONFIG.format(module=module) +
                   '[server]\ntls_certificate = cert.pem\ntls_key = key.pem\n')
    with open(os.path.join(folder, 'body'), 'wb') as file:
        file.write(struct.pack('<IIQ', 1, 0, 0) * 8189)
    port = lib.free_port()
    child = lib.Child([lib.program(), 'serve', '--port', str(port), '--resp-port', 'none'],
                      cwd=folder)
    child.wait_for_line(rf'https://127\.0\.0\.1:{port}/')
    with case('over HTTP/2'):
        done = subprocess.run(
            ['curl', '-sS', '--http2', '--cacert', 'cert.pem', '--data-binary', '@body',
             '--retry', '20', '--retry-delay', '0', '--retry-connrefused',
             '-H', f'Authorization: Bearer {ADA}', '-H', 'Content-Type: application/octet-stream',
             '-o', 'reply', '-w', '%{http_version} %{http_code}',
             f'https://localhost:{port}/shelves/batch/put'], cwd=folder, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=60, check=False)
        assert done.stdout == b'2 200', done.stdout
        with open(os.path.join(folder, 'reply'), 'rb') as file:
            reply = list(struct.iter_unpack('<IIQ', file.read()))
        assert len(reply) == 8189 and {o[0] for o in reply} == {201}
    child.kill()


CONFIG = '''
[domain shelves]
module = {module}
[token ada]
secret = ''' + ADA + '''
roles = user keeper auditor
[token bob]
secret = ''' + BOB + '''
roles = user
'''


def main():
    module = os.environ.get('SHELVES', '')
    if not os.access(module, os.R_OK):
        lib.skip_all('the environment names no module with the test domain (SHELVES)')
    with lib.Server(config=CONFIG.format(module=module)) as server:
        http_ = lib.Http(server.port, bearer(ADA))
        commands(http_)
        reads(server, http_)
        texts(http_)
        rights(server)
        mistakes(http_)
        described(server, http_)
        events_of_outcomes(server, http_)
        chunked(server)
        clients_that_go(server, http_)
        with case('the server ends well'):
            assert server.stop() == 0, server.child.output()
    limits(module)
    contradictions(os.environ['BAD_SHELVES'])
    http2(module)
    lib.done()


main()
