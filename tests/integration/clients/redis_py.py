"""redis-py as it is, PORT and TOKEN: ends with an error where something is not as it should be."""
import json
import sys

import redis

PORT, TOKEN = int(sys.argv[1]), sys.argv[2]
DAY = '2026-11-23'


def uuid(number):
    return f'00000000-0000-4000-8000-{number:012x}'


def book(client, number, desk):
    body = {'id': uuid(number), 'desk': desk, 'day': DAY, 'who': 'redis-py'}
    return json.loads(client.execute_command('SLUICE.DO', 'desks.BookDesk', json.dumps(body)))


def refused(error, call, *words):
    try:
        answer = call(*words)
    except error:
        return
    raise AssertionError(f'{call} {words}: {answer!r}')


def reads(client, base):
    position = book(client, base, f'R{base}')['position']
    assert client.execute_command('SLUICE.WAIT', position) in (b'OK', 'OK')
    key, none = 'desks:bookings:' + uuid(base), 'desks:bookings:' + uuid(0xffff)
    assert json.loads(client.get(key))['desk'] == f'R{base}' and client.get(none) is None
    assert [row is None for row in client.mget(none, key)] == [True, False]
    assert client.exists(key, none) == 1
    assert client.type(key) in (b'string', 'string')
    assert client.hget(key, 'who') in (b'redis-py', 'redis-py')
    assert len(client.hmget(key, 'desk', 'day')) == 2
    assert {str(name) for name in client.hgetall(key)} >= {str(b'desk')}
    found = list(client.scan_iter(match='desks:bookings:*', count=3))
    assert len(found) == len(set(found)) > 5 and key.encode() in found, found
    with client.pipeline(transaction=False) as pipe:
        for _ in range(100):
            pipe.get(key)
        assert len(set(pipe.execute())) == 1
    refused(redis.exceptions.ReadOnlyError, client.set, 'a', 'b')
    refused(redis.exceptions.ResponseError, client.keys, '*')
    assert client.ping() and client.info()['redis_mode'] == 'standalone' and client.client_id() > 0
    assert client.echo('x') == b'x' and client.config_get('save')


def subscribes(client, base):
    pubsub = client.pubsub()
    one = 'desks:bookings:' + uuid(base + 50)
    pubsub.subscribe(one, 'desks:days:none,' + DAY)
    pubsub.psubscribe('desks:days:*@')
    kinds = [pubsub.get_message(timeout=10)['type'] for _ in range(4)]
    assert kinds[:3] == ['subscribe', 'subscribe', 'psubscribe'] and kinds[3] == 'pmessage', kinds
    pubsub.ping()
    assert pubsub.get_message(timeout=10)['type'] == 'pong'
    book(client, base + 50, f'S{base}')
    messages = sorted((pubsub.get_message(timeout=10) for _ in range(2)), key=lambda m: m['type'])
    assert messages[0]['channel'] == one.encode() and json.loads(messages[0]['data']), messages
    token = json.loads(messages[1]['data'])['position']
    pubsub.punsubscribe('desks:days:*@')
    pubsub.unsubscribe()
    kinds = [pubsub.get_message(timeout=10)['type'] for _ in range(3)]
    assert kinds == ['punsubscribe', 'unsubscribe', 'unsubscribe'], kinds
    pubsub.psubscribe('desks:days:*@' + token)
    assert pubsub.get_message(timeout=10)['type'] == 'psubscribe'
    assert json.loads(pubsub.get_message(timeout=10)['data'])['row']['desk'] == f'S{base}'
    pubsub.close()


for protocol in (2, 3):
    with redis.Redis(port=PORT, protocol=protocol, client_name='test') as connected:
        for extra in range(6):
            book(connected, 0x1000 * protocol + 100 + extra, f'E{protocol}{extra}')
        reads(connected, 0x1000 * protocol)
        subscribes(connected, 0x1000 * protocol)
    with redis.Redis(port=PORT, protocol=protocol, username='eve', password=TOKEN) as eve:
        assert eve.get('desks:ledger:' + uuid(0x1000 * protocol))
    with redis.Redis(port=PORT, protocol=protocol, password='nobody-has-this-token') as nobody:
        refused(redis.exceptions.AuthenticationError, nobody.ping)
