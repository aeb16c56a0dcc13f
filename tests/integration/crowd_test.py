"""More commands at once than the server takes: those too many are told to come again and when, none
that was acknowledged is lost, and who comes again under the same id is done once. The same while
the server is stopped under the crowd."""
import json
import signal
import socket

import lib
from lib import case

CONFIG = '[server]\nqueue_max = 8\n'
CROWD = 300
TIMEOUT_S = 30


def request(name):
    body = json.dumps({'id': name, 'kind': 'external', 'currency': 'EUR'})
    return ('POST /bank/OpenAccount HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n'
            f'Content-Type: application/json\r\nIdempotency-Key: key-{name}\r\n'
            f'Content-Length: {len(body)}\r\n\r\n{body}').encode()


def send_all(server, names):
    """All at once, each on a connection of its own."""
    connections = [socket.create_connection(('127.0.0.1', server.port), TIMEOUT_S) for _ in names]
    for connection, name in zip(connections, names):
        connection.sendall(request(name))
    return connections


def read_all(connections):
    """Of each the reply as it was read, or nothing where the server has gone."""
    found = []
    for connection in connections:
        data = b''
        try:
            while piece := connection.recv(65536):
                data += piece
        except ConnectionResetError:
            pass
        connection.close()
        found.append(data)
    return found


def status_of(reply):
    return int(reply[9:12]) if reply else 0


def opened(server):
    return [event['body']['id'] for event in lib.all_events(server.http, 'bank')
            if event['type'] == 'AccountOpened']


def turned_away(server):
    names, rounds, away = [f'crowd-{i}' for i in range(CROWD)], 0, 0
    missing = list(names)
    while missing:
        replies = read_all(send_all(server, missing))
        for name, reply in zip(list(missing), replies):
            status = status_of(reply)
            assert status in (201, 503), reply
            if status == 201:
                missing.remove(name)
                continue
            head = reply.partition(b'\r\n\r\n')[0].lower()
            assert b'\r\nretry-after: 1' in head and b'overloaded' in reply, reply
            away += 1
        rounds += 1
        assert rounds < 1000, missing
    lib.note(f'{away} were turned away in {rounds} rounds')
    assert away > 0, 'the queue was never full'
    assert sorted(opened(server)) == sorted(names)


def stopped(server):
    names = [f'stop-{i}' for i in range(CROWD)]
    connections = send_all(server, names)
    server.child.signal(signal.SIGTERM)
    replies = read_all(connections)
    assert server.child.wait() == 0, server.child.output()
    server.start()
    there = opened(server)
    for name, reply in zip(names, replies):
        assert status_of(reply) in (0, 201, 503), reply
        assert status_of(reply) != 201 or there.count(name) == 1, (name, reply)
        assert status_of(reply) != 503 or name not in there, (name, reply)
    while missing := [name for name in names if name not in there]:
        read_all(send_all(server, missing))
        there = opened(server)
    assert sorted(name for name in there if name.startswith('stop-')) == sorted(names)


def main():
    with lib.Server(config=CONFIG) as server:
        with case('who is too many comes again, and is done once'):
            turned_away(server)
        with case('a stop under a crowd: what was answered is there, and what was refused is not'):
            stopped(server)
    lib.done()


if __name__ == '__main__':
    main()
