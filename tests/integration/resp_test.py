"""RESP, as any Redis client speaks it: rows as values and hashes, commands, subscriptions."""
import itertools
import json
import random
import shutil
import subprocess

import desks
import lib
from desks import ADA, DAY, EVE, book, uuid
from lib import case


def error(redis, name, *words):
    try:
        reply = redis.call(*words)
    except lib.RespError as refused:
        assert str(refused).startswith(name + ' '), refused
        return str(refused)
    raise AssertionError(f'{words} was answered {reply!r}')


def do(redis, *words):
    return json.loads(redis.call('SLUICE.DO', *words))


def small_talk(redis):
    with case('what clients say first'):
        assert redis.call('PING') == 'PONG' and redis.call('ping', 'x') == b'x'
        assert redis.call('ECHO', 'hello') == b'hello'
        assert redis.call('SELECT', 0) == 'OK'
        error(redis, 'ERR', 'SELECT', 1)
        assert redis.call('CLIENT', 'SETINFO', 'LIB-NAME', 'x') == 'OK'
        assert redis.call('CLIENT', 'SETNAME', 'me') == 'OK'
        assert redis.call('CLIENT', 'GETNAME') == b'me'
        assert redis.call('CLIENT', 'ID') > 0
        assert len(redis.call('COMMAND')) == redis.call('COMMAND', 'COUNT')
        assert b'sluice.do' in redis.call('COMMAND', 'LIST')
        assert redis.call('COMMAND', 'INFO', 'mget', 'nothing')[0][:2] == [b'mget', -2]
        assert len(redis.call('COMMAND', 'DOCS', 'get', 'nothing')) == 2
        assert b'sluice_version' in redis.call('INFO')
        assert redis.call('CONFIG', 'GET', 'appendonly') == [b'appendonly', b'yes']
        assert redis.call('CONFIG', 'GET', 'maxmemory') == []
    with case('version 3'):
        hello = redis.call('HELLO', 3)
        assert hello['proto'] == 3 and hello['server'] == b'sluice', hello
        assert redis.call('GET', 'desks:bookings:' + uuid(99)) is None
        assert redis.call('HELLO', 2)[5] == 2
        error(redis, 'NOPROTO', 'HELLO', 4)
    with case('errors'):
        error(redis, 'ERR', 'NOTHING')
        error(redis, 'ERR', 'GET')
        error(redis, 'ERR', 'GET', 'a', 'b')
        error(redis, 'ERR', 'GET', 'nocolons')
        error(redis, 'ERR', 'GET', 'desks:nothing:1')
        error(redis, 'ERR', 'GET', 'nothing:bookings:1')
        error(redis, 'ERR', 'MGET', 'desks:bookings:' + uuid(1), 'nonsense')
        error(redis, 'ERR', 'MGET', 'nonsense', 'desks:bookings:' + uuid(1))
    with case('writes are refused, and why'):
        for words in (['SET', 'a', 'b'], ['DEL', 'desks:bookings:1'], ['HSET', 'a', 'b', 'c'],
                      ['FLUSHALL'], ['incr', 'a'], ['PUBLISH', 'a', 'b']):
            assert 'SLUICE.DO' in error(redis, 'READONLY', *words)
        assert 'timer' in error(redis, 'READONLY', 'expire', 'a', 10)
        assert 'transaction' in error(redis, 'ERR', 'MULTI')
        assert 'SCAN' in error(redis, 'ERR', 'KEYS', '*')
        assert 'HGETALL' in error(redis, 'WRONGTYPE', 'LRANGE', 'a', 0, 1)
        assert 'COMMAND LIST' in error(redis, 'ERR', 'NOTHING')


def commands(redis):
    with case('a command is carried out'):
        outcome = do(redis, 'desks.BookDesk', json.dumps(book(1, 'A4', seats=2)))
        assert outcome['events'][0]['stream'] == f'desk-day/A4,{DAY}', outcome
    with case('and what a session did, its reads see at once'):
        for i in range(2, 50):
            do(redis, 'desks.BookDesk', json.dumps(book(i, f'B{i}')))
            assert json.loads(redis.call('GET', 'desks:bookings:' + uuid(i))) == book(i, f'B{i}')
    with case('a pipeline of commands and reads'):
        for i in range(50, 80):
            redis.send('SLUICE.DO', 'desks.BookDesk', json.dumps(book(i, f'B{i}')))
        redis.send('EXISTS', *['desks:bookings:' + uuid(i) for i in range(50, 80)])
        replies = [redis.read() for _ in range(31)]
        assert all(json.loads(reply)['events'] for reply in replies[:30]), replies
        assert redis.call('EXISTS', *['desks:bookings:' + uuid(i) for i in range(50, 81)]) == 30
    with case('the same id gets the same reply, by whichever door'):
        words = ['SLUICE.DO', 'desks.BookDesk', json.dumps(book(90, 'C1')), 'ID', 'once']
        first = redis.call(*words)
        assert redis.call(*words) == first
        redis.http.headers = {}
        reply = redis.http.post('/desks/BookDesk', book(90, 'C1'), {'Idempotency-Key': 'once'})
        assert reply.body == first, reply
        words[2] = json.dumps(book(91, 'C1'))
        error(redis, 'REFUSED', *words)
    with case('refusals'):
        assert 'desk_taken desk A4 is taken' in \
            error(redis, 'REFUSED', 'SLUICE.DO', 'desks.BookDesk', json.dumps(book(92, 'A4')))
        assert 'required' in error(redis, 'INVALID', 'SLUICE.DO', 'desks.BookDesk', '{}')
        error(redis, 'INVALID', 'SLUICE.DO', 'desks.BookDesk', '{')
        error(redis, 'ERR', 'SLUICE.DO', 'desks.Nothing', '{}')
        error(redis, 'ERR', 'SLUICE.DO', 'BookDesk', '{}')
        error(redis, 'ERR', 'SLUICE.DO', 'desks.BookDesk', '{}', 'KEY', 'x')


def reads(redis):
    key = 'desks:bookings:' + uuid(1)
    with case('a row is a text and a hash'):
        assert json.loads(redis.call('GET', key)) == book(1, 'A4', seats=2)
        fields = redis.call('HGETALL', key)
        row = {fields[i].decode(): fields[i + 1].decode() for i in range(0, len(fields), 2)}
        assert row == {key: str(value) for key, value in book(1, 'A4', seats=2).items()}, row
        assert redis.call('HGET', key, 'desk') == b'A4' and redis.call('HGET', key, 'none') is None
        assert redis.call('HMGET', key, 'day', 'none', 'who') == [DAY.encode(), None, b'Ada']
        assert redis.call('TYPE', key) == 'string'
    with case('rows that are not there'):
        nothing = 'desks:bookings:' + uuid(99)
        assert redis.call('GET', nothing) is None and redis.call('TYPE', nothing) == 'none'
        assert redis.call('HGETALL', nothing) == [] and redis.call('HGET', nothing, 'desk') is None
        assert redis.call('MGET', nothing, key, nothing)[0::2] == [None, None]
        assert redis.call('EXISTS', nothing, key, key) == 2
    with case('keys of several fields'):
        assert json.loads(redis.call('GET', f'desks:days:A4,{DAY}'))['times'] == 1


def scans(redis, position):
    redis.http.get('/desks/bookings?min_position=' + position)
    redis.http.get('/desks/days?min_position=' + position)

    def scan(*words):
        cursor, keys = '0', []
        while True:
            cursor, some = redis.call('SCAN', cursor, *words)
            keys += some
            if cursor == b'0':
                return keys
    with case('a scan finds each key of a view once'):
        keys = scan('MATCH', 'desks:bookings:*', 'COUNT', '7')
        assert len(keys) == len(set(keys)) == 81, keys
        assert b'desks:bookings:' + uuid(1).encode() in keys
    with case('and of all views that one may read'):
        keys = scan('COUNT', '1000')
        assert f'desks:days:A4,{DAY}'.encode() in keys and not [k for k in keys if b':ledger:' in k]
        assert scan('TYPE', 'hash') == []
    with case('cursors and patterns that are none'):
        error(redis, 'ERR', 'SCAN', '77')
        error(redis, 'ERR', 'SCAN', '0', 'MATCH', 'desks:nothing:a*')
        error(redis, 'NOAUTH', 'SCAN', '0', 'MATCH', 'desks:ledger:*')
        error(redis, 'ERR', 'SCAN', '0', 'COUNT', '0')
        error(redis, 'ERR', 'SCAN', '0', 'COUNT')


def scans_that_last(server, redis):
    def scan(connections, *words, meanwhile=lambda: None):
        cursor, keys = '0', []
        while True:
            cursor, some = next(connections).call('SCAN', cursor, *words)
            keys += some
            meanwhile()
            if cursor == b'0':
                return keys
    one = itertools.repeat(redis)
    with case('patterns choose among the keys'):
        assert scan(one, 'MATCH', 'desks:days:B[23],*') == \
            [f'desks:days:B{i},{DAY}'.encode() for i in (2, 3)]
        assert scan(one, 'MATCH', '*:days:?4,*') == \
            [f'desks:days:{desk}4,{DAY}'.encode() for desk in 'AB']
        assert scan(one, 'MATCH', 'nothing*') == []
    with case('what was booked just now is found'):
        for i in range(5):
            do(redis, 'desks.BookDesk', json.dumps(book(300 + i, f'F{i}')))
            assert scan(one, 'MATCH', f'*{uuid(300 + i)}', 'COUNT', 1000) == \
                [f'desks:bookings:{uuid(300 + i)}'.encode()]
    with case('a scan goes on from any connection, beside others, whatever is booked meanwhile'):
        before = set(scan(one, 'MATCH', 'desks:bookings:*'))
        numbers = itertools.count(400)

        def meanwhile():
            i = next(numbers)
            do(redis, 'desks.BookDesk', json.dumps(book(i, f'G{i}')))
            redis.call('SCAN', 0)
        others = [server.resp() for _ in range(3)]
        keys = scan(itertools.cycle(others), 'MATCH', 'desks:bookings:*', 'COUNT', 3,
                    meanwhile=meanwhile)
        assert len(keys) == len(set(keys)) and set(keys) >= before, keys
        for other in others:
            other.close()
    with case('a cursor may be used twice, and is over after thousands of others'):
        cursor = redis.call('SCAN', 0, 'COUNT', 3)[0]
        assert redis.call('SCAN', cursor)[1] == redis.call('SCAN', cursor)[1]
        for _ in range(9):
            for _ in range(500):
                redis.send('SCAN', 0, 'COUNT', 1)
            for _ in range(500):
                redis.read()
        error(redis, 'ERR', 'SCAN', cursor)


def positions(redis, position):
    domain, salt, number = position.split(':')
    with case('waiting for a position'):
        assert redis.call('SLUICE.WAIT', position) == 'OK'
        assert redis.call('SLUICE.WAIT', position, 'bookings') == 'OK'
        error(redis, 'ERR', 'SLUICE.WAIT', position, 'nothing')
        error(redis, 'ERR', 'SLUICE.WAIT', 'nonsense')
        error(redis, 'CONFLICT', 'SLUICE.WAIT', f'{domain}:{int(salt, 16) ^ 1:016x}:{number}')


def rights(server, redis):
    with case('views and commands for a role'):
        error(redis, 'NOAUTH', 'GET', 'desks:ledger:' + uuid(1))
        error(redis, 'NOAUTH', 'SLUICE.DO', 'desks.CancelBooking', json.dumps(book(1, 'A4')))
        error(redis, 'WRONGPASS', 'AUTH', 'nobody-has-this-token')
        assert redis.call('AUTH', ADA) == 'OK'
        error(redis, 'NOPERM', 'GET', 'desks:ledger:' + uuid(1))
        assert do(redis, 'desks.CancelBooking', json.dumps(book(1, 'A4')))['events']
        error(redis, 'NOPERM', 'SLUICE.DO', 'desks.Sweep', json.dumps(book(1, 'A4')))
        assert redis.call('AUTH', 'eve', EVE) == 'OK'
        assert redis.call('GET', 'desks:ledger:' + uuid(2))
    with case('what was permitted to one is not to the next on the same connection'):
        assert redis.call('AUTH', ADA) == 'OK'
        error(redis, 'NOPERM', 'GET', 'desks:ledger:' + uuid(2))
    with case('HELLO can say who, too'):
        other = server.resp()
        assert other.call('HELLO', 3, 'AUTH', 'eve', EVE, 'SETNAME', 'x')['proto'] == 3
        assert other.call('GET', 'desks:ledger:' + uuid(2))
        other.close()
    with case('a browser that was sent here gets nothing done'):
        other = server.resp()
        other.socket.sendall(b'POST / HTTP/1.1\r\nHost: x\r\n\r\nSLUICE.DO desks.BookDesk {}\r\n')
        answer = other.file.read()
        assert answer.startswith(b'-ERR') and answer.count(b'\r\n') == 1, answer
        other.close()


def subscriptions(server):
    for version in (2, 3):
        one, writer = server.resp(), server.resp()
        base = 1000 * version
        with case(f'a row and a view are watched, version {version}'):
            one.call('HELLO', version)
            channel = b'desks:bookings:' + uuid(base).encode()
            assert one.call('SUBSCRIBE', channel) == [b'subscribe', channel, 1]
            assert one.call('PSUBSCRIBE', 'desks:days:*') == [b'psubscribe', b'desks:days:*', 2]
            do(writer, 'desks.BookDesk', json.dumps(book(base, f'P{version}')))
            messages = sorted([one.read(), one.read()])
            assert messages[0][:2] == [b'message', channel], messages
            assert json.loads(messages[0][2]) == book(base, f'P{version}'), messages
            changed = f'desks:days:P{version},{DAY}'.encode()
            assert messages[1][:3] == [b'pmessage', b'desks:days:*', changed], messages
            writer.call('AUTH', ADA)
            do(writer, 'desks.CancelBooking', json.dumps(book(base, f'P{version}')))
            messages = sorted([one.read(), one.read()])
            assert messages[0] == [b'message', channel, b'null'], messages
        with case(f'and no longer, version {version}'):
            assert one.call('UNSUBSCRIBE', channel) == [b'unsubscribe', channel, 1]
            assert one.call('PUNSUBSCRIBE') == [b'punsubscribe', b'desks:days:*', 0]
            do(writer, 'desks.BookDesk', json.dumps(book(base, f'P{version}')))
            assert one.call('PING') == 'PONG'
        one.close()
        writer.close()
    with case('several channels in one command are confirmed one by one, or none is taken'):
        one = server.resp()
        keys = [b'desks:bookings:' + uuid(i).encode() for i in (4001, 4002, 4003)]
        one.send('SUBSCRIBE', *keys)
        assert [one.read() for _ in keys] == \
            [[b'subscribe', key, i + 1] for i, key in enumerate(keys)]
        error(one, 'ERR', 'PSUBSCRIBE', 'desks:days:*', 'nonsense', 'desks:bookings:*')
        error(one, 'NOAUTH', 'SUBSCRIBE', keys[0], 'desks:ledger:' + uuid(1))
    with case('a RESP2 client that subscribes gets no answer that it would take for a message'):
        assert one.call('PING') == [b'pong', b''] and one.call('PING', 'x') == [b'pong', b'x']
        assert 'HELLO 3' in error(one, 'ERR', 'GET', keys[0])
        error(one, 'ERR', 'NOTHING')
        one.send('UNSUBSCRIBE')
        left = [one.read() for _ in keys]
        assert sorted(reply[1] for reply in left) == keys and [r[2] for r in left] == [2, 1, 0]
        assert one.call('UNSUBSCRIBE') == [b'unsubscribe', None, 0]
        assert one.call('GET', keys[0]) is None
    with case('patterns choose among the rows of a view'):
        one.call('HELLO', 3)
        assert one.call('PSUBSCRIBE', 'desks:days:S[12],*')[2] == 1
        with server.resp() as writer:
            for i, desk in enumerate(('S0', 'S1', 'S3', 'S2')):
                do(writer, 'desks.BookDesk', json.dumps(book(4010 + i, desk)))
        assert one.read()[2] == f'desks:days:S1,{DAY}'.encode()
        assert one.read()[2] == f'desks:days:S2,{DAY}'.encode()
        assert one.call('PING') == 'PONG' and one.call('GET', keys[0]) is None
    with case('RESET makes a connection new'):
        one.call('AUTH', EVE)
        one.call('CLIENT', 'SETNAME', 'me')
        assert one.call('RESET') == 'RESET'
        error(one, 'NOAUTH', 'GET', 'desks:ledger:' + uuid(2))
        assert one.call('CLIENT', 'GETNAME') == b'' and one.call('HELLO')[5] == 2
        with server.resp() as writer:
            do(writer, 'desks.BookDesk', json.dumps(book(4020, 'S1', '2026-11-24')))
        assert one.call('PING') == 'PONG'
        one.close()
    with case('who leaves while watching harms nobody'):
        for _ in range(5):
            leaver = server.resp()
            leaver.call('PSUBSCRIBE', 'desks:bookings:*')
            leaver.close()
        writer = server.resp()
        assert do(writer, 'desks.BookDesk', json.dumps(book(5000, 'Q1')))['events']
        writer.close()


def say(message):
    """What a message of a channel with @ says: (kind, document)."""
    return message[0], json.loads(message[-1])


def row_resumed(server):
    key = 'desks:days:U1,' + DAY
    one = server.resp()
    one.call('HELLO', 3)
    with case('a row with @ begins as it stands'):
        assert one.call('SUBSCRIBE', key + '@')[2] == 1
        kind, first = say(one.read())
        assert (kind, first['key'], first['row']) == (b'message', 'U1,' + DAY, None), first
        with server.resp() as writer:
            do(writer, 'desks.BookDesk', json.dumps(book(7000, 'U1')))
        second = say(one.read())[1]
        assert second['row']['times'] == 1, second
        one.close()
    with case('and goes on as it is, wherever a reader was'):
        with server.resp() as writer:
            writer.call('AUTH', ADA)
            position = do(writer, 'desks.CancelBooking', json.dumps(book(7000, 'U1')))['position']
        for since in (first['position'], second['position'], position):
            with server.resp() as again:
                again.call('SUBSCRIBE', f'{key}@{since}')
                assert say(again.read())[1]['row']['times'] == 2
    with case('positions that are none'), server.resp() as again:
        domain, salt, number = position.split(':')
        error(again, 'CONFLICT', 'SUBSCRIBE',
              f'{key}@{domain}:{int(salt, 16) ^ 1:016x}:{number}')
        error(again, 'ERR', 'SUBSCRIBE', f'{key}@shop:{salt}:{number}')
        assert again.call('SUBSCRIBE', key + '@x')[1] == (key + '@x').encode()  # a part of the key


def view_resumed(server, old):
    one, writer = server.resp(), server.resp()
    one.call('HELLO', 3)
    pattern = 'desks:bookings:*@'

    def next_rows(redis, count):
        return [say(redis.read())[1] for _ in range(count)]
    with case('a view with @ says where it begins'):
        error(one, 'GONE', 'PSUBSCRIBE', pattern + old)
        one.call('PSUBSCRIBE', pattern)
        start = say(one.read())[1]
        assert list(start) == ['position'], start
    with case('who comes back gets what changed, as it stands, and what then changes'):
        writer.call('AUTH', ADA)
        for i in range(7100, 7110):
            do(writer, 'desks.BookDesk', json.dumps(book(i, f'V{i}')))
        rows = next_rows(one, 10)
        assert [row['key'] for row in rows] == [uuid(i) for i in range(7100, 7110)], rows
        one.close()
        do(writer, 'desks.CancelBooking', json.dumps(book(7102, 'V7102')))
        do(writer, 'desks.CancelBooking', json.dumps(book(7108, 'V7108')))
        do(writer, 'desks.BookDesk', json.dumps(book(7102, 'V7102', who='Eve')))
        for since, keys in ((start, {*range(7100, 7110)}),
                            (rows[7], {7102, 7107, 7108, 7109}), (rows[9], {7102, 7108, 7109})):
            again = server.resp()
            again.call('HELLO', 3)
            again.call('PSUBSCRIBE', pattern + since['position'])
            state, message = {}, {}
            while 'key' in message or not message:
                message = say(again.read())[1]
                state[message.get('key')] = message.get('row')
            del state[None]
            state.pop(uuid(7200), None)  # the reader's before
            assert set(state) == {uuid(i) for i in keys}, (since, state)
            assert state[uuid(7102)]['who'] == 'Eve' and state[uuid(7108)] is None, state
            do(writer, 'desks.BookDesk', json.dumps(book(7200, 'W1')))
            assert next_rows(again, 1)[0]['key'] == uuid(7200)
            do(writer, 'desks.CancelBooking', json.dumps(book(7200, 'W1')))
            again.close()
    with case('and one that goes away and comes back again and again ends with all rows right'):
        state, since, seed = {}, '', random.randrange(1 << 30)
        lib.note(f'seed {seed}')
        dice = random.Random(seed)
        booked = {}
        for _ in range(30):
            reader = server.resp()
            reader.call('HELLO', 3)
            reader.send('PSUBSCRIBE', 'desks:bookings:*@' + since)
            for _ in range(dice.randrange(8)):
                i = dice.randrange(7300, 7320)
                if i in booked:
                    do(writer, 'desks.CancelBooking', json.dumps(book(i, f'X{i}')))
                    del booked[i]
                else:
                    do(writer, 'desks.BookDesk', json.dumps(book(i, f'X{i}')))
                    booked[i] = True
            reader.send('PING')  # what was sent before its answer was sent for certain
            for _ in range(dice.randrange(1, 8)):
                answer = reader.read()
                if answer == 'PONG':
                    break
                message = say(answer)[1] if answer[0] != b'psubscribe' else {'position': since}
                since = message['position']
                if 'key' in message:
                    state[message['key']] = message['row']
            reader.close()
        reader = server.resp()
        reader.call('PSUBSCRIBE', 'desks:bookings:*@' + since)
        message = {'key': ''}
        while 'key' in message:
            message = say(reader.read())[1]
            if 'key' in message:
                state[message['key']] = message['row']
        reader.close()
        there = {int(key[-12:], 16) for key, row in state.items() if row}
        assert {i for i in there if 7300 <= i < 7320} == set(booked), (there, booked)
    writer.close()


def log_resumed(server):
    def bookings(redis, count):
        return [say(redis.read())[1] for _ in range(count)]
    one, writer = server.resp(), server.resp()
    with case('events come as they happen, those with a tag and of a stream too'):
        one.call('AUTH', EVE)
        one.call('HELLO', 3)
        one.call('PSUBSCRIBE', 'desks:events:*')
        one.call('SUBSCRIBE', 'desks:events:desk:Y1@')
        one.call('SUBSCRIBE', f'desks:streams:desk-day/Y2,{DAY}')
        do(writer, 'desks.BookDesk', json.dumps(book(7400, 'Y1')))
        messages = sorted([one.read(), one.read()])
        assert messages[1][1:3] == [b'desks:events:*', f'desks:streams:desk-day/Y1,{DAY}'.encode()]
        by_tag = say(messages[0])[1]
        assert by_tag['event'] == say(messages[1])[1] and by_tag['event']['type'] == 'DeskBooked'
        do(writer, 'desks.BookDesk', json.dumps(book(7401, 'Y2')))
        messages = sorted([one.read(), one.read()])
        assert say(messages[0])[1] == say(messages[1])[1]
        assert messages[0][1] == f'desks:streams:desk-day/Y2,{DAY}'.encode(), messages
        one.close()
    with case('a log goes on exactly where a reader was, over a crash too'):
        positions = []
        for i in range(7410, 7420):
            positions.append(do(writer, 'desks.BookDesk', json.dumps(book(i, f'Z{i}')))['position'])
        writer.close()
        server.kill()
        server.start()
        one = server.resp()
        one.call('AUTH', EVE)
        one.call('PSUBSCRIBE', 'desks:events:*@' + positions[3])
        events = bookings(one, 6)
        assert [event['event']['body']['id'] for event in events] == \
            [uuid(i) for i in range(7414, 7420)], events
        assert [event['position'].split(':')[2] for event in events] == \
            [position.split(':')[2] for position in positions[4:]], events
        one.close()
    with case('and from its start'):
        one = server.resp()
        one.call('AUTH', EVE)
        one.call('PSUBSCRIBE', 'desks:events:*@start')
        count = int(positions[-1].split(':')[2])
        events = bookings(one, count)
        assert [event['event']['position'] for event in events] == list(range(count))
        one.close()
    with case('channels of logs that are none, or not for all'), server.resp() as one:
        error(one, 'ERR', 'PSUBSCRIBE', 'desks:events:desk:*')
        error(one, 'ERR', 'PSUBSCRIBE', 'desks:streams:*')
        error(one, 'ERR', 'SUBSCRIBE', 'desks:events:*')
        error(one, 'ERR', 'PSUBSCRIBE', 'nothing:events:*')
        error(one, 'NOAUTH', 'PSUBSCRIBE', 'desks:events:*')


def behind(server):
    with case('a session sees its own command in a view that is far behind'):
        for i in range(4):
            items = [book(100000 + i * 8190 + n, f'{i}.{n}', '2026-12-31') for n in range(8190)]
            assert server.http.post('/desks/BookDesk', items).status == 200
        server.kill()
        server.start()
        redis = server.resp()
        for i in range(20):
            do(redis, 'desks.BookDesk', json.dumps(book(6000 + i, f'R{i}')))
            row = redis.call('GET', 'desks:bookings:' + uuid(6000 + i))
            assert row and json.loads(row) == book(6000 + i, f'R{i}'), row
        redis.close()


def tools(server):
    key = 'desks:bookings:' + uuid(2)
    with case('redis-cli reads a row'):
        if not shutil.which('redis-cli'):
            raise lib.Skip('redis-cli is not installed')
        out = subprocess.run(['redis-cli', '-p', str(server.resp_port), 'GET', key], check=True,
                             stdout=subprocess.PIPE, timeout=30).stdout
        assert json.loads(out) == book(2, 'B2'), out
        out = subprocess.run(['redis-cli', '-3', '-p', str(server.resp_port), 'HGET', key, 'desk'],
                             check=True, stdout=subprocess.PIPE, timeout=30).stdout
        assert out == b'B2\n', out
        out = subprocess.run(['redis-cli', '-p', str(server.resp_port), '--scan', '--pattern',
                              'desks:days:B[2-4],*'], check=True, stdout=subprocess.PIPE,
                             timeout=30).stdout
        assert out.split() == [f'desks:days:B{i},{DAY}'.encode() for i in (2, 3, 4)], out
        reader = lib.Child(['redis-cli', '-p', str(server.resp_port), 'SUBSCRIBE', key + '@'])
        reader.wait_for_line('"key":"' + uuid(2))
        reader.kill()
    with case('redis-benchmark runs through'):
        if not shutil.which('redis-benchmark'):
            raise lib.Skip('redis-benchmark is not installed')
        command = ['redis-benchmark', '-p', str(server.resp_port), '-n', '5000', '-c', '16',
                   '-P', '8',
                   '--csv', 'GET', key]
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             timeout=120).stdout.decode()
        assert 'GET' in out and 'rror' not in out, out


def main():
    with desks.server() as server:
        redis = server.resp()
        redis.http = server.http
        small_talk(redis)
        commands(redis)
        reads(redis)
        position = do(redis, 'desks.BookDesk', json.dumps(book(95, 'D1')))['position']
        positions(redis, position)
        scans(redis, position)
        scans_that_last(server, redis)
        rights(server, redis)
        subscriptions(server)
        row_resumed(server)
        view_resumed(server, position)
        log_resumed(server)
        behind(server)
        tools(server)
        with case('the server still runs, and stops when told'):
            assert server.stop() == 0, server.child.output()
    lib.done()


main()
