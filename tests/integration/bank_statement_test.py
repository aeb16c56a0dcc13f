"""Statements: an account's entries out of the log, by position and by time, forth and back, page by
page, beside what else the account has in the log."""
import random

import lib
from lib import case

SEED = random.SystemRandom().getrandbits(32)
HELD = 40


def post(http, command, body, status=201):
    reply = http.post('/bank/' + command, body)
    assert reply.status == status, reply
    return reply


def fill(http):
    """Two accounts with 130 entries of every kind among them; (what is expected of ada, position).
    """
    expected, balance = [], 0

    def add(entry, transfer, amount=0, held=0, reference='', reverses=''):
        nonlocal balance
        balance += amount
        expected.append({'account': 'ada', 'entry': entry, 'transfer': transfer, 'other': 'till',
                         'amount': amount, 'held': held, 'balance': balance,
                         'reference': reference, 'reverses': reverses})

    post(http, 'OpenAccount', {'id': 'till', 'kind': 'external', 'currency': 'EUR'})
    post(http, 'OpenAccount', {'id': 'ada', 'currency': 'EUR'})
    for number in range(HELD):
        post(http, 'SetLimit', {'id': 'ada', 'limit': number})
        post(http, 'Transfer', {'id': f'in{number}', 'from': 'till', 'to': 'ada', 'amount': 10,
                                'currency': 'EUR', 'reference': f'"{number}"\n'})
        add(3 * number + 1, f'in{number}', 10, reference=f'"{number}"\n')
        post(http, 'Transfer', {'id': f'hold{number}', 'from': 'ada', 'to': 'till', 'amount': 5,
                                'currency': 'EUR', 'pending': True})
        add(3 * number + 2, f'hold{number}', held=-5)
        command = ('PostTransfer', 'VoidTransfer')[number % 2]
        post(http, command, {'id': f'end{number}', 'pending': f'hold{number}'})
        add(3 * number + 3, f'end{number}', -5 if number % 2 == 0 else 0, held=5)
    reply = post(http, 'ReverseTransfer', {'id': 'back', 'transfer': 'in0', 'reference': 'wrong'})
    add(3 * HELD + 1, 'back', -10, reference='wrong', reverses='in0')
    return expected, reply.position


def pages(http, query, limit):
    """All lines, page by page; each page but the last is full."""
    lines, after = [], ''
    while True:
        reply = http.get(f'/bank/statement/ada?limit={limit}&{query}{after}')
        assert reply.status == 200, reply
        lines += reply.json['rows']
        if 'next' not in reply.json:
            return lines
        assert len(reply.json['rows']) == limit, reply
        after = '&after=' + reply.json['next']


def reads(http, expected, position):
    whole = pages(http, 'min_position=' + position, 1000)
    with case('each entry is a line, with the balance after it'):
        bare = [{name: value for name, value in line.items() if name not in ('time', 'position')}
                for line in whole]
        assert bare == expected, [pair for pair in zip(bare, expected) if pair[0] != pair[1]][:2]
    with case('both sides of a transfer say the same'):
        other = http.get('/bank/statement/till?limit=1000').json['rows']
        assert [(line['transfer'], line['amount'], line['held'], line['time']) for line in whole] \
            == [(line['transfer'], -line['amount'], -line['held'], line['time']) for line in other]
    with case('page by page, forth and back, whatever the size of the page'):
        for limit in (1, 7, 50, len(whole)):
            assert pages(http, '', limit) == whole
            assert pages(http, 'desc=1', limit) == whole[::-1]
        reply = http.get('/bank/statement/ada')
        assert len(reply.json['rows']) == 50 and reply.position, reply
    with case('a cursor stays where it is when entries are added'):
        page = http.get('/bank/statement/ada?limit=10&desc=1').json
        post(http, 'Transfer', {'from': 'till', 'to': 'ada', 'amount': 1, 'currency': 'EUR'})
        rest = http.get('/bank/statement/ada?limit=1000&desc=1&after=' + page['next']).json['rows']
        assert page['rows'] + rest == whole[::-1]
        added = http.get(f'/bank/statement/ada?from={whole[-1]["position"] + 1}').json['rows']
        assert [line['entry'] for line in added] == [len(whole) + 1], added
        whole += added
    return whole


def ranges(http, whole):
    rng = random.Random(SEED)
    with case('by position and by time: the first is in it, the last is not'):
        for _ in range(60):
            low, high = sorted((rng.randrange(len(whole)), rng.randrange(len(whole))))
            by = rng.choice(('position', 'time'))
            lines = pages(http, f'from={whole[low][by]}&until={whole[high][by]}'
                                f'&desc={rng.randrange(2)}', rng.choice((5, 1000)))
            lines.sort(key=lambda line: line['entry'])
            assert lines == whole[low:high], (low, high, by)
    with case('one end alone, a position and a time, none'):
        assert pages(http, f'from={whole[70]["time"]}', 50) == whole[70:]
        assert pages(http, f'until={whole[70]["time"]}', 50) == whole[:70]
        assert pages(http, f'from={whole[3]["position"]}&until={whole[9]["time"]}', 50) == \
            whole[3:9]
        for query in ('until=0', 'until=1970-01-01T00:00:00Z', 'from=2200-01-01T00:00:00Z',
                      f'from={whole[9]["position"]}&until={whole[3]["time"]}',
                      'from=18446744073709551615'):
            assert pages(http, query, 50) == [], query
        assert pages(http, 'from=1970-01-01T00:00:00Z&until=2200-01-01T00:00:00Z', 50) == whole


def rest(server, http):
    with case('an account without entries, and none, have no lines'):
        post(http, 'OpenAccount', {'id': 'new', 'currency': 'EUR'})
        for name in ('new', 'nobody'):
            reply = http.get('/bank/statement/' + name)
            assert reply.status == 200 and reply.json == {'rows': []}, reply
    with case('what is no query is refused, by its field'):
        for query, rule, field in (('from=then', 'range_malformed', 'from'),
                                   ('until=-1', 'range_malformed', 'until'),
                                   ('limit=0', 'bad_query', 'limit'),
                                   ('limit=1001', 'bad_query', 'limit'),
                                   ('desc=2', 'bad_query', 'desc'),
                                   ('after=x', 'bad_cursor', 'after'),
                                   ('index=by-time', 'unknown_parameter', None)):
            reply = http.get('/bank/statement/ada?' + query)
            assert (reply.status, reply.json['rule'], reply.json.get('field')) == \
                (400, rule, field), reply
        assert http.get('/bank/statement/%20').json['rule'] == 'id_malformed'
    with case('/openapi.json says what a page is'):
        get = http.get('/openapi.json').json['paths']['/bank/statement/{account}']['get']
        schema = get['responses']['200']['content']['application/json']['schema']
        assert set(schema['properties']) == {'rows', 'next'}, schema
        assert 'balance' in schema['properties']['rows']['items']['properties'], schema
    with case('no table of statements is kept'):
        assert server.run('view', 'status', 'bank/statement')[0] != 0


def many(http):
    with case('thousands of events that are no entries lie between: a page goes on behind them'):
        post(http, 'Transfer', {'from': 'till', 'to': 'new', 'amount': 1, 'currency': 'EUR'})
        reply = http.post('/bank/SetLimit', [{'id': 'new', 'limit': n} for n in range(5000)])
        assert reply.status == 200, reply
        position = post(http, 'Transfer', {'from': 'till', 'to': 'new', 'amount': 2,
                                           'currency': 'EUR'}).position
        for desc, amounts in ((0, [1, 2]), (1, [2, 1])):
            query, seen, count = f'limit=1000&desc={desc}&min_position={position}', [], 0
            while query:
                page = http.get('/bank/statement/new?' + query).json
                seen += [line['amount'] for line in page['rows']]
                query = f'limit=1000&desc={desc}&after={page["next"]}' if 'next' in page else ''
                count += 1
            assert seen == amounts and count == 2, (seen, count)


def main():
    lib.note(f'seed {SEED}')
    with lib.Server() as server:
        expected, position = fill(server.http)
        whole = reads(server.http, expected, position)
        ranges(server.http, whole)
        rest(server, server.http)
        many(server.http)
    lib.done()


main()
