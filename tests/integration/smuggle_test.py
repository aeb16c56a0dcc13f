"""Request smuggling: what the literature sends to make two programs in a row disagree about where a
request ends. None of it may be carried out, nor anything behind it on the same connection.

Each case is one connection: the bytes, and behind them a command that books a desk. What is refused
ends the connection with one answer, so the command is never seen; where the bytes are good after
all, they are answered once, and the command once, as a strict reader counts. The desk tells.

After: J. Kettle, "HTTP Desync Attacks" (2019) and "HTTP/1 Must Die" (2025); A. Klein, "HTTP Request
Smuggling in 2020"; B. Jabiyev et al., "T-Reqs" (2021); RFC 9112, section 11.2.
"""
import json
import re
import socket

import desks
import lib
from desks import book, uuid
from lib import case

H = 'Host: localhost\r\n'
POST = 'POST /desks/BookDesk HTTP/1.1\r\n' + H + 'Content-Type: application/json\r\n'
CHUNKED = POST + 'Transfer-Encoding: chunked\r\n\r\n'
TE = 'Transfer-Encoding: chunked'


def te(line):
    """A request whose line hides "Transfer-Encoding: chunked" from some readers."""
    return POST + 'Content-Length: 5\r\n' + line + '\r\n\r\n0\r\n\r\n'


def lone(line):
    """The same without a Content-Length: to some its body is chunks, to others it has none."""
    return POST + line + '\r\n\r\n0\r\n\r\n'


def cl(line):
    return POST + line + '\r\n\r\n12345'


def chunks(body):
    return CHUNKED + body


# (name, bytes, statuses of all answers). "{}" is a body that is JSON and no booking: 400, and the
# connection goes on; so two answers mean that the reader found the end where it is.
TABLE = (
    # Two lengths.
    ('CL.TE', POST + 'Content-Length: 6\r\n' + TE + '\r\n\r\n0\r\n\r\nG', [400]),
    ('TE.CL', POST + TE + '\r\nContent-Length: 4\r\n\r\n5c\r\nGPOST / HTTP/1.1\r\n\r\n', [400]),
    ('CL.0 on GET', 'GET /readyz HTTP/1.1\r\n' + H + 'Content-Length: 0\r\n\r\n', [200, 201]),
    ('a body on GET', 'GET /readyz HTTP/1.1\r\n' + H + 'Content-Length: 2\r\n\r\n{}', [200, 201]),
    ('TE.0', 'GET /readyz HTTP/1.1\r\n' + H + TE + '\r\n\r\n2\r\n{}\r\n0\r\n\r\n', [200, 201]),
    ('CL.CL, differing', cl('Content-Length: 5\r\nContent-Length: 0'), [400]),
    ('CL.CL, the same', cl('Content-Length: 5\r\nContent-Length: 5'), [400]),
    ('CL.CL, far apart', cl('Content-Length: 5\r\nX: y\r\nContent-Length: 6'), [400]),
    ('CL: a list of the same', cl('Content-Length: 5, 5'), [400]),
    ('CL: a list', cl('Content-Length: 5, 0'), [400]),
    # Content-Length that is read differently.
    ('CL with plus', cl('Content-Length: +5'), [400]),
    ('CL with minus', cl('Content-Length: -5'), [400]),
    ('CL below zero', cl('Content-Length: -0'), [400]),
    ('CL with a space inside', cl('Content-Length: 5 0'), [400]),
    ('CL with a tab inside', cl('Content-Length: 5\t0'), [400]),
    ('CL in hexadecimal', cl('Content-Length: 0x5'), [400]),
    ('CL with letters behind', cl('Content-Length: 5abc'), [400]),
    ('CL as a float', cl('Content-Length: 5.0'), [400]),
    ('CL with an exponent', cl('Content-Length: 5e0'), [400]),
    ('CL with an underscore', cl('Content-Length: 0_5'), [400]),
    ('CL in quotes', cl('Content-Length: "5"'), [400]),
    ('CL empty', cl('Content-Length:'), [400]),
    ('CL in other digits', cl('Content-Length: \u00b2'), [400]),
    ('CL that overflows 32 bits', cl('Content-Length: 4294967301'), [413]),
    ('CL that overflows 64 bits', cl('Content-Length: 18446744073709551621'), [400]),
    ('CL with a space before the colon', cl('Content-Length : 5'), [400]),
    ('CL with a tab before the colon', cl('Content-Length\t: 5'), [400]),
    ('CL folded', cl('Content-Length:\r\n 5'), [400]),
    ('CL with leading zeros is a number', POST + 'Content-Length: 002\r\n\r\n{}', [400, 201]),
    ('CL with spaces around', POST + 'Content-Length: \t 2 \t\r\n\r\n{}', [400, 201]),
    # Transfer-Encoding that one reader takes and another does not.
    ('TE.TE: another behind', te(TE + '\r\nTransfer-Encoding: cow'), [400]),
    ('TE.TE: another before', te('Transfer-Encoding: cow\r\n' + TE), None),
    ('TE.TE without CL: another behind', lone(TE + '\r\nTransfer-Encoding: cow'), [400]),
    ('TE.TE without CL: twice the same', lone(TE + '\r\n' + TE), [400]),
    *((f'TE hidden: {line!r}', te(line), None) for line in (
        'Transfer-Encoding : chunked', 'Transfer-Encoding\t: chunked',
        'Transfer-Encoding:\tchunked', 'Transfer-Encoding: xchunked',
        'Transfer-Encoding: chunkedx', 'Transfer-Encoding: "chunked"',
        "Transfer-Encoding: 'chunked'", 'Transfer-Encoding: chunked;q=1',
        'Transfer-Encoding: x,chunked', 'Transfer-Encoding: chunked, identity',
        'Transfer-Encoding: identity', 'Transfer-Encoding:', 'Transfer-Encoding: chunked,',
        'Transfer-Encoding: ,chunked', 'Transfer-Encoding: CHUNKED',
        'Transfer-Encoding: \x0bchunked', 'Transfer-Encoding:\x0cchunked',
        'Transfer-Encoding: chunked\x00', 'Transfer-Encoding: ch\x00unked',
        'Transfer-Encoding\x00: chunked', '\x00Transfer-Encoding: chunked',
        'Transfer-Encoding:\r\n chunked', 'Transfer-Encoding:\n chunked',
        'Transfer-Encoding: chunked\r', 'X: y\nTransfer-Encoding: chunked',
        'X: y\rTransfer-Encoding: chunked', ' Transfer-Encoding: chunked',
        '\tTransfer-Encoding: chunked', 'X:\r\n Transfer-Encoding: chunked',
        'Transfer-Encoding=chunked', ': Transfer-Encoding: chunked',
        'Transfer-Encoding chunked', 'Transfer-Encoding: chunked\u00ff',
        '\u00a0Transfer-Encoding: chunked', 'Transfer-Encoding:\u00a0chunked')),
    *((f'TE alone: {line!r}', lone(line), None) for line in (
        'Transfer-Encoding : chunked', 'Transfer-Encoding: xchunked',
        'Transfer-Encoding: x, chunked', 'Transfer-Encoding: identity',
        'Transfer-Encoding: gzip', 'Transfer-Encoding:', 'Transfer-Encoding: chunked, chunked',
        'Transfer-Encoding:\x0bchunked', 'Transfer-Encoding: "chunked"',
        'Transfer-Encoding:\r\n chunked', ' Transfer-Encoding: chunked',
        'X: y\rTransfer-Encoding: chunked', 'X: y\nTransfer-Encoding: chunked')),
    ('an underscore is another header, and says nothing',
     POST + 'Transfer_Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}', [400, 201]),
    ('TE in HTTP/1.0', 'POST /desks/BookDesk HTTP/1.0\r\n' + H + TE + '\r\n\r\n0\r\n\r\n', [400]),
    ('chunked in other case', POST + 'transfer-encoding: Chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
     [400, 201]),
    # Chunks.
    ('chunks', chunks('1\r\n{\r\n1\r\n}\r\n0\r\n\r\n'), [400, 201]),
    ('chunk size with leading zeros', chunks('00002\r\n{}\r\n0\r\n\r\n'), [400, 201]),
    ('chunk size of 9 digits', chunks('000000002\r\n{}\r\n0\r\n\r\n'), [400]),
    ('chunk size that overflows 32 bits', chunks('100000002\r\n{}\r\n0\r\n\r\n'), [400]),
    ('chunk size that overflows 64 bits', chunks('10000000000000002\r\n{}\r\n0\r\n\r\n'), [400]),
    ('chunk size beyond the limit', chunks('7fffffff\r\n{}\r\n0\r\n\r\n'), [413]),
    ('chunk size with 0x', chunks('0x2\r\n{}\r\n0\r\n\r\n'), [400]),
    ('chunk size with plus', chunks('+2\r\n{}\r\n0\r\n\r\n'), [400]),
    ('chunk size with minus', chunks('-2\r\n{}\r\n0\r\n\r\n'), [400]),
    ('chunk size with a space before', chunks(' 2\r\n{}\r\n0\r\n\r\n'), [400]),
    ('chunk size with a space behind', chunks('2 \r\n{}\r\n0\r\n\r\n'), [400]),
    ('chunk size empty', chunks('\r\n{}\r\n0\r\n\r\n'), [400]),
    ('chunk size of letters', chunks('xyz\r\n{}\r\n0\r\n\r\n'), [400]),
    ('chunk size with an underscore', chunks('0_2\r\n{}\r\n0\r\n\r\n'), [400]),
    ('chunk size with NUL', chunks('2\x00\r\n{}\r\n0\r\n\r\n'), [400]),
    ('chunk line with bare LF', chunks('2\n{}\r\n0\r\n\r\n'), [400]),
    ('chunk line with bare CR', chunks('2\r{}\r\n0\r\n\r\n'), [400]),
    ('chunk end with bare LF', chunks('2\r\n{}\n0\r\n\r\n'), [400]),
    ('chunk end with two other bytes', chunks('2\r\n{}xx0\r\n\r\n'), [400]),
    ('chunk longer than said', chunks('1\r\n{}\r\n0\r\n\r\n'), [400]),
    ('chunk shorter than said', chunks('3\r\n{}\r\n0\r\n\r\n'), [400]),
    ('last chunk with bare LF', chunks('2\r\n{}\r\n0\n\r\n'), [400]),
    ('end with bare LF', chunks('2\r\n{}\r\n0\r\n\n'), [400]),
    ('chunk extension', chunks('2;a=b\r\n{}\r\n0\r\n\r\n'), [400, 201]),
    ('chunk extension in quotes', chunks('2;a="b;c"\r\n{}\r\n0\r\n\r\n'), [400, 201]),
    ('chunk extension with bare LF (TERM.EXT)', chunks('2;\n{}\r\n0\r\n\r\n'), [400]),
    ('chunk extension with bare CR', chunks('2;a\rb\r\n{}\r\n0\r\n\r\n'), [400]),
    ('chunk extension with LF in quotes', chunks('2;a="\n"\r\n{}\r\n0\r\n\r\n'), [400]),
    ('chunk extension of 9 KiB', chunks('2;' + 'a' * 9000 + '\r\n{}\r\n0\r\n\r\n'), [400]),
    ('trailers', chunks('2\r\n{}\r\n0\r\nX: y\r\n\r\n'), [400, 201]),
    ('trailer Content-Length says nothing',
     chunks('2\r\n{}\r\n0\r\nContent-Length: 50\r\n\r\n'), [400, 201]),
    ('trailer Transfer-Encoding says nothing',
     chunks('2\r\n{}\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n'), [400, 201]),
    ('trailer with bare LF', chunks('2\r\n{}\r\n0\r\nX: y\n\r\n'), [400]),
    ('trailer folded', chunks('2\r\n{}\r\n0\r\nX: y\r\n z\r\n\r\n'), None),
    # Lines.
    ('bare LF behind the request line', 'GET /readyz HTTP/1.1\n' + H + '\r\n', [400]),
    ('bare LF behind a header', 'GET /readyz HTTP/1.1\r\nHost: localhost\n\r\n', [400]),
    ('bare LF as the empty line', 'GET /readyz HTTP/1.1\r\n' + H + '\n', [400]),
    ('bare CR as the empty line', 'GET /readyz HTTP/1.1\r\n' + H + '\rX: y\r\n\r\n', [400]),
    ('CR CR LF', 'GET /readyz HTTP/1.1\r\r\n' + H + '\r\n', [400]),
    ('obs-fold', 'GET /readyz HTTP/1.1\r\n' + H + 'X: a\r\n b\r\n\r\n', [400]),
    ('obs-fold of the first line', 'GET /readyz HTTP/1.1\r\n ' + H + '\r\n', [400]),
    ('a header without a colon', 'GET /readyz HTTP/1.1\r\n' + H + 'X\r\n\r\n', [400]),
    ('a header without a name', 'GET /readyz HTTP/1.1\r\n' + H + ': x\r\n\r\n', [400]),
    ('NUL in a value', 'GET /readyz HTTP/1.1\r\n' + H + 'X: a\x00b\r\n\r\n', [400]),
    ('two empty lines before', '\r\n\r\nGET /readyz HTTP/1.1\r\n' + H + '\r\n', [400]),
    ('one empty line before is allowed', '\r\nGET /readyz HTTP/1.1\r\n' + H + '\r\n', [200, 201]),
    # The request line and the host.
    ('HTTP/0.9', 'GET /readyz\r\n\r\n', [400]),
    ('an unknown version', 'GET /readyz HTTP/1.2\r\n' + H + '\r\n', [505]),
    ('HTTP/2 without ALPN', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', None),
    ('two spaces', 'GET  /readyz HTTP/1.1\r\n' + H + '\r\n', [400]),
    ('a tab for a space', 'GET\t/readyz HTTP/1.1\r\n' + H + '\r\n', [400]),
    ('a request line in the path', 'GET /readyz HTTP/1.1 X: HTTP/1.1\r\n' + H + '\r\n', None),
    ('no host', 'GET /readyz HTTP/1.1\r\n\r\n', [400]),
    ('two hosts', 'GET /readyz HTTP/1.1\r\n' + H + H + '\r\n', [400]),
    ('two hosts in one', 'GET /readyz HTTP/1.1\r\nHost: localhost, evil\r\n\r\n', [400]),
    ('Host with a space before the colon', 'GET /readyz HTTP/1.1\r\nHost : localhost\r\n\r\n',
     [400]),
    ('absolute form', 'GET http://localhost/readyz HTTP/1.1\r\n' + H + '\r\n', [200, 201]),
    ('absolute form of another host', 'GET http://evil/readyz HTTP/1.1\r\n' + H + '\r\n', [400]),
    ('absolute form with a user', 'GET http://a@localhost/ HTTP/1.1\r\n' + H + '\r\n', [400]),
    ('CONNECT', 'CONNECT localhost:80 HTTP/1.1\r\n' + H + '\r\n', None),
    ('Upgrade: h2c goes on in HTTP/1.1', 'GET /readyz HTTP/1.1\r\n' + H + 'Connection: Upgrade, '
     'HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n',
     [200, 201]),
    ('Connection: Content-Length takes nothing away',
     POST + 'Connection: Content-Length\r\nContent-Length: 2\r\n\r\n{}', [400, 201]),
    ('Expect and a body that is there at once (0.CL)',
     POST + 'Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}', [400, 201]),
    ('another expectation', POST + 'Expect: y 100-continue\r\nContent-Length: 2\r\n\r\n{}', [417]),
    ('trailing data', POST + 'Content-Length: 2\r\n\r\n{}X', [400, 501]),
)


def smuggled(number):
    body = json.dumps(book(number, f'S{number}'))
    return (POST + f'Connection: close\r\nContent-Length: {len(body)}\r\n\r\n' + body).encode()


def main():
    with desks.server() as server:
        server.http.headers = {}
        for number, (name, text, wanted) in enumerate(TABLE, 1):
            with case(name):
                with socket.create_connection(('127.0.0.1', server.port), 20) as raw:
                    raw.sendall(text.encode('latin-1') + smuggled(number))
                    got = raw.makefile('rb').read()
                statuses = [int(found) for found in re.findall(rb'HTTP/1\.1 (\d+)', got)]
                if wanted is None:  # refused, by a status that says why
                    assert len(statuses) == 1 and 400 <= statuses[0] <= 505, (statuses, got)
                else:
                    assert statuses == wanted, (statuses, got)
                booked = server.http.get('/desks/bookings/' + uuid(number)).status
                assert booked == (200 if 201 in statuses else 404), (booked, statuses)
        with case('the server is well'):
            assert server.http.get('/readyz').status == 200
    lib.done()


main()
