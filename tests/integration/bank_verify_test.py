"""`sluice bank verify`: hash chains and balances, computed here once more from docs/bank.md alone;
and what happens to those who change a byte of the log, a row of a view, or the whole history."""
import calendar
import glob
import hashlib
import json
import os
import re
import sqlite3
import subprocess
import threading
import time

import lib
from lib import case


def post(server, command, body):
    reply = server.http.post(f'/bank/{command}', body)
    assert reply.status in (200, 201), reply
    return reply


def live(server, amounts):
    """A bank in which everything happens: two ledgers, holds that are posted, voided and run out, a
    refusal, a closing, a limit."""
    for id, kind, currency in (('cash', 'external', 'EUR'), ('ada', 'client', 'EUR'),
                               ('bob', 'client', 'EUR'), ('till', 'external', 'JPY'),
                               ('eve', 'client', 'JPY'), ('gone', 'client', 'EUR')):
        post(server, 'OpenAccount', {'id': id, 'kind': kind, 'currency': currency, 'limit': 7})
    euro = {'currency': 'EUR', 'from': 'cash', 'to': 'ada'}
    for amount in amounts:
        post(server, 'Transfer', {**euro, 'amount': amount, 'reference': f'No. {amount} "ü"'})
    post(server, 'Transfer', {'from': 'till', 'to': 'eve', 'amount': 5, 'currency': 'JPY'})
    hold = {'from': 'ada', 'to': 'bob', 'currency': 'EUR', 'amount': 3, 'pending': True}
    for id, timeout in (('posted', 0), ('voided', 3600), ('held', 0), ('late', 1)):
        post(server, 'Transfer', {**hold, 'id': id, 'timeout': timeout})
    post(server, 'PostTransfer', {'pending': 'posted', 'amount': 2})
    post(server, 'VoidTransfer', {'pending': 'voided'})
    reply = server.http.post('/bank/Transfer', {**euro, 'from': 'bob', 'to': 'cash', 'amount': 99})
    assert reply.status == 422, reply
    post(server, 'SetLimit', {'id': 'bob', 'limit': 4})
    post(server, 'CloseAccount', {'id': 'gone'})
    post(server, 'Transfer', {**euro, 'id': 'wrong', 'amount': 11})
    post(server, 'ReverseTransfer', {'transfer': 'wrong', 'reference': 'an error'})
    lib.wait_until(lambda: server.http.get('/bank/holds/late').status == 404,
                   what='the end of what was held')


# ---- The canonical form, from the documentation --------------------------------------------------

def text(value):
    value = value.encode()
    return bytes([len(value)]) + value


def number(value, size):
    return int(value).to_bytes(size, 'little', signed=int(value) < 0)


def nanoseconds(time_text):
    whole, _, fraction = time_text.rstrip('Z').partition('.')
    return calendar.timegm(time.strptime(whole, '%Y-%m-%dT%H:%M:%S')) * 10**9 + \
        int(fraction.ljust(9, '0') or 0)


USER_DATA = (('user_data_128', 16), ('user_data_64', 8), ('user_data_32', 4))
FORMS = {
    'AccountOpened': (1, ('id', ('ledger', 4), ('code', 2), ('flags', 2), ('limit', 8),
                          ('timestamp', 8), *USER_DATA)),
    'AccountClosed': (2, ('id',)),
    'LimitSet': (3, ('id', ('limit', 8))),
    'Transferred': (4, ('id', 'from', 'to', ('amount', 16), ('ledger', 4), ('code', 2),
                        ('flags', 2), ('timestamp', 8), ('timeout', 4), 'pending',
                        ('pending_amount', 16), ('pending_flags', 2), 'reverses', *USER_DATA,
                        'reference')),
    'TransferFailed': (5, ('id', 'verdict')),
    'TransferExpired': (6, ('id', 'from', 'to', ('amount', 16), ('ledger', 4), ('flags', 2))),
}


def canonical(event):
    kind, fields = FORMS[event['type']]
    form = bytes([1, kind]) + number(event['position'], 8) + \
        number(nanoseconds(event['time']), 8) + bytes.fromhex(event['command'].replace('-', ''))
    for field in fields:
        form += text(event['body'][field]) if isinstance(field, str) else \
            number(event['body'][field[0]], field[1])
    return form


def chains_of(server):
    """The head of the log, and of each account the number of links and the head."""
    head, accounts = bytes(32), {}
    events = server.http.get('/bank/events?limit=1000').json
    assert events['end']
    for event in events['events']:
        if event['type'].startswith('$'):
            continue  # the server's own, of timers
        form = canonical(event)
        head = hashlib.sha256(head + form).digest()
        body = event['body']
        concerned = [body['from'], body['to']] if 'from' in body else \
            [body['id']] if event['type'] != 'TransferFailed' else []
        for account in concerned:
            links, last = accounts.get(account, (0, bytes(32)))
            accounts[account] = links + 1, hashlib.sha256(last + form).digest()
    return head.hex(), {name: (links, last.hex()) for name, (links, last) in accounts.items()}


# ---- The verb -----------------------------------------------------------------------------------

def verify(server, *arguments, code=0):
    result = subprocess.run([server.program, '--data', server.data, 'bank', 'verify', *arguments],
                            capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == code, (arguments, result.returncode, result.stdout, result.stderr)
    return result.stdout


def log_head(server, *arguments, **more):
    told = json.loads(verify(server, '--json', *arguments, **more))
    return f'{told["position"]}:{told["head"]}'


def agrees(server):
    head, accounts = chains_of(server)
    told = json.loads(verify(server, '--json'))
    assert (told['head'], told['differences'], told['accounts']) == (head, [], 6), (told, head)
    for name, (links, last) in accounts.items():
        row = server.http.get(f'/bank/chain/{name}').json
        assert (row['links'], row['head']) == (links, last), (name, row, links, last)
    assert f'chain head {accounts["ada"][1]}' in verify(server, '--account', 'ada')
    # Another position, perhaps: the server's own events of timers may follow, and are in no chain.
    wanted = rf'6 accounts, {told["entries"]} entries verified, log head \d+:{head}\n'
    assert re.fullmatch(wanted, verify(server)), wanted
    return f'{told["position"]}:{head}'


def goes_on_meanwhile(server):
    """A busy bank is verified all the same: nothing that happens meanwhile is a difference."""
    stop = threading.Event()

    def work():
        http = lib.Http(server.port)
        while not stop.is_set():
            http.post('/bank/Transfer', [{'from': 'cash', 'to': 'ada', 'amount': 1,
                                          'currency': 'EUR'}] * 20)
        http.close()
    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(5):
            verify(server)
    finally:
        stop.set()
        thread.join()


def says_what_it_cannot(server):
    verify(server, '--account', 'nobody', code=2)
    verify(server, '--account', 'no/body', code=2)
    verify(server, '--expect', '12', code=2)
    verify(server, '--expect', '12:00', code=2)
    verify(server, '--what', code=2)
    reply = server.http.get('/bank/journal?from=later')
    assert (reply.status, reply.json['rule']) == (400, 'position_malformed'), reply
    reply = server.http.get('/bank/journal?account=a/b')
    assert (reply.status, reply.json['rule']) == (400, 'id_malformed'), reply
    reply = server.http.get('/bank/journal?from=1000000')
    assert (reply.status, len(reply.body)) == (200, 8), reply


# ---- Tampering ----------------------------------------------------------------------------------

TAMPERED = (
    ('balance', "UPDATE balance SET credits_posted = credits_posted + 1, balance = balance + 1 "
                "WHERE id = 'ada'", ('account ada, position ', ': credits_posted: expected ',
                                     ': balance: expected ')),
    ('balance', "DELETE FROM balance WHERE id = 'bob'",
     ('account bob, position ', 'row of the view balance: expected a row, found none')),
    ('chain', "UPDATE chain SET head = replace(head, substr(head, 1, 1), "
              "CASE substr(head, 1, 1) WHEN '0' THEN '1' ELSE '0' END) WHERE account = 'eve'",
     ('account eve, position ', ': head of the chain: expected ')),
    ('chain', "UPDATE chain SET links = links - 1 WHERE account = 'till'",
     ('account till, position ', ': links: expected 2, found 1')),
    ('chain', "INSERT INTO chain SELECT 'ghost', links, head, position, _version FROM chain "
              "WHERE account = 'eve'", ('account ghost, ', 'served row: expected none')),
    ('trial-balance', 'UPDATE "trial-balance" SET debits_posted = debits_posted + 1 '
                      'WHERE ledger = 392', ('debits_posted of the ledger: expected 5, found 6',)),
    ('trial-kept', """UPDATE "trial-kept" SET sums = replace(sums, '"transfers":1,',
                      '"transfers":9,') WHERE ledger = 392""",
     ('transfers of the ledger: expected 1, found 9',)),
    ('trial-kept', """DELETE FROM "trial-kept" WHERE ledger = 978 AND
                      CAST(number AS TEXT) = '1'""", ('rows kept of the ledger: expected ',)),
)


def rows_are_caught(server):
    """All changes of the views' files are found, and named."""
    files = {f'{server.data}/views/bank.{view}.db' for view, _, _ in TAMPERED}
    for _ in range(2):  # so that a stretch of 1,024 positions is over
        post(server, 'Transfer', [{'from': 'cash', 'to': 'ada', 'amount': 1, 'currency': 'EUR'}]
             * 600)
    server.stop()
    whole = {}
    for path in files:
        with open(path, 'rb') as file:
            whole[path] = file.read()
    for view, change, _ in TAMPERED:
        database = sqlite3.connect(f'{server.data}/views/bank.{view}.db')
        database.execute(change)
        database.commit()
        database.close()
    server.start()
    out = verify(server, code=1)
    for _, change, told in TAMPERED:
        for part in told:
            assert part in out, (change, part, out)
    assert f'\n{len(out.splitlines()) - 2} differences\n' in out, out
    assert 'credits_posted' in verify(server, '--account', 'ada', code=1)
    verify(server, '--account', 'cash')
    server.stop()
    for path in files:
        for extra in glob.glob(path + '-*'):
            os.unlink(extra)
        with open(path, 'wb') as file:
            file.write(whole[path])
    server.start()
    verify(server)


def byte_is_caught(server):
    """A byte of an event in the log of a stopped server: the log's own checksums."""
    server.stop()
    shown = subprocess.run([server.program, 'log', 'dump', '--json', '--data', server.data],
                           capture_output=True, text=True, check=True).stdout
    first = [line for line in map(json.loads, shown.splitlines()) if line['kind'] == 'batch'][0]
    path = sorted(glob.glob(f'{server.data}/logs/bank/0*.seg'))[0]
    with open(path, 'r+b') as file:
        file.seek(first['offset'] + 120)
        byte = file.read(1)
        file.seek(first['offset'] + 120)
        file.write(bytes([byte[0] ^ 1]))
    code, out = server.run('log', 'verify')
    assert code == 13 and f'damaged at offset {first["offset"]}' in out, (code, out)


def main():
    with lib.Server() as server, lib.Server() as forged:
        with case('chains and heads are those of the documentation'):
            live(server, range(1, 20))
            head = agrees(server)
        with case('what cannot be found out is no agreement'):
            says_what_it_cannot(server)
        with case('nothing that happens meanwhile is a difference'):
            goes_on_meanwhile(server)
        with case('a head that was noted fits later, too'):
            verify(server, '--expect', head)
            later = log_head(server, '--expect', head)
            assert later != head
            server.kill()
            server.start()
            assert log_head(server, '--expect', later).split(':')[1] == later.split(':')[1]
        with case('a history that was forged agrees with itself, and not with what was noted'):
            live(forged, [*range(1, 19), 1900])
            agrees(forged)
            out = verify(forged, '--expect', head, code=1)
            position = head.split(':')[0]
            assert f'position {position}: head of the log: expected {head.split(":")[1]}' in out
            told = json.loads(verify(forged, '--json', '--expect', f'999999:{"0" * 64}', code=1))
            assert [row['what'] for row in told['differences']] == ['end of the log'], told
        with case('a changed row of a view is caught'):
            rows_are_caught(server)
        with case('a changed byte of the log is caught'):
            byte_is_caught(server)
    lib.done()


if __name__ == '__main__':
    main()
