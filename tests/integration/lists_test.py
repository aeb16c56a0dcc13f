"""Lists, searches, events and positions over HTTP."""
import desks
import lib
from desks import DAY, EVE, bearer, book, uuid
from lib import case

AUDITOR = bearer(EVE)


def rule(reply, status, name):
    assert reply.status == status and reply.json['rule'] == name, reply
    return reply.json


def lists(http, position):
    def rows(query, status=200):
        reply = http.get('/desks/bookings?' + query + '&min_position=' + position)
        assert reply.status == status, reply
        return [row['desk'] for row in reply.json['rows']]

    with case('the order of the key'):
        assert rows('limit=3') == ['A0', 'A1', 'A2']
    with case('the order of an index'):
        assert rows('index=by-day&limit=3') == ['B0', 'B1', 'B2']
    with case('an index filtered by its first field'):
        assert rows(f'index=by-day&day={DAY}&limit=3') == ['A0', 'A1', 'A2']
    with case('and by both'):
        assert rows(f'index=by-day&day={DAY}&desk=A7') == ['A7']
    with case('an index that the fields choose'):
        assert rows('who=Grace') == ['A3', 'A8']
    with case('backwards'):
        assert rows(f'index=by-day&day={DAY}&desc=1&limit=2') == ['A9', 'A8']
    with case('no rows'):
        assert rows('who=Nobody') == []
    with case('page by page, each row once'):
        seen, after = [], ''
        while True:
            reply = http.get(f'/desks/bookings?limit=4&min_position={position}' +
                             (f'&after={after}' if after else ''))
            seen += [row['desk'] for row in reply.json['rows']]
            after = reply.json.get('next')
            if not after:
                break
        assert seen == [f'A{i}' for i in range(10)] + [f'B{i}' for i in range(5)], seen
    with case('a search'):
        assert sorted(rows('q=grace')) == ['A3', 'A8']
        assert rows('q=nobody') == []
    with case('an entity tag for lists'):
        reply = http.get('/desks/bookings?who=Grace')
        assert http.get('/desks/bookings?who=Grace',
                        {'If-None-Match': reply.headers['etag']}).status == 304


def wrong_queries(http):
    table = [
        ('limit=0', 'bad_query'), ('limit=1001', 'bad_query'), ('limit=x', 'bad_query'),
        ('desc=maybe', 'bad_query'), ('color=red', 'unknown_parameter'), ('index=none', 'no_index'),
        ('seats=2', 'no_index'), (f'index=by-person&day={DAY}', 'no_index'),
        ('day=yesterday', 'bad_query'), ('who=a&who=b', 'bad_query'), ('a=%zz', 'bad_target'),
        ('who=%FF', 'bad_query'),
        ('after=nonsense', 'bad_cursor'), ('min_position=x', 'bad_position'),
        ('min_position=other:0000000000000000:1', 'other_domain'),
    ]
    for query, name in table:
        with case(f'a list with {query} is {name}'):
            rule(http.get('/desks/bookings?' + query), 400, name)
            assert http.get('/errors/' + name).json['title']
    with case('a view without search'):
        rule(http.get('/desks/days?q=x'), 400, 'no_search')


def positions(server, position):
    http = server.http
    domain, salt, number = position.split(':')
    with case('a position of another history is refused'):
        other = f'{domain}:{int(salt, 16) ^ 1:016x}:{number}'
        rule(http.get('/desks/bookings?min_position=' + other), 409, 'other_history')
        rule(http.get('/desks/bookings/' + uuid(1), {'Sluice-Position': other}), 409,
             'other_history')
        rule(http.get('/desks/events?after=' + other, AUDITOR), 409, 'other_history')
    with case('a timeout that is none'):
        rule(http.get('/desks/bookings', {'Sluice-Timeout': 'x'}), 400, 'bad_timeout')
        rule(http.get('/desks/bookings', {'Sluice-Timeout': '60001'}), 400, 'bad_timeout')
    with case('positions of an earlier reign stay good'):
        server.restart()
        reply = server.http.get('/desks/bookings?limit=1&min_position=' + position)
        assert reply.status == 200, reply
    with case('a position is named by the reign that wrote what is below it'):
        now = server.http.get('/desks/bookings?limit=1').position
        server.restart()
        assert server.http.get('/desks/bookings?limit=1').position == now
        reply = server.http.post('/desks/BookDesk', book(499, 'Z99', '2026-12-23', 'Zed'))
        assert reply.status == 201 and reply.position.split(':')[1] != now.split(':')[1], reply
        for known in (position, now, reply.position):
            assert server.http.get('/desks/bookings?min_position=' + known).status == 200, known
    with case('one reads what one wrote, in a list that is stored behind'):
        for i in range(20):
            reply = server.http.post('/desks/BookDesk', book(500 + i, f'Z{i}', '2026-12-24', 'Zoe'))
            reply = server.http.get('/desks/bookings?who=Zoe&min_position=' + reply.position)
            assert len(reply.json['rows']) == i + 1, reply


def events(http):
    get = lambda path: http.get(path, AUDITOR)
    with case('all events, page by page, in order'):
        seen, after = [], ''
        while True:
            page = get('/desks/events?limit=4' + (f'&after={after}' if after else '')).json
            seen += [event['position'] for event in page['events']]
            after = page['next']
            if page['end']:
                break
        assert seen == list(range(15)), seen
        assert get('/desks/events?after=' + after).json['events'] == []
    with case('the newest first'):
        page = get('/desks/events?limit=3&backwards=1').json
        assert [event['position'] for event in page['events']] == [14, 13, 12], page
        page = get('/desks/events?limit=3&backwards=1&after=' + page['next']).json
        assert [event['position'] for event in page['events']] == [11, 10, 9], page
    with case('behind a number'):
        page = get('/desks/events?after=12').json
        assert [event['position'] for event in page['events']] == [13, 14], page
    with case('of a tag'):
        page = get('/desks/events?tag=desk:A3').json
        assert [event['stream'] for event in page['events']] == [f'desk-day/A3,{DAY}'], page
    with case('of a stream, with all there is to know'):
        event = get(f'/desks/streams/desk-day/A3,{DAY}').json['events'][0]
        assert event['type'] == 'DeskBooked' and event['revision'] == 0, event
        assert event['body'] == book(3, 'A3', who='Grace'), event
        assert event['time'].endswith('Z') and len(event['command']) == 36, event
    with case('a stream that is not there'):
        rule(get('/desks/streams/desk-day/X'), 404, 'no_stream')
        rule(get('/desks/streams/nonsense'), 404, 'no_stream')
    with case('wrong queries'):
        rule(get('/desks/events?after=x'), 400, 'bad_position')
        rule(get('/desks/events?limit=0'), 400, 'bad_query')
        rule(get('/desks/events?color=red'), 400, 'unknown_parameter')
        rule(get('/desks/events?tag=a&tag=b'), 400, 'unknown_parameter')


def main():
    with desks.server() as server:
        bookings = [book(i, f'A{i}', who='Grace' if i % 5 == 3 else 'Ada') for i in range(10)]
        bookings += [book(100 + i, f'B{i}', '2026-01-01') for i in range(5)]
        reply = server.http.post('/desks/BookDesk', bookings)
        assert [item['status'] for item in reply.json] == [201] * 15, reply
        events(server.http)
        lists(server.http, reply.position)
        wrong_queries(server.http)
        positions(server, reply.position)
    lib.done()


main()
