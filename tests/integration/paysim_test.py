"""A real day of payments: 100,000 transactions of PaySim, every refusal and every balance after
each row as the data says, with the server killed ten times meanwhile and the client sending again
with the same ids. Then the log is read whole: every acknowledged payment is there, and no other."""
import json
import os
import subprocess

import lib
from lib import case

DATA = os.path.join(lib.TOP, 'domains', 'bank', 'data')
KILLS = 10
ROWS = 100_000


def position(server):
    """How many events the log has."""
    reply = server.http.get('/bank/events?backwards=true&limit=1')
    events = json.loads(reply.body)['events'] if reply.status == 200 else []
    return events[0]['position'] + 1 if events else 0


def at_least(server, wanted, client):
    def reached():
        if not client.is_running():
            raise RuntimeError('the import ended early:\n' + client.output())
        try:
            return position(server) >= wanted
        except OSError:
            return False
    return reached


def transfers(server):
    """Every transfer in the log: (from, to, amount, both balances after)."""
    after, result = '', []
    while True:
        page = json.loads(server.http.get(f'/bank/events?limit=1000{after}').body)
        result += [event for event in page['events'] if event['type'] == 'Transferred']
        if page['end']:
            return result
        after = '&after=' + page['next']


def main():
    zstd = subprocess.run(['zstd', '--version'], stdout=subprocess.DEVNULL, check=False)
    if zstd.returncode != 0:
        lib.skip_all('there is no program zstd')
    with lib.Server() as server:
        def start_import(*options):
            return lib.Child([server.program, '--data', server.data, 'bank', 'import',
                              os.path.join(DATA, 'paysim_accounts.csv'),
                              os.path.join(DATA, 'paysim_transactions.csv.zst'), *options])

        with case('the first rows are imported alone, twice; the rest goes on from there'):
            for count in (1234, 1300):
                client = start_import('--limit', str(count))
                assert client.wait(60) == 0, client.output()
            rows = [event for event in transfers(server)
                    if event['body']['reference'].startswith('row ')]
            assert 1300 < len(rows) <= 1500, len(rows)
        client = start_import('--check')
        with case('the server is killed ten times, and comes back each time'):
            for kill in range(KILLS):
                lib.wait_until(at_least(server, 8000 * (kill + 1), client), 120, 'the next part')
                server.kill()
                server.start()
        with case('every refusal and every balance after each row is as the data says'):
            code = client.wait(600)
            lib.note(client.lines[-1] if client.lines else 'no output')
            assert code == 0, client.output()
            assert client.lines[-1].startswith(f'{ROWS} transactions, 115 refused, 0 differ'), \
                client.output()
        with case('the log holds each payment once, and all balances sum to zero'):
            found = transfers(server)
            rows = [event['body']['reference'] for event in found
                    if event['body']['reference'].startswith('row ')]
            assert len(rows) == ROWS - 115, len(rows)
            assert len(set(rows)) == len(rows)
            last = {}
            for event in found:
                last[event['body']['from']] = event['body']['from_balance']
                last[event['body']['to']] = event['body']['to_balance']
            assert sum(last.values()) == 0, sum(last.values())
        with case('imported once more, without and with --check, nothing is new or differs'):
            before = position(server)
            for options in ((), ('--check',)):
                client = start_import(*options)
                assert client.wait(120) == 0, client.output()
                assert client.lines[-1].startswith(f'{ROWS} transactions, 115 refused, 0 differ'), \
                    client.output()
                assert position(server) == before, (options, position(server), before)
        with case('the balances shown are those of the log'):
            for account in list(last)[:500]:
                row = server.http.get(f'/bank/balance/{account}').json
                assert row['balance'] == last[account], (account, row, last[account])
    lib.done()


main()
