"""Server-sent events: rows, lists, events without a gap, numbers."""
import json
import threading

import desks
import lib
import resume
from desks import DAY, EVE, bearer, book, uuid
from lib import case

AUDITOR = bearer(EVE)


def following(http, path, headers=None):
    stream = http.events(path, headers)
    return lambda: next(stream), stream


def one_row(http):
    take, stream = following(http, '/desks/bookings/' + uuid(1))
    with case('a row that is not there yet'):
        event = take()
        assert event['event'] == 'row', event
        assert json.loads(event['data']) == {'key': uuid(1), 'row': None}, event
    with case('comes when it is made'):
        position = http.post('/desks/BookDesk', book(1, 'A4')).position
        event = take()
        assert json.loads(event['data'])['row'] == book(1, 'A4') and event['id'] == position, event
    with case('changes of others do not show'):
        http.post('/desks/BookDesk', book(2, 'A5'))
        http.post('/desks/CancelBooking', book(1, 'A4'), bearer(desks.ADA))
        assert json.loads(take()['data']) == {'key': uuid(1), 'row': None}
    stream.close()
    with case('a stream begins with the row as it stands'):
        take, stream = following(http, '/desks/bookings/' + uuid(2), {'Last-Event-ID': event['id']})
        assert json.loads(take()['data'])['row'] == book(2, 'A5')
        stream.close()


def a_list(http):
    take, stream = following(http, f'/desks/bookings?day={DAY}')
    with case('a list says when it listens'):
        event = take()
        assert event['event'] == 'ready', event
        assert json.loads(event['data'])['position'] == event['id'], event
    with case('rows that match, and the going of those that do not'):
        http.post('/desks/BookDesk', book(10, 'B1'))
        http.post('/desks/BookDesk', book(11, 'B2', '2026-12-24'))
        assert json.loads(take()['data'])['row'] == book(10, 'B1')
        seen = take()
        assert json.loads(seen['data']) == {'key': uuid(11), 'row': None}
    stream.close()
    a_list_goes_on(http, seen['id'])


def a_list_goes_on(http, since):
    path = f'/desks/bookings?day={DAY}'
    for how in (lambda: (path, {'Last-Event-ID': since}), lambda: (f'{path}&since={since}', {})):
        with case('who comes back is told what changed, what is gone, and that this was all'):
            http.post('/desks/CancelBooking', book(10, 'B1'), bearer(desks.ADA))
            http.post('/desks/BookDesk', book(12, 'B3'))
            take, stream = following(http, *how())
            told = [take() for _ in range(4)]
            rows = [json.loads(event['data']) for event in told[:3]]
            assert rows == [{'key': uuid(11), 'row': None}, {'key': uuid(10), 'row': None},
                            {'key': uuid(12), 'row': book(12, 'B3')}], rows
            assert told[3]['event'] == 'current', told
            stream.close()
    with case('and what comes then'):
        take, stream = following(http, path, {'Last-Event-ID': told[3]['id']})
        assert take()['event'] == 'current'
        http.post('/desks/CancelBooking', book(12, 'B3'), bearer(desks.ADA))
        assert json.loads(take()['data']) == {'key': uuid(12), 'row': None}
        stream.close()
    with case('who missed too much is told to read the list again'):
        domain, salt, _ = since.split(':')
        for start in range(30000, 32100, 700):
            http.post('/desks/BookDesk', [book(start + i, f'L{start + i}', '2026-12-31')
                                          for i in range(700)])
        take, stream = following(http, path, {'Last-Event-ID': told[3]['id']})
        while (event := take())['event'] == 'row':
            pass
        assert event['event'] == 'resync', event
        stream.close()
    with case('of another history, another domain or no position it is refused'):
        for last, status in ((f'{domain}:{int(salt, 16) ^ 1:016x}:3', 409), ('x:1:2', 400),
                             ('whatever', 400)):
            for url in (path, '/desks/bookings/' + uuid(2)):
                reply = http.get(url, {'Accept': 'text/event-stream', 'Last-Event-ID': last})
                assert reply.status == status, (url, last, reply)
    with case('since is of a stream'):
        reply = http.get(f'{path}&since={since}')
        assert reply.status == 400 and 'since' in reply.text, reply


def last_position(http):
    page = http.get('/desks/events?backwards=1&limit=1', AUDITOR).json
    return page['events'][0]['position']


def write_one_by_one(port, count):
    writer = lib.Http(port)
    for i in range(count):
        writer.post('/desks/BookDesk', book(20000 + i, f'J{i}'))


def the_log(http):
    count = 3000
    before = last_position(http) + 1
    writer = lib.Http(http.port)

    def write():
        for i in range(0, count, 100):
            writer.post('/desks/BookDesk', [book(10000 + i + n, f'C{i + n}') for n in range(100)])

    with case('who follows from the start while others write sees each event once, in order'):
        thread = threading.Thread(target=write)
        thread.start()
        take, stream = following(http, '/desks/events?after=start', AUDITOR)
        ids = []
        for position in range(before + count):
            event = take()
            assert event['event'] == 'event', event
            assert json.loads(event['data'])['position'] == position, event
            ids.append(event['id'])
        thread.join()
        stream.close()
    with case('many who join while others write miss nothing'):
        first = last_position(http) + 1
        thread = threading.Thread(target=write_one_by_one, args=(http.port, 600))
        thread.start()
        for join in range(0, 500, 10):
            lib.wait_until(lambda: last_position(http) >= first + join, 30, 'an event')
            take, stream = following(http, f'/desks/events?after={first + join - 3}', AUDITOR)
            got = [json.loads(take()['data'])['position'] for _ in range(20)]
            assert got == list(range(first + join - 2, first + join + 18)), got
            stream.close()
        thread.join()
    with case('and goes on exactly behind Last-Event-ID'):
        for at in (0, 1, before + 17, before + count - 2):
            take, stream = following(http, '/desks/events', {**AUDITOR, 'Last-Event-ID': ids[at]})
            assert json.loads(take()['data'])['position'] == at + 1, at
            stream.close()
    with case('of a tag, what was and what comes'):
        take, stream = following(http, '/desks/events?tag=desk:C5&after=start', AUDITOR)
        assert json.loads(take()['data'])['stream'] == f'desk-day/C5,{DAY}'
        http.post('/desks/BookDesk', book(20, 'D1'))
        http.post('/desks/BookDesk', book(21, 'C5', '2026-12-01'))
        assert json.loads(take()['data'])['stream'] == 'desk-day/C5,2026-12-01'
        stream.close()
    with case('of a stream that is there, and goes on'):
        take, stream = following(http, f'/desks/streams/desk-day/C6,{DAY}?after=start', AUDITOR)
        assert json.loads(take()['data'])['revision'] == 0
        http.post('/desks/CancelBooking', book(22, 'C6'), bearer(desks.ADA))
        assert json.loads(take()['data'])['revision'] == 1
        stream.close()
    with case('a history that is not there is refused'):
        domain, salt, number = ids[0].split(':')
        other = f'{domain}:{int(salt, 16) ^ 1:016x}:{number}'
        reply = http.get('/desks/events', {**AUDITOR, 'Accept': 'text/event-stream',
                                           'Last-Event-ID': other})
        assert reply.status == 409 and reply.json['rule'] == 'other_history', reply


def slow(http):
    with case('a slow reader gets all of a long log'):
        take, stream = following(http, '/desks/events?after=start', AUDITOR)
        take()
        http.post('/desks/BookDesk', [book(50000 + i, f'S{i}', who='x' * 80) for i in range(8000)])
        last = last_position(http)
        for position in range(1, last + 1):
            assert json.loads(take()['data'])['position'] == position
        stream.close()


def numbers(server):
    with case('numbers come while somebody watches'):
        take, stream = following(server.http, '/live')
        first, second = json.loads(take()['data']), json.loads(take()['data'])
        names = [domain['name'] for domain in second['domains']]
        assert 'desks' in names and second['memory_bytes'] > 1e6, second
        assert first['requests'] <= second['requests'], (first, second)
        stream.close()
    with case('streams end when the server stops, soon'):
        take, stream = following(server.http, '/live')
        take()
        assert server.stop() == 0
        assert list(stream) is not None


def main():
    with desks.server() as server:
        one_row(server.http)
        a_list(server.http)
        the_log(server.http)
        slow(server.http)
        numbers(server)
    resume.run()
    lib.done()


main()
