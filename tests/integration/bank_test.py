"""The bank through its doors: random requests of the binary protocol, over HTTP and through the
log, answered as the model of the ledger says; then all accounts and transfers looked up, also after
the server was killed. Pending transfers run out while it is down. SLUICE_SEED repeats a run."""
import csv
import io
import os
import random
import struct
import subprocess
import sys
import time
import xml.etree.ElementTree

import lib
from lib import case

sys.path.insert(0, os.path.join(lib.TOP, 'domains', 'bank', 'model'))
import ledger_model as model  # noqa: E402
from workload import ACCOUNTS, Workload  # noqa: E402

RECORDS = 100_000 if lib.IS_LONG else 3_000
SEED = int(os.environ.get('SLUICE_SEED', random.SystemRandom().getrandbits(32)))
BYTES = {'Content-Type': 'application/octet-stream'}
OPERATIONS = {140: 'lookup_accounts', 141: 'lookup_transfers', 142: 'get_account_transfers',
              143: 'get_account_balances', 144: 'query_accounts', 145: 'query_transfers',
              146: 'create_accounts', 147: 'create_transfers'}
NAMES = {146: {code: name for name, code in model.ACCOUNT_CODES.items()},
         147: {code: name for name, code in model.TRANSFER_CODES.items()}}


class Present(Workload):
    """What the server's own clock lets be compared: nothing is imported, and nothing runs out."""

    def creation(self):
        operation, at, records = super().creation()
        bit = model.ACCOUNT_IMPORTED if operation == ACCOUNTS else model.IMPORTED
        records = [record._replace(flags=record.flags & ~bit) for record in records]
        if operation != ACCOUNTS:
            records = [record._replace(timeout=min(record.timeout, 1) * (1 << 31))
                       for record in records]
        return operation, at, records

    def import_batch(self, operation, records):
        return records


seen = {}  # the newest position that was answered


def batch(server, operation, payload):
    """The reply's records; it is not older than what was answered before."""
    reply = server.http.request('POST', f'/bank/batch/{OPERATIONS[operation]}', payload,
                                {**BYTES, **seen})
    assert reply.status == 200, (reply.status, reply.body[:300])
    if reply.position:
        seen['Sluice-Position'] = reply.position
    return reply.body


def without_times(payload, size):
    """Records less their timestamps, which are the server's."""
    at = {16: 0, 128: 120}[size]
    return [payload[i:i + at] + payload[i + at + 8:i + size]
            for i in range(0, len(payload), size)]


def run(server, ledger):
    """Sends the requests; how many records were sent, and which verdicts they got."""
    reached, sent = set(), 0
    for operation, at, payload, count in Present(SEED, ledger).requests():
        if operation not in (146, 147):
            continue
        wanted, verdicts = ledger.request(operation, at, payload)
        came = batch(server, operation, payload)
        if without_times(wanted, 16) != without_times(came, 16):
            for i, verdict in enumerate(verdicts):
                told = NAMES[operation][struct.unpack_from('<I', came, 16 * i + 8)[0]]
                print('#' if told == verdict else '# !', i, verdict, told)
            raise AssertionError(f'{OPERATIONS[operation]} after {sent} records')
        reached.update((operation, verdict) for verdict in verdicts)
        sent += count
        if sent >= RECORDS:
            return sent, reached


def ids_of(ids):
    return b''.join(id.to_bytes(16, 'little') for id in ids)


def compare(server, ledger):
    """All that is stored, looked up; and the transfers and balances of some accounts."""
    for operation, table in ((140, ledger.accounts), (141, ledger.transfers)):
        ids = list(table)
        for i in range(0, len(ids), 1000):
            payload = ids_of(ids[i:i + 1000])
            wanted, _ = ledger.request(operation, 0, payload)
            came = batch(server, operation, payload)
            assert without_times(wanted, 128) == without_times(came, 128), operation
    for account in random.Random(SEED).sample(sorted(ledger.accounts), 20):
        payload = account.to_bytes(16, 'little') + bytes(104) + struct.pack('<II', 8189, 7)
        wanted, _ = ledger.request(142, 0, payload)
        came = batch(server, 142, payload)
        assert without_times(wanted, 128) == without_times(came, 128), account
        wanted, _ = ledger.request(143, 0, payload)
        came = batch(server, 143, payload)
        assert [wanted[i:i + 64] for i in range(0, len(wanted), 128)] == \
            [came[i:i + 64] for i in range(0, len(came), 128)], account
    for operation in (144, 145):
        payload = bytes(16) + struct.pack('<QIIH', 4, 0, 0, 0) + bytes(22) + \
            struct.pack('<II', 8189, 0)
        wanted, _ = ledger.request(operation, 0, payload)
        came = batch(server, operation, payload)
        assert without_times(wanted, 128) == without_times(came, 128), operation


def export(server, *arguments):
    """What the verb writes; its progress goes elsewhere."""
    result = subprocess.run([server.program, '--data', server.data, 'bank', 'export', *arguments],
                            capture_output=True, text=True, check=False)
    assert result.returncode == 0, (result.returncode, result.stderr)
    return result.stdout


def hledger_agrees(server):
    """An accountant's program reads the export, and has the same balance for every account."""
    journal = export(server, '--format', 'hledger')
    told = subprocess.run(['hledger', '-f', '-', 'balance', '--flat', '--no-total', '--empty',
                           '-O', 'csv'], input=journal, capture_output=True, text=True, check=True)
    found = {name.split(':')[1]: int(amount.split()[0].replace(',', ''))
             for name, amount in list(csv.reader(io.StringIO(told.stdout)))[1:]}
    names = {row['id']: row for row in all_rows(server, 'balance')}
    assert len(found) > 20 and found.keys() <= names.keys()
    for name, row in names.items():
        posted = int(row['debits_posted']) - int(row['credits_posted'])
        assert found.get(name, 0) == posted, (name, found.get(name), posted)


def all_rows(server, view):
    after = ''
    while True:
        page = server.http.get(f'/bank/{view}?limit=1000{after}').json
        yield from page['rows']
        if 'next' not in page:
            return
        after = '&after=' + page['next']


def exports_statements(server):
    """The account of runs_out, as a table and as a statement."""
    text = export(server, '--format', 'csv', '--account', 'out-b')
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row['amount'] for row in rows] == ['0.04'], text
    text = export(server, '--format', 'camt.053', '--account', 'out-b')
    tag = '{urn:iso:std:iso:20022:tech:xsd:camt.053.001.08}'
    statement = xml.etree.ElementTree.fromstring(text).find(f'{tag}BkToCstmrStmt/{tag}Stmt')
    assert [amount.text for amount in statement.findall(f'{tag}Bal/{tag}Amt')] == ['0.00', '0.04']
    assert [amount.text for amount in statement.findall(f'{tag}Ntry/{tag}Amt')] == ['0.04']
    reply = server.http.get('/bank/export/camt.053')
    assert (reply.status, reply.json['rule']) == (400, 'account_needed'), reply
    reply = server.http.get('/bank/export/csv?until=later')
    assert (reply.status, reply.json['rule']) == (400, 'position_malformed'), reply
    assert server.run('bank', 'export', '--format', 'paper')[0] == 1
    assert server.run('bank', 'export')[0] == 2


def trial_is_even(server):
    rows = server.http.get('/bank/trial-balance', seen).json['rows']
    return rows and all(row['debits_posted'] == row['credits_posted'] and
                        row['debits_pending'] == row['credits_pending'] for row in rows)


def refuses_what_is_no_request(server):
    def status(operation, payload, headers=BYTES):
        reply = server.http.request('POST', f'/bank/batch/{operation}', payload, headers)
        return reply.status, reply.json['rule']

    assert status('create_accounts', b'123') == (400, 'records_incomplete')
    assert status('query_accounts', bytes(128)) == (400, 'records_incomplete')
    assert status('create_money', b'') == (404, 'operation_unknown')
    assert status('create_accounts', bytes(128 * 8190))[0] == 413
    assert status('lookup_accounts', bytes(16 * 8190)) == (413, 'too_much_data')
    assert status('create_accounts', bytes(128), {'Content-Type': 'application/json'})[0] == 415
    assert batch(server, 146, b'') == b''
    assert batch(server, 142, bytes(128)) == b''


def runs_out(server):
    """Held money comes back, once, also when its time comes while the server is down."""
    def post(command, body):
        reply = server.http.post(f'/bank/{command}', body)
        assert reply.status == 201, reply
        return reply.position

    for id in ('out-a', 'out-b'):
        post('OpenAccount', {'id': id, 'kind': 'external', 'currency': 'EUR'})
    hold = {'from': 'out-a', 'to': 'out-b', 'currency': 'EUR', 'pending': True}
    for i in range(20):
        post('Transfer', {**hold, 'id': f'down-{i}', 'amount': 1, 'timeout': 1})
    post('Transfer', {**hold, 'id': 'stays', 'amount': 7})
    position = post('Transfer', {**hold, 'id': 'later', 'amount': 5, 'timeout': 3600})
    row = server.http.get('/bank/balance/out-a', {'Sluice-Position': position}).json
    assert int(row['debits_pending']) >= 12, row
    server.kill()
    time.sleep(1.1)  # their time comes
    server.start()

    def is_given_back():
        return server.http.get('/bank/balance/out-a').json.get('debits_pending') == '12'
    lib.wait_until(is_given_back, what='the end of what was held')
    events = server.http.get('/bank/events?tag=account:out-a&limit=1000').json['events']
    expired = [event['body']['id'] for event in events if event['type'] == 'TransferExpired']
    assert sorted(expired) == sorted({f'down-{i}' for i in range(20)}), expired
    reply = server.http.post('/bank/PostTransfer', {'pending': 'down-3'})
    assert (reply.status, reply.json['rule']) == (422, 'pending_transfer_expired'), reply
    post('PostTransfer', {'pending': 'stays', 'amount': 4})
    position = post('VoidTransfer', {'pending': 'later'})
    row = server.http.get('/bank/balance/out-b', {'Sluice-Position': position}).json
    assert (row['balance'], row['credits_pending']) == (4, '0'), row


def links_a_whole_batch(server):
    """8,189 transfers between as many accounts, all or none."""
    first, count = 1 << 100, model.BATCH_MAX

    def accounts(i):
        return model.Account(first + i, *[0] * 8, 7, 1, 0, 0)

    def transfers(base, amount):
        return b''.join(model.encode(model.Transfer(
            base + i, first + i, first + (i + 1) % count, amount, *[0] * 5, 7, 1,
            model.LINKED if i < count - 1 else 0, 0)) for i in range(count))

    def statuses(operation, payload):
        reply = batch(server, operation, payload)
        return [struct.unpack_from('<I', reply, i + 8)[0] for i in range(0, len(reply), 16)]

    created = model.ACCOUNT_CODES['created']
    payload = b''.join(model.encode(accounts(i)) for i in range(count))
    assert set(statuses(146, payload)) == {created}
    assert set(statuses(147, transfers(first, 1))) == {created}
    broken = transfers(first * 2, 1)[:-128] + model.encode(
        model.Transfer(first * 3, first, first + count, 1, *[0] * 5, 7, 1, 0, 0))
    told = statuses(147, broken)
    assert set(told[:-1]) == {model.TRANSFER_CODES['linked_event_failed']}, told[:10]
    assert told[-1] == model.TRANSFER_CODES['credit_account_not_found'], told[-1]


def past_is_what_was(server):
    """Each account's balance at each of its entries, and before it, by position and by time."""
    def past(account, at):
        reply = server.http.get(f'/bank/past/{account}?at={at}', seen)
        assert reply.status in (200, 404), reply
        return reply.json if reply.status == 200 else None

    rows = [line for account in all_rows(server, 'balance')
            for line in all_rows(server, f'statement/{account["id"]}')]
    random.Random(SEED).shuffle(rows)
    checked = 0
    for row in rows[:200]:
        now = past(row['account'], row['position'] + 1)
        assert (now['balance'], now['entries'], now['position']) == \
            (row['balance'], row['entry'], row['position']), (now, row)
        before = past(row['account'], row['position'])
        assert before['entries'] == row['entry'] - 1, (before, row)
        if max(abs(row['balance']), abs(row['amount'])) < 1 << 62:  # else they are clamped
            assert before['balance'] == row['balance'] - row['amount'], (before, row)
        whole, part = divmod(now['timestamp'], 10**9)
        text = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))
        assert past(row['account'], f'{text}.{part:09}Z') == now
        whole, part = divmod(now['timestamp'] - 1, 10**9)
        text = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))
        assert past(row['account'], f'{text}.{part:09}Z') == before
        checked += 1
    assert checked > 50, checked
    some = rows[0]['account']
    assert past(some, 0) is None and past(some, '1971-01-01T00:00:00Z') is None
    for account, at, rule in ((some, 'then', 'at_malformed'), (some, '', 'at_malformed'),
                              (some, '2200-01-01T00:00:00Z', 'at_in_the_future'),
                              ('%20', 1, 'id_malformed')):
        reply = server.http.get(f'/bank/past/{account}?at={at}')
        assert (reply.status, reply.json['rule']) == (400, rule), reply


def main():
    with lib.Server() as server:
        ledger = model.Ledger()
        print('# seed', SEED)
        with case('requests are answered as the model says'):
            sent, reached = run(server, ledger)
            print(f'# {sent} records, {len(reached)} verdicts')
            assert len(reached) > 60, sorted(reached)
        with case('what is stored is found, by id, account and user data'):
            compare(server, ledger)
            assert trial_is_even(server)
        with case('also after the server was killed'):
            server.kill()
            server.start()
            compare(server, ledger)
            assert trial_is_even(server)
        with case('a chain may be as long as a request'):
            links_a_whole_batch(server)
        with case('hledger has the same balances'):
            hledger_agrees(server)
        with case('what an account held is answered as of any position and time'):
            past_is_what_was(server)
        with case('what is no request is refused'):
            refuses_what_is_no_request(server)
        with case('what is held runs out, once, also while the server is down'):
            runs_out(server)
        with case('a table and a statement are exported'):
            exports_statements(server)
    lib.done()


if __name__ == '__main__':
    main()
