"""A client's copy of a list, kept by its stream: the connection is cut and the server killed at any
moment of a random workload, the client comes back with Last-Event-ID, and the copy is the list."""
import http.client
import json
import os
import random
import socket
import threading

import desks
import lib
from desks import DAY, bearer, book, uuid
from lib import case

LIST = f'/desks/bookings?day={DAY}'
BROKEN = (OSError, http.client.HTTPException)


def read_list(port, position):
    rows, after = {}, ''
    client = lib.Http(port)
    while True:
        page = client.get(f'{LIST}&limit=1000&min_position={position}{after}')
        if page.status != 200:
            raise ConnectionError(page)
        rows.update((row['id'], row) for row in page.json['rows'])
        if 'next' not in page.json:
            client.close()
            return rows
        after = '&after=' + page.json['next']


class Copy:
    """What a client holds of the list; a thread of its own keeps it."""

    def __init__(self, port):
        self.port, self.rows, self.last, self.socket = port, {}, '', None
        self.told = {'ready': 0, 'current': 0, 'resync': 0, 'row': 0}
        self.changed = threading.Condition()
        self.may_come_back = threading.Event()
        self.may_come_back.set()
        self.stops = False
        self.wrong = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stops:
            self.may_come_back.wait()
            try:
                self._follow()
            except BROKEN:
                pass
            except Exception as error:  # pylint: disable=broad-except
                self.wrong = error
                return

    def _follow(self):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=20)
        headers = {'Accept': 'text/event-stream', 'Last-Event-ID': self.last}
        try:
            connection.connect()
            self.socket = connection.sock
            connection.request('GET', LIST, None, headers)
            response = connection.getresponse()
            if response.status == 503:
                return
            if response.status != 200:
                raise RuntimeError(response.read())
            for event in lib._server_sent(response):
                self._take(event)
        finally:
            self.socket = None
            connection.close()

    def _take(self, event):
        data, name = json.loads(event['data']), event['event']
        # What is not read to its end was not seen: the position moves when the copy has.
        rows = read_list(self.port, data['position']) if name in ('ready', 'resync') else None
        with self.changed:
            self.told[name] += 1
            if rows is not None:
                self.rows = rows
            elif name == 'row' and data['row'] is None:
                self.rows.pop(data['key'], None)
            elif name == 'row':
                self.rows[data['key']] = data['row']
            self.last = event['id']
            self.changed.notify_all()

    def cut(self):
        held = self.socket
        if held:
            try:
                held.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def wait_for(self, key, rows):
        """Until it has the row that came last, and is these rows: after a restart what changed
        comes again, older states before newer ones."""
        with self.changed:
            good = self.changed.wait_for(lambda: self.wrong or key in self.rows and
                                         self.rows == rows, 10)
        assert good and not self.wrong, (self.wrong, self.told)


def work(server, chance, live):
    """One request of bookings and cancellations, some in the list and some not."""
    items = []
    for _ in range(chance.randint(1, 30)):
        number = chance.randint(1, 400)
        name = f'Z{number}'
        day = DAY if number % 4 else '2026-12-24'
        if number in live:
            server.http.post('/desks/CancelBooking', book(number, name, day), bearer(desks.ADA))
            live.discard(number)
        elif not any(item['id'] == uuid(number) for item in items):
            items.append(book(number, name, day))
    if items:
        reply = server.http.post('/desks/BookDesk', items)
        live.update(int(item['id'][-12:], 16) for item, outcome in zip(items, reply.json)
                    if outcome['status'] == 201)


def run():
    seed = int(os.environ.get('SEED', random.randrange(1 << 32)))
    lib.note(f'SEED={seed}')
    chance = random.Random(seed)
    with desks.server() as server:
        copy, live = Copy(server.port), set()
        for round_ in range(8):
            with case(f'round {round_}: the copy is the list'):
                for _ in range(chance.randint(5, 25)):
                    work(server, chance, live)
                    if chance.random() < 0.4:
                        copy.cut()
                if round_ % 3 == 1:
                    copy.may_come_back.clear()
                    copy.cut()
                    work(server, chance, live)
                    server.kill()
                    server.start()
                    work(server, chance, live)
                    copy.may_come_back.set()
                mark = book(1000 + round_, f'M{round_}')
                position = server.http.post('/desks/BookDesk', mark).position
                copy.wait_for(mark['id'], read_list(server.port, position))
        with case('it went on, and was told where it could not'):
            assert copy.told['current'] > 0 and copy.told['row'] > 0, copy.told
        lib.note(f'{copy.told}')
        copy.stops = True
        copy.cut()
