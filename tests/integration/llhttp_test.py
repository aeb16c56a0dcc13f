"""Our reading of HTTP/1.1 beside llhttp's, the parser of Node.js: the same bytes, the same ends.

Requests are made by chance from good and bad pieces, several on a connection, and then damaged.
Each connection is judged at once and as it comes in pieces, which must make no difference to us.
Where both take a request, they must see it end at the same byte with a body of the same length.
What we take and llhttp does not, or the other way round, must stand in one of the two lists below,
which say why. SLUICE_SEED repeats a run; SLUICE_LONG=1 makes it a long one.
"""
import collections
import json
import os
import random
import re
import struct
import subprocess

import fetched
import lib
from lib import case

COUNT = 1000000 if lib.IS_LONG else 20000

# Rules by which we refuse what llhttp takes, or takes in part.
STRICTER = {
    'host_missing': 'RFC 9112, 3.2: no Host is 400; llhttp leaves it to the program',
    'host_twice': 'the same',
    'bad_host': 'the same, for a Host that is none, or not the one that the target names',
    'bad_target': 'RFC 9112, 3.2: only what the forms allow; llhttp takes nearly any visible byte',
    'bad_request_line': 'more than one empty line, or spaces, before a request',
    'method_not_known': 'methods that this server does not have (CONNECT, WebDAV, …)',
    'version_not_supported': 'HTTP/0.9 and 2.0 are versions for llhttp',
    'expectation_failed': 'an Expect that is not 100-continue',
    'bad_transfer_encoding': 'anything but one "chunked"; llhttp takes lists that end with it',
    'transfer_encoding_twice': 'the same, in two lines',
    'bad_content_length': 'refused with its line; llhttp waits for the end of the head',
    'content_length_twice': 'the same',
    'bare_carriage_return': 'the same',
    'bad_chunk': 'sizes over 8 digits; extensions and trailers that break the grammar',
}


def head_at(data, start):
    return data[start:data.find(b'\r\n\r\n', start) + 2]


def in_trailer(data, start):
    """RFC 9110, 6.5.1: framing in a trailer says nothing. We ignore it, llhttp refuses it."""
    head = head_at(data, start)
    framing = re.findall(rb'(?i)\r\n(content-length|transfer-encoding):([^\r\n]*)', head)
    return len(framing) == 1 and framing[0][1].strip(b' \t').lower() == b'chunked'


def with_tab(data, start):
    """RFC 9110, 5.6.3: a tab behind a value is white space, which llhttp refuses in these two."""
    return re.search(rb'(?i)\r\n(content-length|transfer-encoding):[ \t]*[0-9a-z]+[ \t]*\t',
                     head_at(data, start))


def closed_by_trailer(data, start):
    """The same as in_trailer: "Connection: close" behind the last chunk ends nothing for us."""
    return re.search(rb'(?i)\r\n0+[^\r\n]*\r\n([^\r\n]+\r\n)*connection:[^\r\n]*close[^\r\n]*'
                     rb'\r\n([^\r\n]+\r\n)*\r\n$', data[:start])


# What llhttp refuses and we take: the start of its reason, and what must be true of the bytes; the
# first request that it does not take begins at `start`.
MORE_LENIENT = (
    ('HPE_CLOSED_CONNECTION', closed_by_trailer),
    ('HPE_INVALID_CONTENT_LENGTH', in_trailer), ('HPE_INVALID_CONTENT_LENGTH', with_tab),
    ('HPE_INVALID_TRANSFER_ENCODING', in_trailer), ('HPE_INVALID_TRANSFER_ENCODING', with_tab),
)

METHODS = (
    'GET', 'GET', 'GET', 'POST', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE',
    'CONNECT', 'BREW', 'get', 'G E T', '')
TARGETS = (
    '/', '/a/b?c=d', '/%41', '/a%zz', '*', 'http://a/', 'http://b/x', 'a', '/a b', '/\x7f', '/é',
    '//', '/?a=[1]|{2}^`', '/#f', '')
VERSIONS = ('HTTP/1.1',) * 12 + (
    'HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/1.2', 'http/1.1', 'HTTP/11', '')
HEADERS = (
    'Host: a', 'Host: a, b', 'Host:', 'Host : a', 'X: y', 'X:y', 'X:  y\t', 'X: a\tb', 'X: é',
    'X: a\x00b', 'X: a\x0bb', 'X y', ': y', 'X\r\n y: z', 'X: y\r\n z', 'Connection: close',
    'Connection: keep-alive', 'Connection: x, close', 'Content-Length: 0', 'Content-Length: 5',
    'Content-Length: 05', 'Content-Length: +5', 'Content-Length: 5 ', 'Content-Length: 5, 5',
    'Content-Length: 5 5', 'Content-Length:', 'Content-Length: 99999999999999999999',
    'Content-Length: 0x5', 'Transfer-Encoding: chunked', 'Transfer-Encoding: Chunked',
    'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: chunked, gzip',
    'Transfer-Encoding: xchunked', 'Transfer-Encoding: identity', 'Transfer-Encoding:',
    'Transfer-Encoding : chunked', 'Transfer-Encoding:\tchunked', 'Transfer-Encoding: "chunked"',
    'Transfer-Encoding:\x0bchunked', 'Expect: 100-continue', 'Expect: x', 'Trailer: x')
CHUNKS = (
    '5\r\nhello\r\n', '5;a=b\r\nhello\r\n', '5;a="b;c"\r\nhello\r\n', '05\r\nhello\r\n',
    'A\r\nhellohello\r\n', '5 \r\nhello\r\n', ' 5\r\nhello\r\n', '5\nhello\r\n', '5\r\nhello\n',
    '5\r\nhelloxx', '+5\r\nhello\r\n', '0x5\r\nhello\r\n', '000000005\r\nhello\r\n',
    '100000005\r\nhello\r\n', '5;\r\nhello\r\n', '5;a\x00\r\nhello\r\n', '5;\nhello\r\n',
    '\r\nhello\r\n', 'x\r\nhello\r\n')
ENDS = ('0\r\n\r\n',) * 8 + (
    '0\r\nX: y\r\n\r\n', '0\r\nX y\r\n\r\n', '0;a\r\n\r\n', '00\r\n\r\n', '0\n\r\n', '0\r\n\n',
    '0\r\nContent-Length: 5\r\n\r\n', '0\r\nX: y\n\r\n')


class Maker:
    def __init__(self, seed):
        self.chance = random.Random(seed)

    def some(self, pieces, good, how_good):
        """Mostly the good piece, so that what comes behind is reached."""
        return good if self.chance.random() < how_good else self.chance.choice(pieces)

    def line_end(self):
        return self.chance.choices(('\r\n', '\n', '\r', '\r\r\n'), (400, 2, 1, 1))[0]

    def request(self):
        lines = [' '.join((self.some(METHODS, 'POST', 0.8), self.some(TARGETS, '/', 0.8),
                           self.some(VERSIONS, 'HTTP/1.1', 0.9)))]
        headers = ['Host: a'] if self.chance.random() < 0.95 else []
        headers += self.chance.choices(HEADERS, k=self.chance.choice((0, 0, 0, 1, 1, 2)))
        body = ''
        kind = self.chance.random()
        if kind < 0.3:
            body = 'x' * self.chance.choice((0, 1, 5, 50))
            headers.append(f'Content-Length: {len(body)}')
        elif kind < 0.6:
            headers.append('Transfer-Encoding: chunked')
            body = ''.join(self.some(CHUNKS, CHUNKS[0], 0.8)
                           for _ in range(self.chance.choice((0, 1, 2)))) + self.chance.choice(ENDS)
        self.chance.shuffle(headers)
        text = ''.join(line + self.line_end() for line in lines + headers) + self.line_end()
        return (self.chance.choices(('', '\r\n', '\n', ' '), (60, 1, 1, 1))[0] + text + body
                ).encode('latin-1')

    def damage(self, data):
        data = bytearray(data)
        for _ in range(self.chance.choice((1, 1, 2, 5))):
            at = self.chance.randrange(len(data) + 1)
            kind = self.chance.randrange(5)
            if kind == 0 and at < len(data):
                data[at] = self.chance.choice(b'\r\n \t:;,\x00\x0b\x7f\xff0aG')
            elif kind == 1:
                data[at:at] = bytes([self.chance.choice(b'\r\n \t:;,\x00\x0b\x7f\xff0aG')])
            elif kind == 2 and at < len(data):
                del data[at]
            elif kind == 3:
                del data[at:at + self.chance.randrange(20)]
            else:
                end = at + self.chance.randrange(30)
                data[at:at] = data[at:end]
        return bytes(data)

    def connection(self):
        data = b''.join(self.request() for _ in range(self.chance.choice((1, 1, 2, 3))))
        return self.damage(data) if self.chance.random() < 0.3 else data


def verdicts(command, inputs, cuts):
    """`cuts`: of each, the seed of its pieces; 0: it comes at once."""
    sent = b''.join(struct.pack('>II', len(data), cut) + data
                    for data, cut in zip(inputs, cuts))
    done = subprocess.run(command, input=sent, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=600, check=False)
    assert done.returncode == 0, done.stderr.decode('utf-8', 'replace')
    return [json.loads(line) for line in done.stdout.decode('latin-1').splitlines()]


def difference(ours, theirs):
    """None where both say the same; else what kind of difference it is, and its name."""
    for mine, other in zip(ours['ends'], theirs['ends']):
        if mine != other:
            return 'ends', f'{mine} and {other}'
    if len(ours['ends']) > len(theirs['ends']):
        return 'lenient', theirs['why'] or theirs['last']
    if ours['last'] == 'refused':
        same = theirs['last'] == 'refused' and len(ours['ends']) == len(theirs['ends'])
        return None if same else ('stricter', ours['why'])
    if ours['last'] == 'closed' and (theirs['last'] != 'closed' or
                                     len(ours['ends']) < len(theirs['ends'])):
        # "Connection: x close": a word for us, none for llhttp. Who ends a connection early reads
        # nothing that could be taken for a request.
        return 'closed earlier', 'close among words without commas'
    if len(ours['ends']) < len(theirs['ends']):
        return 'ends', f'{theirs["ends"][len(ours["ends"])]} and nothing yet'
    if ours['last'] == 'more' and theirs['last'] == 'refused':
        return 'later', 'llhttp judges by bytes, we by lines'
    return None if ours['last'] == theirs['last'] else ('last', f'{ours["last"]} {theirs["last"]}')


def is_known(found, data, start):
    """Is the difference in the lists? `start`: of the first request that llhttp does not take."""
    kind, name = found
    if kind == 'lenient':
        return any(name.startswith(reason) and true(data, start) for reason, true in MORE_LENIENT)
    if kind == 'last':
        return name == 'more closed' and closed_by_trailer(data, start)
    if kind == 'stricter':  # or we read on where a trailer has closed the connection for llhttp
        return name in STRICTER or closed_by_trailer(data, start)
    return kind in ('later', 'closed earlier')


def main():
    program = os.environ.get('HTTP_VERDICT', '')
    if not os.access(program, os.X_OK):
        lib.skip_all('the environment names no program that tells our verdicts (HTTP_VERDICT)')
    seed = int(os.environ.get('SLUICE_SEED') or random.randrange(1 << 32))
    lib.note(f'SLUICE_SEED={seed}')
    with case(f'{COUNT} connections: the same ends, and known differences'):
        folder = fetched.node()
        maker = Maker(seed)
        counts, examples, bad, cut_bad = collections.Counter(), {}, [], []
        for begin in range(0, COUNT, 20000):
            inputs = [maker.connection() for _ in range(min(20000, COUNT - begin))]
            cuts = [maker.chance.randrange(1, 1 << 32) for _ in inputs]
            ours = verdicts([program], inputs, [0] * len(inputs))
            pieces = verdicts([program], inputs, cuts)
            theirs = verdicts(['node', os.path.join(fetched.CLIENTS, 'llhttp.mjs'), folder], inputs,
                              [cut if cut % 2 else 0 for cut in cuts])
            assert len(ours) == len(pieces) == len(theirs) == len(inputs)
            for data, cut, mine, other in zip(inputs, cuts, ours, pieces):
                if mine != other:
                    cut_bad.append((data, cut, mine, other))
            for data, mine, other in zip(inputs, ours, theirs):
                found = difference(mine, other)
                counts['requests that both take'] += min(len(mine['ends']), len(other['ends']))
                if found is None:
                    counts['the same'] += 1
                    continue
                counts[found] += 1
                start = other['ends'][-1][0] if other['ends'] else 0
                if not is_known(found, data, start) and examples.setdefault(found, data) is data:
                    bad.append((found, data, mine, other))
        for name, count in sorted(counts.items(), key=str):
            lib.note(f'{count:8} {name}')
        for found, data, mine, other in bad[:10]:
            lib.note(f'{found}: {data!r}\n  ours   {mine}\n  llhttp {other}')
        for data, cut, mine, other in cut_bad[:10]:
            lib.note(f'{data!r} in pieces of seed {cut}\n  at once   {mine}\n  in pieces {other}')
        assert not cut_bad, f'{len(cut_bad)} connections are judged otherwise in pieces'
        assert not bad, f'{len(bad)} kinds of differences that no list explains'
        assert counts['requests that both take'] > COUNT / 5, 'hardly anything was compared'
    lib.done()


if __name__ == '__main__':
    main()
