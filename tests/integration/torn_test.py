"""Connections that break at any byte, of the request or of the reply, by HTTP and by RESP: a
command that did not arrive whole is none, one that did is carried out once, and whoever repeats it
under its id gets the reply that was given first, however little of that he saw."""
import collections
import json
import random
import re
import socket
import struct

import lib
from lib import case

STEP = 1 if lib.IS_LONG else 3  # bytes between two cuts
TIMEOUT_S = 20


def account(name):
    return json.dumps({'id': name, 'kind': 'external', 'currency': 'EUR'})


def by_http(name):
    body = account(name)
    return ('POST /bank/OpenAccount HTTP/1.1\r\nHost: localhost\r\n'
            f'Content-Type: application/json\r\nIdempotency-Key: key-{name}\r\n'
            f'Content-Length: {len(body)}\r\n\r\n{body}').encode()


def by_resp(name):
    words = ['SLUICE.DO', 'bank.OpenAccount', account(name), 'ID', f'key-{name}']
    return (f'*{len(words)}\r\n' +
            ''.join(f'${len(word)}\r\n{word}\r\n' for word in words)).encode()


def http_whole(data):
    """The body of a whole reply, or None."""
    head, end, body = data.partition(b'\r\n\r\n')
    length = re.search(rb'(?i)\r\ncontent-length: *(\d+)', head)
    return body if end and length and len(body) == int(length.group(1)) else None


def resp_whole(data):
    head, end, rest = data.partition(b'\r\n')
    if not end or data[:1] != b'$':
        return data if end else None
    return rest[:-2] if len(rest) == int(head[1:]) + 2 else None


DOORS = [('HTTP', by_http, http_whole, lambda server: server.port),
         ('RESP', by_resp, resp_whole, lambda server: server.resp_port)]


def connect(port):
    connection = socket.create_connection(('127.0.0.1', port), TIMEOUT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def break_off(connection):
    """With a reset, not in good order: nothing that is under way arrives."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    connection.close()


def read_some(connection, count):
    data = b''
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            break
        data += piece
    return data


def ask(port, request, whole):
    """The body of the reply."""
    with connect(port) as connection:
        connection.sendall(request)
        data = b''
        while whole(data) is None:
            piece = connection.recv(65536)
            assert piece, data
            data += piece
        return data, whole(data)


def opened(server):
    """How often each account was opened, by the log."""
    return collections.Counter(event['body']['id']
                               for event in lib.all_events(server.http, 'bank')
                               if event['type'] == 'AccountOpened')


def cut_replies(server, door):
    name, request, whole, port = door
    length = len(ask(port(server), request(f'{name}-sample-00000'), whole)[0])
    for count in range(0, length, STEP):
        who = f'{name}-reply-{count:06}'
        connection = connect(port(server))
        connection.sendall(request(who))
        seen = read_some(connection, count)
        break_off(connection)
        # Nothing was read of the reply, so it may be that the request is still to be read, too: the
        # repeat is then the first that is carried out.
        reply = ask(port(server), request(who), whole)[1]
        assert ask(port(server), request(who), whole)[1] == reply, who
        part = seen.partition(b'\r\n\r\n' if name == 'HTTP' else b'\r\n')[2]
        assert reply.startswith(part[:len(reply)]), (who, part, reply)
        assert b'AccountOpened' in reply, reply
    found = opened(server)
    wrong = {who: times for who, times in found.items() if times != 1}
    assert not wrong, wrong
    missing = [count for count in range(0, length, STEP)
               if f'{name}-reply-{count:06}' not in found]
    assert not missing, missing


def cut_requests(server, door):
    """Half of them end in good order, half with a reset; some come in pieces."""
    name, request, whole, port = door
    chance = random.Random(7)
    length = len(request(f'{name}-request-000000'))
    for count in range(0, length, STEP):
        data = request(f'{name}-request-{count:06}')[:count]
        connection = connect(port(server))
        if count and chance.random() < 0.3:
            middle = chance.randrange(count)
            connection.sendall(data[:middle])
            connection.sendall(data[middle:])
        else:
            connection.sendall(data)
        if chance.random() < 0.5:
            break_off(connection)
        else:
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(TIMEOUT_S)
            while connection.recv(65536):
                pass
            connection.close()
    found = opened(server)
    early = [who for who in found if who.startswith(f'{name}-request-')]
    assert not early, early
    for count in range(0, length, STEP * 10):
        who = f'{name}-request-{count:06}'
        assert b'AccountOpened' in ask(port(server), request(who), whole)[1]
        assert ask(port(server), request(who), whole)[1] == \
            ask(port(server), request(who), whole)[1]
    wrong = {who: times for who, times in opened(server).items() if times != 1}
    assert not wrong, wrong


def over_restarts(server, door):
    """The reply is lost, and the server with it."""
    name, request, whole, port = door
    for i in range(6):
        who = f'{name}-crash-{i:06}'
        connection = connect(port(server))
        connection.sendall(request(who))
        first = None
        if i % 2:  # he has seen it, and forgets
            data = b''
            while whole(data) is None:
                data += connection.recv(65536)
            first = whole(data)
        server.kill()
        connection.close()
        server.start()
        reply = ask(port(server), request(who), whole)[1]
        assert first in (None, reply), (first, reply)
        assert opened(server)[who] == 1


def main():
    with lib.Server() as server:
        for door in DOORS:
            with case(f'{door[0]}: a reply that is cut at any byte, and the command repeated'):
                cut_replies(server, door)
            with case(f'{door[0]}: a request that is cut at any byte is none'):
                cut_requests(server, door)
            with case(f'{door[0]}: the reply is lost with the server'):
                over_restarts(server, door)
    lib.done()


if __name__ == '__main__':
    main()
