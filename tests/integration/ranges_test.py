"""Ranges of lists, aggregates and facets over HTTP: of the desks, and of the bank."""
import desks
import lib
from desks import book
from lib import case


def rule(reply, status, name, field):
    assert reply.status == status and reply.json['rule'] == name, reply
    assert reply.json.get('field') == field, reply


def pages(http, address):
    """All rows, page by page."""
    rows, after = [], ''
    while True:
        reply = http.get(address + after)
        assert reply.status == 200, reply
        rows += reply.json['rows']
        if 'next' not in reply.json:
            return rows
        after = '&after=' + reply.json['next']


def of_desks(http, position):
    def names(query):
        return [row['desk'] for row in
                pages(http, f'/desks/bookings?limit=3&min_position={position}&{query}')]

    with case('a range of days: the first is in it, the last is not'):
        assert names('index=by-day&from=2026-11-03&to=2026-11-06') == ['A3', 'A4', 'A5']
    with case('from alone, to alone'):
        assert names('index=by-day&from=2026-11-08') == ['A8', 'A9']
        assert names('index=by-day&to=2026-11-03') == ['A1', 'A2']
    with case('backwards, the same rows'):
        assert names('index=by-day&from=2026-11-02&to=2026-11-07&desc=1') == \
            ['A6', 'A5', 'A4', 'A3', 'A2']
    with case('of texts, behind a field that is equal'):
        assert names('day=2026-11-04&from=A&to=A5') == ['A4']
        assert names('who=Ada&from=2026-11-04&to=2026-11-05') == ['A4']
    with case('a field that is named chooses the index'):
        assert names('day.from=2026-11-09') == ['A9']
        assert names('day=2026-11-04&desk.from=A4') == ['A4']
    with case('nothing lies between'):
        assert names('index=by-day&from=2026-11-06&to=2026-11-03') == []


def wrong(http):
    table = [
        ('index=by-day&from=yesterday', 'bad_query', 'from'),
        ('index=by-day&day.to=2026-13-01', 'bad_query', 'day.to'),
        ('index=by-day&from=2026-11-01&from=2026-11-02', 'bad_query', 'from'),
        ('index=by-day&from=2026-11-01&day.from=2026-11-02', 'bad_query', 'from'),
        ('day.from=2026-11-01&desk.to=B', 'bad_query', 'desk'),
        ('index=by-day&desk.from=A', 'no_index', 'desk.from'),
        ('index=by-day&day=2026-11-01&desk=A&from=A', 'no_index', 'from'),
        ('seats.from=2', 'no_index', None),
        ('color.from=red', 'unknown_parameter', None),
        ('q=ada&from=x', 'bad_query', 'from'),
    ]
    for query, name, field in table:
        with case(f'a list with {query} is {name} of {field}'):
            rule(http.get('/desks/bookings?' + query), 400, name, field)
    with case('a cursor of a wider range'):
        after = http.get('/desks/bookings?index=by-day&limit=2').json['next']
        rule(http.get('/desks/bookings?index=by-day&from=2026-11-05&after=' + after), 400,
             'bad_cursor', 'after')
    with case('what is followed live has no range'):
        rule(http.get('/desks/bookings?index=by-day&from=2026-11-05',
                      {'Accept': 'text/event-stream'}), 400, 'bad_query', 'from')


def of_bank(http):
    for account in ('cash', 'rent', 'shop'):
        reply = http.post('/bank/OpenAccount', {'id': account, 'kind': 'external',
                                                'currency': 'EUR'})
        assert reply.status == 201, reply
    for amount in range(1, 9):
        reply = http.post('/bank/Transfer', {'from': 'cash', 'to': 'rent' if amount % 2 else 'shop',
                                             'amount': amount, 'currency': 'EUR', 'pending': True,
                                             'timeout': 3600})
        assert reply.status == 201, reply
    address = f'/bank/holds?min_position={reply.position}&from=cash&limit=2&'
    with case('by time, behind a field that is equal'):
        times = [row['time'] for row in pages(http, address + 'index=by-from')]
        assert len(times) == 8 and times == sorted(times), times
        rows = pages(http, address + f'time.from={times[2]}&time.to={times[5]}')
        assert [row['amount'] for row in rows] == ['3', '4', '5'], rows
    held = f'/bank/holds?min_position={reply.position}&'
    with case('a field of the record that is called from stays one'):
        assert len(pages(http, held + 'from=cash')) == 8
        assert pages(http, held + 'from=nobody') == []
        assert len(pages(http, held + 'from=cash&time.from=2020-01-01T00:00:00Z')) == 8
        assert pages(http, held + 'from=cash&time.to=2020-01-01T00:00:00Z') == []
        assert len(pages(http, held + 'from.from=cash&from.to=cashier')) == 8
    return reply.position


def groups(http, address, status=200):
    """All groups, page by page, as lists of their values."""
    found, after = [], ''
    while True:
        reply = http.get(address + after)
        assert reply.status == status and reply.position, reply
        found += [list(group.values()) for group in reply.json['groups']]
        if 'next' not in reply.json:
            return found
        after = '&after=' + reply.json['next']


def aggregates_of_desks(http, position):
    def of(query):
        return groups(http, f'/desks/bookings?min_position={position}&{query}')

    with case('of all rows'):
        everything = ('/desks/bookings?aggregate=count,min(day),max(day),first(desk),sum(seats)'
                      '&min_position=' + position)
        reply = http.get(everything)
        assert reply.json == {'groups': [{'count': 12, 'min(day)': '2026-11-01',
                                          'max(day)': '2026-11-09', 'first(desk)': 'A1',
                                          'sum(seats)': 9}], 'rows': 12}, reply.json
        assert http.get(everything, {'If-None-Match': reply.headers['etag']}).status == 304
    with case('of a range'):
        assert of('aggregate=count&day.from=2026-11-03&day.to=2026-11-06') == [[3]]
    with case('of none'):
        assert of('aggregate=count,sum(seats),last(desk)&who=Nobody') == [[0, None, None]]
        assert of('aggregate=count&who=Nobody&by=desk') == []
    with case('by a field, page by page, forwards and backwards'):
        want = [['Ada', 9], ['Bob', 2], ['Cyd', 1]]
        assert of('aggregate=count&by=who&limit=2') == want
        assert of('aggregate=count&by=who&limit=1&desc=1') == want[::-1]
        assert of('aggregate=avg(seats)&by=seats&limit=2') == [[None, None], [2, 2], [3, 3], [4, 4]]
    with case('by days of which there are rows'):
        assert of('aggregate=count&every=1d&limit=4') == \
            [[f'2026-11-0{i}', 4 if i == 9 else 1] for i in range(1, 10)]
        assert of('aggregate=count&every=1d&by=who&day.from=2026-11-08&limit=1') == \
            [['2026-11-08', 'Ada', 1], ['2026-11-09', 'Ada', 1], ['2026-11-09', 'Bob', 2],
             ['2026-11-09', 'Cyd', 1]]
    with case('a page of stretches looks at its own rows'):
        assert http.get('/desks/bookings?aggregate=count&every=1d&limit=3').json['rows'] == 4


def wrong_aggregates(http):
    table = [
        ('aggregate=', 'bad_query', 'aggregate'), ('aggregate=count,', 'bad_query', 'aggregate'),
        ('aggregate=count()', 'bad_query', 'aggregate'),
        ('aggregate=sum', 'bad_query', 'aggregate'), ('aggregate=sum(', 'bad_query', 'aggregate'),
        ('aggregate=sum(seets)', 'bad_query', 'aggregate'),
        ('aggregate=sum(desk)', 'bad_query', 'aggregate'),
        ('aggregate=median(seats)', 'bad_query', 'aggregate'),
        ('aggregate=count,count', 'bad_query', 'aggregate'),
        ('aggregate=count&aggregate=count', 'bad_query', 'aggregate'),
        ('aggregate=count&q=ada', 'bad_query', 'aggregate'),
        ('aggregate=count&by=color', 'bad_query', 'by'),
        ('aggregate=count&every=1w', 'bad_query', 'every'),
        ('aggregate=count&every=1h', 'bad_query', 'every'),
        ('aggregate=count&every=1d&by=day', 'bad_query', 'by'),
        ('by=who', 'bad_query', 'by'), ('every=1d', 'bad_query', 'every'),
        ('aggregate=count&every=1d&day=2026-11-01', 'no_index', 'day'),
        ('aggregate=count&every=1d&index=by-day&day=2026-11-01', 'no_index', 'every'),
        ('aggregate=count&limit=0', 'bad_query', 'limit'),
        ('aggregate=count&after=nonsense', 'bad_cursor', 'after'),
    ]
    for query, name, field in table:
        with case(f'an aggregate with {query} is {name} of {field}'):
            rule(http.get('/desks/bookings?' + query), 400, name, field)
    with case('the place of a mistake is told'):
        detail = http.get('/desks/bookings?aggregate=count,sum(seets)').json['detail']
        assert 'sum(seets), at place 2' in detail, detail
    with case('a list goes not on where groups ended, nor groups where others did'):
        after = http.get('/desks/bookings?aggregate=count&by=who&limit=1').json['next']
        for query in ('limit=1', 'aggregate=count&by=desk', 'aggregate=count&by=who&desc=1'):
            rule(http.get(f'/desks/bookings?{query}&after={after}'), 400, 'bad_cursor', 'after')
    with case('what is followed live has no aggregates'):
        rule(http.get('/desks/bookings?aggregate=count', {'Accept': 'text/event-stream'}), 400,
             'bad_query', 'aggregate')


def aggregates_of_bank(http, position):
    address = f'/bank/holds?min_position={position}&from=cash&index=by-from&'
    rows = pages(http, address)
    with case('what is held, per day'):
        found = groups(http, address + 'every=1d&aggregate=count,sum(amount),first(to),last(to)')
        assert sum(group[1] for group in found) == len(rows) == 8
        assert sum(int(group[2]) for group in found) == 36, found
        assert found[0][3] == 'rent' and found[-1][4] == 'shop', found
        assert found[0][0] == rows[0]['time'][:10] + 'T00:00:00Z', found
    with case('per counterparty'):
        assert groups(http, address + 'by=to&aggregate=sum(amount)') == \
            [['rent', '16'], ['shop', '20']]
    with case('a sum over 64 bits is refused, and names its field'):
        big = 5 * 10 ** 18
        accounts = [{'id': str(id), 'ledger': 700, 'code': 1} for id in (901, 902, 903)]
        transfers = [{'id': str(id), 'debit_account_id': '901', 'credit_account_id': str(id),
                      'amount': str(big), 'ledger': 700, 'code': 1} for id in (902, 903)]
        for account in accounts:
            reply = http.post('/bank/CreateAccounts', {'accounts': [account]})
            assert reply.status == 201, reply
        for transfer in transfers:
            reply = http.post('/bank/CreateTransfers', {'transfers': [transfer]})
            assert reply.status == 201, reply
        rich = f'/bank/balance?min_position={reply.position}&id.from=902&aggregate='
        rule(http.get(rich + 'count,sum(balance)&id.to=904'), 422, 'sum_overflow', 'balance')
        rule(http.get(rich + 'count,sum(balance)&id.to=904&by=kind'), 422, 'sum_overflow',
             'balance')
        assert groups(http, rich + 'sum(balance)&id.to=903') == [[big]]
        assert groups(http, rich + 'avg(balance)&id.to=904') == [[float(big)]]


def facets_of_desks(http, position):
    def of(query):
        reply = http.get(f'/desks/bookings?min_position={position}&{query}')
        assert reply.status == 200 and reply.position, reply
        return reply.json

    def counts(facet):
        return {value['value']: value['count'] for value in facet['values']}

    with case('facets of a search'):
        found = of('q=bob&facets=day,seats')
        assert [row['desk'] for row in found['rows']] == ['B1', 'B2'], found
        assert found['facets'] == {
            'day': {'values': [{'value': '2026-11-09', 'count': 2}], 'others': 0},
            'seats': {'values': [{'value': 2, 'count': 1}, {'value': 3, 'count': 1}],
                      'others': 0}}, found
    with case('a filter narrows rows and other facets, not its own'):
        found = of('q=ada&facets=day,desk&day=2026-11-03')
        assert [row['desk'] for row in found['rows']] == ['A3'], found
        assert counts(found['facets']['day']) == {f'2026-11-0{i}': 1 for i in range(1, 10)}
        assert counts(found['facets']['desk']) == {'A3': 1}, found
    with case('values that are absent are counted as null'):
        assert counts(of('q=ada&facets=seats')['facets']['seats']) == {None: 9}
    with case('the most frequent first, on each page, whatever the page has'):
        page = of('q=2026* OR b* bob*&facets=who'.replace(' ', '%20'))
        assert page['rows'] == [] and page['facets'] == {'who': {'values': [], 'others': 0}}, page
        page = of('q=a*&limit=2&facets=who')
        assert len(page['rows']) == 2 and counts(page['facets']['who']) == {'Ada': 9}, page
        again = of('q=a*&limit=2&facets=who&after=' + page['next'])
        assert again['facets'] == page['facets'] and again['rows'] != page['rows'], again
    with case('a filter without facets, page by page'):
        assert [row['desk'] for row in of('q=bob&seats=3')['rows']] == ['B2']
        rows = pages(http, f'/desks/bookings?min_position={position}&q=b*&who=Bob&limit=1')
        assert sorted(row['desk'] for row in rows) == ['B1', 'B2'], rows
    for query, field in (('facets=day', 'facets'), ('q=ada&facets=color', 'facets'),
                         ('q=ada&facets=day,day', 'facets'), ('q=ada&facets=', 'facets'),
                         ('q=ada&facets=day&facets=desk', 'facets'),
                         ('q=ada&day=tomorrow', 'day')):
        with case(f'a search with {query} is refused'):
            rule(http.get('/desks/bookings?' + query), 400, 'bad_query', field)
    with case('a search that is followed live has neither'):
        for query, field in (('q=ada&facets=day', 'facets'), ('q=ada&day=2026-11-03', 'day')):
            rule(http.get('/desks/bookings?' + query, {'Accept': 'text/event-stream'}), 400,
                 'bad_query', field)


def main():
    with desks.server() as server:
        bookings = [book(i, f'A{i}', f'2026-11-0{i}') for i in range(1, 10)]
        reply = server.http.post('/desks/BookDesk', bookings)
        assert [item['status'] for item in reply.json] == [201] * 9, reply
        of_desks(server.http, reply.position)
        wrong(server.http)
        more = [book(10, 'B1', '2026-11-09', 'Bob', seats=2),
                book(11, 'B2', '2026-11-09', 'Bob', seats=3),
                book(12, 'B3', '2026-11-09', 'Cyd', seats=4)]
        reply = server.http.post('/desks/BookDesk', more)
        assert [item['status'] for item in reply.json] == [201] * 3, reply
        aggregates_of_desks(server.http, reply.position)
        wrong_aggregates(server.http)
        facets_of_desks(server.http, reply.position)
        aggregates_of_bank(server.http, of_bank(server.http))
    lib.done()


main()
