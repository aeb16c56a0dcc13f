"""RESP, as any Redis client speaks it: rows as values and hashes, commands, subscriptions."""
import itertools
import json
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
        behind(server)
        tools(server)
        with case('the server still runs, and stops when told'):
            assert server.stop() == 0, server.child.output()
    lib.done()


main()
