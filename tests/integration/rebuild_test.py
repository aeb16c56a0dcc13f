"""Views that are rebuilt while they are written and read: readers see one build or the other and
never a mix, nobody goes back, and the same log gives the same rows (V2)."""
import json
import os
import re
import socket
import threading

import lib
from lib import case

ACCOUNTS = [f'R{i}' for i in range(40)]
VIEWS = ['bank/balance', 'bank/holds', 'bank/trial-balance']
ROUNDS = 3


def place_of(position):
    return int(position.rsplit(':', 1)[1])


def fill(http):
    """Accounts without a bound, and 10,000 transfers among them, of which every other is held."""
    opened = [{'id': name, 'kind': 'external', 'currency': 'EUR'} for name in ACCOUNTS]
    assert http.post('/bank/OpenAccount', opened).status == 200
    for batch in range(5):
        transfers = [{'from': ACCOUNTS[i % 40], 'to': ACCOUNTS[(i * 7 + batch + 1) % 40],
                      'amount': 1 + i % 100, 'currency': 'EUR', 'pending': i % 2 == 1}
                     for i in range(2000) if i % 40 != (i * 7 + batch + 1) % 40]
        reply = http.post('/bank/Transfer', transfers)
        assert reply.status == 200, reply


def digest(server, view):
    """(position, rows, digest) of a view that nobody writes to."""
    code, text = server.run('view', 'status', view, '--digest')
    found = re.search(r'digest (\w{16}) of (\d+) rows at position (\d+)', text)
    assert code == 0 and found, text
    return int(found[3]), int(found[2]), found[1]


def files(server):
    return sorted(os.listdir(os.path.join(server.data, 'views')))


class Load:
    """A writer and two readers, until it is told to stop; what was wrong is raised then."""

    def __init__(self, server):
        self.port = server.port
        self.stops = threading.Event()
        self.wrong = []
        self.counts = {'written': 0, 'lists': 0, 'lookups': 0}
        self.threads = [threading.Thread(target=self._run, args=(work,))
                        for work in (self._write, self._list, self._look_up)]
        for thread in self.threads:
            thread.start()

    def _run(self, work):
        http = lib.Http(self.port)
        try:
            work(http)
        except Exception as error:  # told by the test's own thread
            self.wrong.append(repr(error))
        finally:
            http.close()

    def _write(self, http):
        """Whoever wrote reads it, by lookup and by list."""
        entries = http.get('/bank/balance/R0').json['entries']
        while not self.stops.is_set():
            reply = http.post('/bank/Transfer', {'from': 'R0', 'to': 'R1', 'amount': 1,
                                                 'currency': 'EUR'})
            assert reply.status == 201, reply
            entries += 1
            row = http.get('/bank/balance/R0?min_position=' + reply.position)
            assert row.status == 200 and row.json['entries'] == entries, (entries, row)
            if entries % 10 == 0:
                page = http.get('/bank/balance?limit=1&min_position=' + reply.position)
                assert page.status == 200, page
                assert place_of(page.position) >= place_of(reply.position), page
            self.counts['written'] += 1

    def _list(self, http):
        """All balances of one list are of one moment: they add up to nothing."""
        last = 0
        while not self.stops.is_set():
            page = http.get('/bank/balance?limit=1000')
            assert page.status == 200, page
            rows = page.json['rows']
            assert len(rows) == len(ACCOUNTS), page
            assert sum(row['balance'] for row in rows) == 0, page
            assert place_of(page.position) >= last, (last, page)
            last = place_of(page.position)
            self.counts['lists'] += 1

    def _look_up(self, http):
        last = place = 0
        while not self.stops.is_set():
            row = http.get('/bank/balance/R0')
            assert row.status == 200, row
            assert row.json['entries'] >= last and place_of(row.position) >= place, (last, row)
            last, place = row.json['entries'], place_of(row.position)
            self.counts['lookups'] += 1

    def end(self):
        self.stops.set()
        for thread in self.threads:
            thread.join()
        assert not self.wrong, self.wrong
        assert all(self.counts.values()), self.counts
        lib.note(f'{self.counts}')


def post_twice(server, path):
    """Two requests in one packet, so that the second comes while the first is at work."""
    with open(os.path.join(server.data, 'admin.token'), encoding='utf-8') as file:
        token = file.read().strip()
    request = (f'POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n'
               'Content-Length: 0\r\n\r\n').encode()
    last = request.replace(b'Content-Length', b'Connection: close\r\nContent-Length')
    with socket.create_connection(('127.0.0.1', server.port), 30) as connection:
        connection.sendall(request + last)
        answer = b''
        while block := connection.recv(65536):
            answer += block
    return [int(status) for status in re.findall(rb'HTTP/1.1 (\d+)', answer)], answer


def idle(server):
    with case('V2: the same log gives the same rows, at the same position'):
        before = {view: digest(server, view) for view in VIEWS}
        code, text = server.run('view', 'rebuild', *VIEWS)
        assert code == 0 and text.count('rebuilt in') == len(VIEWS), text
        assert {view: digest(server, view) for view in VIEWS} == before
        assert before['bank/holds'][1] > 4000, before
    with case('V3: a rebuild leaves nothing in any log'):
        assert server.http.get('/bank/balance/R0').json['entries'] > 0
        assert before['bank/balance'][0] == digest(server, 'bank/balance')[0]
    with case('of the old build nothing is left, and the new one is there after a restart'):
        assert 'bank.balance.1.db' in files(server), files(server)
        assert 'bank.balance.db' not in files(server), files(server)
        server.restart()
        assert {view: digest(server, view) for view in VIEWS} == before
    with case('status and metrics tell of it'):
        assert server.run('view', 'rebuild', 'bank/chain')[0] == 0
        code, text = server.run('view', 'status', 'bank/chain', '--json')
        shown = json.loads(text)[0]
        assert shown['generation'] == 2 and shown['rebuild']['state'] == 'done', text
        text = server.http.get('/metrics').text
        assert 'sluice_view_rebuilding{domain="bank",view="chain"} 0' in text
        assert 'sluice_view_rebuild_position{domain="bank",view="chain"}' in text
        assert re.search(r'sluice_turn_seconds_count [1-9]', text), text


def loaded(server):
    load = Load(server)
    with case(f'{ROUNDS} rebuilds of three views under load: never a mix, never back'):
        for _ in range(ROUNDS):
            code, text = server.run('view', 'rebuild', *VIEWS)
            assert code == 0, text
        load.end()
    with case('V2: what came meanwhile is in it, too'):
        before = {view: digest(server, view) for view in VIEWS}
        assert server.run('view', 'rebuild', *VIEWS)[0] == 0
        assert {view: digest(server, view) for view in VIEWS} == before


def live(server):
    http = lib.Http(server.port)
    a_list, a_row = http.events('/bank/balance'), http.events('/bank/balance/R0')
    redis = server.resp()
    with case('who follows is told: a row comes again, of a list that it is to be read again'):
        assert next(a_list)['event'] == 'ready'
        first = next(a_row)
        redis.call('SUBSCRIBE', 'bank:balance:R0')
        assert server.run('view', 'rebuild', 'bank/balance')[0] == 0
        again = next(a_list)
        assert again['event'] == 'resync' and json.loads(again['data'])['position'] == again['id']
        second = next(a_row)
        assert second['event'] == 'row' and second['data'] == first['data'], second
        message = redis.read()
        assert json.loads(message[2])['id'] == 'R0', message
    for following in (a_list, a_row, redis):
        following.close()


def interrupted(server):
    with case('one at a time'):
        statuses, answer = post_twice(server, '/admin/views/rebuild?view=bank/holds')
        assert statuses == [202, 409] and b'/errors/rebuilding' in answer, answer
    with case('a crash in the middle: the old build serves, of the new one nothing is left'):
        def state():
            text = server.run('view', 'status', 'bank/holds', '--json')[1]
            return json.loads(text)[0]['rebuild']['state']
        lib.wait_until(lambda: state() == 'done', 30, 'the rebuild')
        before = digest(server, 'bank/holds')
        code, text = server.run('view', 'rebuild', 'bank/holds', '--no-wait')
        assert code == 0, text
        server.kill()
        server.start()
        serving = [name for name in files(server)
                   if re.fullmatch(r'bank\.holds(\.\d+)?\.db', name)]
        assert len(serving) == 1, files(server)
        lib.wait_until(lambda: digest(server, 'bank/holds') == before, 30, 'the same digest')
    with case('what is not there, or no name, is refused'):
        assert server.run('view', 'rebuild', 'bank/none')[0] == 15
        assert server.run('view', 'rebuild')[0] == 2
        assert server.run('view', 'rebuild', 'bank')[0] == 2


def failing(module):
    """A view whose projection fails on an event is not rebuilt past it, unless the log says so."""
    with lib.Server(config=f'[domain fragile]\nmodule = {module}\n') as server:
        for number in (1, 13, 2):
            last = server.http.post('/fragile/Mark', {'number': number})
        lib.wait_until(lambda: server.run('view', 'status', 'fragile/fragile')[0] == 1, 10,
                       'the view is degraded')
        with case('a rebuild that fails says where and why, others of the same scan are done'):
            code, text = server.run('view', 'rebuild', 'fragile/fragile', 'fragile/sturdy')
            assert code == 1 and 'fragile: not rebuilt: at position 1: thirteen' in text, text
            assert 'fragile/sturdy: rebuilt' in text, text
            assert 'fragile.fragile.1.db' not in files(server), files(server)
            text = server.http.get('/metrics').text
            assert 'sluice_view_rebuild_failed{domain="fragile",view="fragile"} 1' in text
        with case('and leaves the view as it was'):
            assert server.http.get('/fragile/fragile/1').status == 200
            assert server.http.get('/fragile/fragile/2').status == 404
        with case('what the log says is to be skipped is skipped'):
            assert server.run('view', 'skip', 'fragile/fragile')[0] == 0
            code, text = server.run('view', 'rebuild', 'fragile/fragile')
            assert code == 0, text
            reply = server.http.get('/fragile/fragile?limit=10&min_position=' + last.position)
            assert [row['number'] for row in reply.json['rows']] == [1, 2], reply


def main():
    with lib.Server() as server:
        fill(server.http)
        idle(server)
        loaded(server)
        live(server)
        interrupted(server)
    module = os.environ.get('FRAGILE', '')
    if os.access(module, os.R_OK):
        failing(module)
    lib.done()


main()
