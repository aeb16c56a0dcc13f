"""Garbage on both ports: random bytes, broken HTTP and RESP, real commands with senseless words,
connections that end anywhere. The server answers others meanwhile, and its memory does not grow."""
import json
import os
import random
import socket
import struct

import desks
import lib
from desks import EVE, book, uuid
from lib import case

ROUNDS = 20000 if lib.IS_LONG else 2000  # connections of each half
GROWTH_MAX = 6 << 20

HTTP = [b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n',
        b'GET /desks/bookings?index=by-day&day=2026-11-23&limit=2 HTTP/1.1\r\n'
        b'Host: localhost\r\n\r\n',
        b'POST /desks/BookDesk HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
        b'Content-Length: 12\r\n\r\n{"id":"none"}',
        b'POST /desks/BookDesk HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n'
        b'5\r\n[{},{\r\n0\r\n\r\n',
        b'GET /desks/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n']
HELLO_TLS = b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + bytes(range(200))
NAMES = ['GET', 'MGET', 'HGET', 'HMGET', 'HGETALL', 'EXISTS', 'TYPE', 'SCAN', 'SLUICE.DO',
         'SLUICE.WAIT', 'SUBSCRIBE', 'PSUBSCRIBE', 'UNSUBSCRIBE', 'PUNSUBSCRIBE', 'PING', 'ECHO',
         'HELLO', 'AUTH', 'CLIENT', 'COMMAND', 'INFO', 'CONFIG', 'SELECT', 'RESET', 'SET', 'QUIT',
         'GEOSEARCH', 'EVAL', '', '\0']
WORDS = [b'', b'0', b'-1', b'99999999999999999999', b'*', b'desks:bookings:*', b'desks:bookings:*@',
         b'desks:days:[', b'desks:events:*', b'desks:events:*@start', b'desks:streams:a/b@',
         b'desks:bookings:%', b'desks:bookings:' + uuid(1).encode() + b'@', b'desks:nothing:x',
         b'desks:bookings:*@desks:0123456789abcdef:1', b'desks.BookDesk', b'{', b'{}', b'[[[[[[',
         json.dumps(book(1, 'A')).encode(), b'MATCH', b'COUNT', b'TYPE', b'ID', b'3', b'2', b'AUTH',
         b'\xff\xfe\r\n', EVE.encode(), b'x' * 5000]


def resp_words(dice):
    words = [dice.choice(NAMES).encode()] + \
        [dice.choice(WORDS) for _ in range(dice.randrange(6))]
    return b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%s\r\n' % (len(w), w) for w in words)


def mutated(dice, piece):
    piece = bytearray(piece)
    for _ in range(dice.randrange(4)):
        at = dice.randrange(len(piece) + 1)
        kind = dice.randrange(3)
        if kind == 0:
            piece[at:at] = dice.randbytes(dice.randrange(1, 9))
        elif kind == 1:
            del piece[at:at + dice.randrange(1, 9)]
        elif at < len(piece):
            piece[at] = dice.randrange(256)
    return bytes(piece)


def garbage(dice):
    kind = dice.randrange(6)
    if kind == 0:
        return dice.randbytes(dice.randrange(1, 5000))
    if kind == 1:
        return HELLO_TLS[:dice.randrange(1, len(HELLO_TLS))]
    if kind == 2:
        return b''.join(mutated(dice, dice.choice(HTTP)) for _ in range(dice.randrange(1, 4)))
    if kind == 3:
        head = dice.choice([b'*', b'$', b'*1\r\n$', b'*8192\r\n', b'*-1\r\n', b'"', b"GET '\\x"])
        return head + str(dice.randrange(-9, 1 << 40)).encode() + b'\r\n' + dice.randbytes(50)
    return b''.join(mutated(dice, resp_words(dice)) if kind == 4 else resp_words(dice)
                    for _ in range(dice.randrange(1, 30)))


def send(dice, port):
    """Sends garbage in pieces, reads a little or nothing, and leaves in one way or another."""
    with socket.create_connection(('127.0.0.1', port), 30) as connection:
        how = dice.randrange(4)
        try:
            data = garbage(dice)
            while data:
                size = dice.randrange(1, len(data) + 1)
                connection.sendall(data[:size])
                data = data[size:]
            if how == 0:  # the peer goes on listening until all is answered
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(0.02)
                while connection.recv(65536):
                    pass
            elif how == 1:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        except (ConnectionError, TimeoutError):
            pass  # refused, as it should be, or a subscription that is quiet


def memory(server):
    with open(f'/proc/{server.child.pid}/status', encoding='utf-8') as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith('VmRSS'))


def half(server, dice):
    for i in range(ROUNDS):
        send(dice, dice.choice([server.port, server.resp_port]))
        if i % 50 == 0:
            assert server.http.get('/healthz').status == 200
            with server.resp() as redis:
                assert redis.call('PING') == 'PONG'
    return memory(server)


def main():
    seed = random.randrange(1 << 30)
    lib.note(f'seed {seed}')
    dice = random.Random(seed)
    with desks.server() as server:
        for i in range(1, 50):
            server.http.post('/desks/BookDesk', book(i, f'A{i}'))
        with case('the server answers others while it is sent garbage on both ports'):
            before = half(server, dice)
        with case('and as much again takes no more memory'):
            after = half(server, dice)
            lib.note(f'{before >> 10} KiB, then {after >> 10} KiB')
            assert after - before < GROWTH_MAX, (before, after)
        with case('it has what it had, and takes commands'):
            assert server.http.get('/desks/bookings/' + uuid(7)).json == book(7, 'A7')
            assert server.http.post('/desks/BookDesk', book(9999, 'Z9')).status == 201
            assert server.stop() == 0, server.child.output()
    lib.done()


main()
