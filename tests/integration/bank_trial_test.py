"""The trial balance as of a position or a time: at random positions it is what all accounts held
then, added up by ledger, and what a fold of the log's events says; debits are credits at each."""
import collections
import random

import lib
from lib import case

SEED = random.SystemRandom().getrandbits(32)
STRETCH = 1024  # positions, of which the server keeps the sums
CURRENCIES = ('EUR', 'CHF', 'JPY')
SUMS = ('debits_pending', 'credits_pending', 'debits_posted', 'credits_posted')


def name(currency, number):
    return f'{currency.lower()}{number}'


def send(http, command, items):
    reply = http.post('/bank/' + command, items)
    assert reply.status == 200 and {item['status'] for item in reply.json} <= {201, 422}, reply
    return reply


def fill(http, rng):
    """Some six thousand events; a ledger that is idle for long, one that begins late. The positions
    at which something interesting ends."""
    held, marks = [], []

    def transfers(currencies, count, timeouts=True):
        nonlocal held
        items = []
        for _ in range(count):
            currency, accounts = rng.choice(currencies), rng.sample(range(5), 2)
            items.append({'id': f't{rng.getrandbits(60)}', 'from': name(currency, accounts[0]),
                          'to': name(currency, accounts[1]), 'amount': rng.randrange(1, 1000),
                          'currency': currency, 'pending': rng.randrange(3) == 0})
            if items[-1]['pending'] and timeouts and rng.randrange(8) == 0:
                items[-1]['timeout'] = 1
        send(http, 'Transfer', items)
        held += [item['id'] for item in items if item['pending']]
        rng.shuffle(held)
        for command in ('PostTransfer', 'VoidTransfer'):
            some, held = held[:count // 10], held[count // 10:]
            reply = send(http, command, [{'pending': id} for id in some])
        marks.append(int(reply.position.split(':')[2]))

    for currency in CURRENCIES[:2]:
        send(http, 'OpenAccount', [{'id': name(currency, n), 'kind': 'external',
                                    'currency': currency} for n in range(5)])
    for _ in range(2):
        transfers(CURRENCIES[:2], 500)
    for _ in range(3):
        transfers(CURRENCIES[:1], 1000)
    send(http, 'OpenAccount', [{'id': name('JPY', n), 'kind': 'external', 'currency': 'JPY'}
                               for n in range(5)])
    transfers(CURRENCIES, 1000)
    position = token(http, marks[-1])
    lib.wait_until(lambda: not http.get('/bank/holds?due.from=1971-01-01T00:00:00Z&min_position=' +
                                        position).json['rows'], 30, 'all that runs out')
    transfers(CURRENCIES[1:], 200, timeouts=False)
    return marks


def token(http, position):
    return http.get('/bank/balance/eur0').position.rsplit(':', 1)[0] + f':{position}'


def events_of(http):
    """All events of the log: (position, type, body)."""
    events, after = [], 'start'
    while True:
        page = http.get(f'/bank/events?limit=1000&after={after}').json
        events += [(event['position'], event['type'], event['body']) for event in page['events']]
        if not page['events']:
            return events
        after = page['next']


def folded(events, position):
    """Accounts and transfers of each ledger, by the events below the position."""
    counts = collections.defaultdict(lambda: [0, 0])
    for at, kind, body in events:
        if at < position and kind in ('AccountOpened', 'Transferred'):
            counts[body['ledger']][kind == 'Transferred'] += 1
    return dict(counts)


def added_up(http, position):
    """The sums of each ledger, by what each account held."""
    sums = collections.defaultdict(lambda: [0] * 4)
    for currency, ledger in (('EUR', 978), ('CHF', 756), ('JPY', 392)):
        for number in range(5):
            reply = http.get(f'/bank/past/{name(currency, number)}?at={position}')
            if reply.status == 200:
                sums[ledger] = [sum + int(reply.json[field])
                                for sum, field in zip(sums[ledger], SUMS)]
    return dict(sums)


def trial(http, at):
    reply = http.get(f'/bank/trial?at={at}')
    assert reply.status == 200 and reply.json['even'] is True, reply
    for row in reply.json['rows']:
        assert row['debits_posted'] == row['credits_posted'], row
        assert row['debits_pending'] == row['credits_pending'], row
    return reply.json


def judge(http, events, position):
    found = trial(http, position)
    assert found['position'] == position, (position, found)
    rows = found['rows']
    assert [row['ledger'] for row in rows] == sorted(row['ledger'] for row in rows), rows
    assert {row['ledger']: [row['accounts'], row['transfers']] for row in rows} == \
        folded(events, position), (position, rows)
    assert {row['ledger']: [int(row[field]) for field in SUMS] for row in rows} == \
        added_up(http, position), (position, rows)
    return found


def checks(server, rng, marks):
    http, events = server.http, events_of(server.http)
    end = events[-1][0] + 1
    expired = [at for at, kind, _ in events if kind == 'TransferExpired']
    assert end > 5 * STRETCH and expired, (end, len(expired))
    with case('at random positions: what the accounts held, and what the events say'):
        for _ in range(25):
            judge(http, events, rng.randrange(end + 1))
    with case('where stretches, and what was done, begin and end'):
        edges = {0, 1, end, expired[0], expired[-1] + 1, *marks}
        for edge in range(STRETCH, end, STRETCH):
            edges |= {edge - 1, edge, edge + 1}
        for position in sorted(edges):
            judge(http, events, position)
    with case('as it is now, like the view'):
        now = http.get('/bank/trial').json
        view = http.get('/bank/trial-balance?min_position=' + token(http, end)).json
        assert now['position'] >= end and now['rows'] == view['rows'], (now, view)
        assert trial(http, end + 10**9) == now
    with case('as of a time: after all that had happened by then'):
        for at, time in rng.sample([(line['position'], line['time']) for line in http.get(
                '/bank/statement/eur0?limit=1000').json['rows']], 20):
            assert trial(http, time) == trial(http, at + 1), (at, time)
        assert http.get('/bank/trial?at=1971-01-01T00:00:00Z').json == \
            {'position': 0, 'even': True, 'rows': []}


def pages(http, end):
    with case('ledgers page by page'):
        rows, after = [], ''
        while True:
            page = http.get(f'/bank/trial?at={end - 1}&limit=1{after}').json
            rows += page['rows']
            if 'next' not in page:
                break
            after = '&after=' + page['next']
        assert rows == trial(http, end - 1)['rows'] and len(rows) == 3, rows
    with case('what is no query is refused, by its field'):
        for query, rule, field in (('at=then', 'at_malformed', 'at'), ('at=', 'at_malformed', 'at'),
                                   ('at=2200-01-01T00:00:00Z', 'at_in_the_future', 'at'),
                                   ('limit=0', 'bad_query', 'limit'),
                                   ('after=x', 'bad_cursor', None),
                                   ('ledger=1', 'unknown_parameter', None)):
            reply = http.get('/bank/trial?' + query)
            assert (reply.status, reply.json['rule'], reply.json.get('field')) == \
                (400, rule, field), reply


def fresh(http, rng):
    with case('who has just written has it in the sums of that position'):
        for _ in range(20):
            reply = http.post('/bank/Transfer', {'from': 'chf0', 'to': 'chf1', 'currency': 'CHF',
                                                 'amount': rng.randrange(1, 9)})
            position = int(reply.position.split(':')[2])
            before, after = trial(http, position - 1), trial(http, position)
            assert [[row['transfers'] for row in found['rows'] if row['currency'] == 'CHF']
                    for found in (before, after)] == \
                [[after['rows'][1]['transfers'] - 1], [after['rows'][1]['transfers']]]
    with case('also what came so quickly that no view has it on its disk yet'):
        for _ in range(3):
            reply = send(http, 'Transfer', [{'from': 'jpy0', 'to': 'jpy1', 'currency': 'JPY',
                                             'amount': 1} for _ in range(2 * STRETCH)])
            position = int(reply.position.split(':')[2])
            sums = {row['ledger']: [int(row[field]) for field in SUMS]
                    for row in trial(http, position)['rows']}
            assert sums == added_up(http, position), (position, sums)


def main():
    lib.note(f'seed {SEED}')
    rng = random.Random(SEED)
    with lib.Server() as server:
        marks = fill(server.http, rng)
        checks(server, rng, marks)
        end = trial(server.http, 1 << 60)['position']
        pages(server.http, end)
        with case('the same after a crash, and when the view was built again'):
            places = [rng.randrange(end) for _ in range(10)]
            before = [trial(server.http, at) for at in places]
            server.kill()
            server.start()
            assert [trial(server.http, at) for at in places] == before
            assert server.run('view', 'rebuild', 'bank/trial-kept')[0] == 0
            assert [trial(server.http, at) for at in places] == before
        fresh(server.http, rng)
    lib.done()


main()
