"""Ranges of lists over HTTP: of the desks, and of the bank, which has fields `from` and `to`."""
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
                                             'amount': amount, 'currency': 'EUR'})
        assert reply.status == 201, reply
    address = f'/bank/statement?min_position={reply.position}&account=cash&limit=2&'
    with case('a stretch of an account, by number'):
        rows = pages(http, address + 'from=3&to=7')
        assert [row['amount'] for row in rows] == [-3, -4, -5, -6], rows
    with case('and by time'):
        times = [row['time'] for row in pages(http, address)]
        rows = pages(http, address + f'index=by-time&time.from={times[2]}&time.to={times[5]}')
        assert [row['time'] for row in rows] == [t for t in times if times[2] <= t < times[5]]
    reply = http.post('/bank/Transfer', {'from': 'cash', 'to': 'rent', 'amount': 5,
                                         'currency': 'EUR', 'pending': True, 'timeout': 3600})
    assert reply.status == 201, reply
    held = f'/bank/holds?min_position={reply.position}&'
    with case('a field of the record that is called from stays one'):
        assert len(pages(http, held + 'from=cash')) == 1
        assert pages(http, held + 'from=nobody') == []
        assert len(pages(http, held + 'from=cash&time.from=2020-01-01T00:00:00Z')) == 1
        assert pages(http, held + 'from=cash&time.to=2020-01-01T00:00:00Z') == []
        assert len(pages(http, held + 'from.from=cash&from.to=cashier')) == 1


def main():
    with desks.server() as server:
        bookings = [book(i, f'A{i}', f'2026-11-0{i}') for i in range(1, 10)]
        reply = server.http.post('/desks/BookDesk', bookings)
        assert [item['status'] for item in reply.json] == [201] * 9, reply
        of_desks(server.http, reply.position)
        wrong(server.http)
        of_bank(server.http)
    lib.done()


main()
