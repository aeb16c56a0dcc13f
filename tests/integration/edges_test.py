"""Edges: two servers that start on one folder at the same moment, view files that are exchanged for
others or for older copies of themselves, the largest and smallest numbers wherever one is taken,
and commands that are sent again after a crash."""
import json
import os
import shutil
import socket
import uuid

import lib
from lib import case

RACES = 50 if lib.IS_LONG else 6
CRASHES = 60 if lib.IS_LONG else 9
NUMBERS = ['-9223372036854775809', '-9223372036854775808', '-2147483649', '-1', '0', '1',
           '4294967296', '9223372036854775807', '9223372036854775808', '18446744073709551615',
           '18446744073709551616', '340282366920938463463374607431768211455',
           '340282366920938463463374607431768211456', '1e400', '-0', '00', '1.5', '']


def new_id():
    return 'n' + uuid.uuid4().hex[:16]


def events(server, domain):
    out, query = [], 'limit=100'
    while True:
        page = server.http.get(f'/{domain}/events?{query}').json
        out += page['events']
        if page['end']:
            return out
        query = f'limit=100&after={page["next"]}'


def race(server):
    """Both start at once; the one that lives answers, the other has said why."""
    ports = [(lib.free_port(), lib.free_port()) for _ in range(2)]
    children = [lib.Child([server.program, 'serve', '--port', str(http), '--resp-port', str(resp),
                           '--data', server.data, *server.arguments], cwd=server.folder)
                for http, resp in ports]

    def over():
        return [c for c in children if not c.is_running()]
    lib.wait_until(over, 20, 'one of two servers to end')
    winner = next(i for i, child in enumerate(children) if child.is_running())
    loser = children[1 - winner]
    assert loser.wait() != 0, 'it ended as if all were well'
    assert 'another' in loser.output(), loser.output()
    children[winner].wait_for_line(rf'http://127\.0\.0\.1:{ports[winner][0]}\b')
    http = lib.Http(ports[winner][0])
    lib.wait_until(lambda: http.get('/readyz').status == 200, 20, 'the winner')
    reply = http.post('/bank/OpenAccount', {'id': new_id(), 'currency': 'EUR'})
    assert reply.status == 201, reply
    http.close()
    children[winner].signal(lib.signal.SIGTERM)
    assert children[winner].wait() == 0, children[winner].output()


def numbers(server):
    """Whatever number: an answer, and no other than what it means or that it means nothing."""
    made = 0
    for number in NUMBERS:
        for field in ('limit', 'code', 'user_data_128', 'user_data_64', 'user_data_32'):
            for value in {number or '""', json.dumps(number)}:
                body = f'{{"id":"{new_id()}","currency":"EUR","{field}":{value}}}'
                reply = server.http.request('POST', '/bank/OpenAccount', body.encode(),
                                            {'Content-Type': 'application/json'})
                assert reply.status in (201, 400, 422), (body, reply)
                made += reply.status == 201
        for field in ('amount', 'timeout', 'code'):
            body = f'{{"id":"{new_id()}","from":"a","to":"b","{field}":{number or 0}}}'
            reply = server.http.request('POST', '/bank/Transfer', body.encode(),
                                        {'Content-Type': 'application/json'})
            assert reply.status in (201, 400, 404, 422), (body, reply)
        for header in ('Sluice-Expected-Revision', 'Sluice-Timeout', 'Sluice-Position'):
            before = made
            reply = server.http.post('/bank/OpenAccount',
                                     {'id': new_id(), 'currency': 'EUR'}, {header: number})
            assert reply.status in (201, 202, 400, 409, 412, 422, 503), (header, number, reply)
            made += reply.status in (201, 202)
            if header == 'Sluice-Expected-Revision' and number not in ('0', '-1', '', '-0', '00'):
                assert made == before, (header, number, reply)
        for path, query in (('balance', 'limit'), ('balance', 'after'), ('events', 'limit'),
                            ('events', 'after'), ('trial-balance', 'at'), ('trial', 'at'),
                            ('accounts/a/statement', 'from'), ('hold', 'limit')):
            reply = server.http.get(f'/bank/{path}?{query}={number}')
            assert reply.status in (200, 400, 404, 412, 416), (path, query, number, reply)
    assert server.child.is_running() and server.http.get('/readyz').status == 200


def pay(server, amount):
    """The payer's and payee's balances must be what was paid, whatever view files there were."""
    reply = server.http.post('/bank/Transfer', {'id': new_id(), 'from': 'till', 'to': 'ada',
                                                'amount': amount, 'currency': 'EUR'})
    assert reply.status == 201, reply


def balances(server):
    position = server.http.get('/bank/events?limit=1000').json['next']
    rows = [server.http.get(f'/bank/balance/{name}', {'Sluice-Position': position})
            for name in ('ada', 'till')]
    assert [row.status for row in rows] == [200, 200], rows
    return [row.json for row in rows]


def exchanged(server):
    """Each of them is refused or made anew: what is answered is as before."""
    views = os.path.join(server.data, 'views')
    names = [name for name in sorted(os.listdir(views)) if name.endswith('.db')]
    assert len(names) > 3, names
    older = os.path.join(server.folder, 'older')
    for account in ({'id': 'till', 'kind': 'external'}, {'id': 'ada'}):
        assert server.http.post('/bank/OpenAccount', {**account, 'currency': 'EUR'}).status == 201
    pay(server, 10)
    first = balances(server)
    assert server.stop() == 0
    shutil.copytree(views, older)
    server.start()
    pay(server, 5)
    right = balances(server)
    assert right != first
    with lib.Server() as other:
        for account in ({'id': 'till', 'kind': 'external'}, {'id': 'ada'}):
            other.http.post('/bank/OpenAccount', {**account, 'currency': 'EUR'})
        pay(other, 7)
        balances(other)
        assert other.stop() == 0
        foreign = os.path.join(other.data, 'views')
        for what, source in (('older copies', lambda i: os.path.join(older, names[i])),
                             ('those of another log', lambda i: os.path.join(foreign, names[i])),
                             ('each other', lambda i: os.path.join(older, names[i - 1]))):
            with case(f'view files exchanged for {what}'):
                assert server.stop() == 0
                for i, name in enumerate(names):
                    shutil.copy(source(i), os.path.join(views, name))
                server.start()
                assert balances(server) == right


def repeated(server):
    """Killed while a command is on its way, and asked again with the same key, twice."""
    seen = set()
    for number in range(CRASHES):
        body = json.dumps({'id': new_id(), 'currency': 'EUR'}).encode()
        head = (f'POST /bank/OpenAccount HTTP/1.1\r\nHost: localhost\r\n'
                f'Idempotency-Key: n{number}\r\nContent-Type: application/json\r\n'
                f'Content-Length: {len(body)}\r\n\r\n')
        with socket.create_connection(('127.0.0.1', server.port), 20) as peer:
            peer.sendall(head.encode() + body)
            if number % 3 == 1:
                assert peer.recv(4096).startswith(b'HTTP/1.1 201 ')
            server.kill()
        server.start()
        replies = [server.http.request('POST', '/bank/OpenAccount', body,
                                       {'Content-Type': 'application/json',
                                        'Idempotency-Key': f'n{number}'}) for _ in range(2)]
        assert [r.status for r in replies] == [201, 201], replies
        # An account that is there already would be an answer without events: the first is meant.
        made = [[event['type'] for event in r.json['events']] for r in replies]
        assert made == [['AccountOpened']] * 2, replies
        places = [r.position.rsplit(':', 1)[1] for r in replies]
        assert places[0] == places[1] and places[0] not in seen, replies
        seen.add(places[0])
    assert len([e for e in events(server, 'bank') if e['type'] == 'AccountOpened']) == CRASHES


def main():
    with lib.Server() as server:
        with case('the largest and smallest numbers'):
            numbers(server)
        with case('all that was taken is in the log after a crash, and nothing else'):
            before = events(server, 'bank')
            server.kill()
            server.start()
            assert events(server, 'bank') == before
        server.stop()
        with case('of two servers that start at once one lives, and the other says why'):
            for _ in range(RACES):
                race(server)
        with case('nothing was harmed by it'):
            server.start()
            after = [e for e in events(server, 'bank') if e['type'][0] != '$']
            assert len(after) == len([e for e in before if e['type'][0] != '$']) + RACES
    with lib.Server() as server:
        exchanged(server)
    with lib.Server() as server, case('sent again after kill -9 it is done once'):
        repeated(server)
    lib.done()


main()
