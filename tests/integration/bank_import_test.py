"""`sluice bank import TABLE.csv`: what was exported comes back, once, however often it is sent; and
what is wrong in a table is told with line, column and rule."""
import csv
import io
import os
import subprocess

import lib
from lib import case

HEADER = 'position,time,id,from,to,amount,currency,ledger,code,pending,reverses,reference\r\n'
NEW = ('position', 'time', 'pending')  # what is not the same afterwards


def bank(server, *arguments):
    result = subprocess.run([server.program, '--data', server.data, 'bank', *arguments],
                            capture_output=True, check=False, timeout=60)
    return result.returncode, result.stdout.decode(), result.stderr.decode()


def table(server):
    code, out, err = bank(server, 'export', '--format', 'csv')
    assert code == 0, err
    return out


def rows_of(text):
    rows = list(csv.DictReader(io.StringIO(text, newline='')))
    return [{name: value for name, value in row.items() if name not in NEW} for row in rows]


def take(server, text):
    path = os.path.join(server.folder, 'table.csv')
    with open(path, 'w', newline='', encoding='utf-8') as file:
        file.write(text)
    code, out, err = bank(server, 'import', path)
    return code, out, err.replace(path, 'table.csv')


def post(server, command, body):
    reply = server.http.post(f'/bank/{command}', body)
    assert reply.status in (200, 201), reply
    if reply.status == 200:
        assert {item['status'] for item in reply.json} == {201}, reply


def live(server):
    """More rows than go in one request, in two currencies, with corrections among them."""
    for id, currency in (('cash', 'EUR'), ('ada', 'EUR'), ('till', 'JPY'), ('eve', 'JPY'),
                         ('kwd-a', 'KWD'), ('kwd-b', 'KWD')):
        post(server, 'OpenAccount', {'id': id, 'kind': 'external', 'currency': currency})
    euro = {'currency': 'EUR', 'from': 'cash', 'to': 'ada'}
    post(server, 'Transfer', [{**euro, 'amount': n, 'id': f't-{n}', 'code': n % 9 + 1}
                              for n in range(1, 1101)])
    for n in (5, 700):
        post(server, 'ReverseTransfer', {'transfer': f't-{n}', 'id': f'r-{n}', 'reference': 'why'})
    post(server, 'Transfer', {**euro, 'amount': 0, 'reference': 'a "quoted", text;\nof two ü'})
    post(server, 'Transfer', {'from': 'till', 'to': 'eve', 'amount': 5, 'currency': 'JPY'})
    post(server, 'Transfer', {'from': 'kwd-a', 'to': 'kwd-b', 'amount': 10**15, 'currency': 'KWD'})
    post(server, 'Transfer', {**euro, 'id': 'hold', 'amount': 9, 'pending': True})
    post(server, 'PostTransfer', {'pending': 'hold', 'amount': 7})


ROW = '0,now,new,cash,ada,1.00,EUR,978,1,,,""\n'
WRONG = (
    ('', 'table.csv:1: column position: the file is empty'),
    ('a,b\n', 'table.csv:1: column id: it is missing: a row has 12 columns'),
    (HEADER.replace('amount', 'sum'), 'table.csv:1: column amount: the first line names'),
    (HEADER + '0,1\n', 'table.csv:2: column id: it is missing'),
    (HEADER + ROW.replace('""\n', '"",x\n'), 'table.csv:2: column reference: more behind it'),
    (HEADER + ROW.replace('""\n', '"\n'), 'table.csv:2: column reference: the quotes do not end'),
    (HEADER + ROW.replace('""\n', '"a"b\n'), 'table.csv:2: column reference: text behind the'),
    (HEADER + ROW.replace('1.00', '1.001'), 'table.csv:2: column amount: EUR has at most 2'),
    (HEADER + ROW.replace('1.00', '-1'), 'table.csv:2: column amount: no amount: "-1"'),
    (HEADER + ROW.replace('1.00', '1.'), 'table.csv:2: column amount: no amount: "1."'),
    (HEADER + ROW.replace('1.00', '9' * 40), 'table.csv:2: column amount: more than 10000000'),
    (HEADER + ROW.replace('cash', 'ca sh'), 'table.csv:2: column from: no id ('),
    (HEADER + ROW.replace('ada', ''), 'table.csv:2: column to: an id is needed'),
    (HEADER + ROW.replace('978', '97'), 'table.csv:2: column ledger: the ledger of EUR is 978'),
    (HEADER + ROW.replace('EUR', 'EURO'), 'table.csv:2: column currency: no currency of ISO'),
    (HEADER + ROW.replace('978,1', '978,x'), 'table.csv:2: column code: a code is from 1'),
    (HEADER + '0,now,t-1,cash,ada,0.01,EUR,978,2,,,"a\nb"\n' + ROW.replace('1.00', 'x'),
     'table.csv:4: column amount: no amount: "x"'),
    (HEADER + ROW.replace('new', 't-1'), 'table.csv:2: column amount: exists_with_different_'),
    (HEADER + ROW.replace('EUR,978', 'USD,840'), 'from or to: exists_with_different_ledger'),
    (HEADER + ROW.replace(',,""', ',none,why'), 'column reverses: transfer_not_found'),
    (HEADER + ROW.replace('""', 'x' * 141), 'table.csv:2: column reference: length: '),
)


def main():
    with lib.Server() as server, lib.Server() as other:
        live(server)
        whole = table(server)
        lines = whole.splitlines(keepends=True)
        with case('an import that was cut short goes on where it ended'):
            code, out, err = take(other, ''.join(lines[:600]) + 'x')
            assert code == 1 and 'table.csv:601: column time: it is missing' in err, err
            code, out, err = take(other, whole)
            count = len(rows_of(whole))
            assert code == 0 and out.startswith(f'{count} rows, {count - 500} transfers new\n'), err
        with case('what is not kept is told'):
            assert out.splitlines()[1:] == [
                f'not kept: position and time of {count - 500} transfers, which happened now',
                'not kept: what 1 of them posted was pending; they are plain transfers',
                'not kept: kind and limit of 4 accounts, opened as external ones'], out
        with case('what was exported comes back'):
            assert rows_of(table(other)) == rows_of(whole)
            for account in ('ada', 'eve', 'kwd-b'):
                balances = [it.http.get(f'/bank/balance/{account}').json['balance']
                            for it in (server, other)]
                assert balances[0] == balances[1], (account, balances)
        with case('again, it changes nothing'):
            code, out, err = take(other, whole)
            assert (code, out) == (0, f'{count} rows, 0 transfers new\n'), (code, out, err)
            assert rows_of(table(other)) == rows_of(whole)
            assert bank(other, 'verify')[0] == 0
        with case('what is wrong is told with line, column and rule'):
            for text, told in WRONG:
                code, out, err = take(server, text)
                assert code == 1 and told in err, (text, told, code, out, err)
            assert table(server) == whole
        with case('an account that is there keeps its kind, and its limit is kept to'):
            reply = other.http.post('/bank/OpenAccount', {'id': 'poor', 'currency': 'EUR'})
            assert reply.status == 201, reply
            code, out, err = take(other, HEADER + ROW.replace('cash', 'poor'))
            assert code == 1 and 'table.csv:2: column from: exceeds_credits: ' in err, err
    lib.done()


if __name__ == '__main__':
    main()
