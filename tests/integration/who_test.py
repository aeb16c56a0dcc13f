"""Events say who caused them, and what somebody did is found."""
import json

import lib
from lib import case

CONFIG = """
[token teller]
secret = the-token-of-the-teller
roles = user auditor
[token auditor]
secret = the-token-of-the-auditor
roles = auditor
"""


def bearer(token):
    return {'Authorization': f'Bearer {token}'}


def events(http, query=''):
    reply = http.get('/bank/events?limit=100' + query)
    assert reply.status == 200, reply
    return reply.json['events']


def scan(server, *arguments):
    code, text = server.run('log', 'scan', 'bank', *arguments)
    assert code == 0, text
    return [json.loads(line) for line in text.splitlines()]


def work(server, teller):
    """Two accounts, a hold that the process of the bank lets run out."""
    for body in ({'id': 'cash', 'kind': 'external', 'currency': 'EUR'},
                 {'id': 'ada', 'currency': 'EUR'}):
        assert teller.post('/bank/OpenAccount', body).status == 201
    hold = {'id': 'hold', 'from': 'cash', 'to': 'ada', 'amount': 5, 'currency': 'EUR',
            'pending': True, 'timeout': 1}
    reply = teller.post('/bank/Transfer', hold)
    assert reply.status == 201, reply
    lib.wait_until(lambda: server.http.get('/bank/holds/hold').status == 404, 20,
                   'the end of the hold')


def named(server, teller):
    with case('a token is named in what it causes, a process in what it does'):
        found = events(teller)
        assert [e['by'] for e in found[:3]] == ['teller'] * 3, found
        later = [e for e in found[3:] if not e['type'].startswith('$')]
        assert later and {e['by'] for e in later} == {'process/hold'}, found
        assert not any(tag.startswith('$') for e in found for tag in e['tags']), found
    with case('what somebody did, both ways'):
        assert events(teller, '&by=teller') == found[:3]
        assert events(teller, '&by=teller&backwards=1') == found[:3][::-1]
        assert events(teller, '&by=nobody') == []
    with case('what concerns an account: its own events, and what is tagged with it'):
        types = [e['type'] for e in events(teller, '&aggregate=account/ada')]
        assert types[:2] == ['AccountOpened', 'Transferred'], types
        assert [e['type'] for e in events(teller, '&aggregate=account/cash&backwards=1')][-1] == (
            'AccountOpened')
        assert events(teller, '&aggregate=account/nobody') == []
    with case('by and tag are one or the other, and a name has a length'):
        for query in ('by=teller&tag=account:ada', 'tag=account:ada&by=teller', 'by=' + 'x' * 125,
                      'aggregate=ada', 'aggregate=/ada', 'by=teller&aggregate=account/ada'):
            reply = teller.get('/bank/events?' + query)
            assert reply.status == 400, (query, reply)
    with case('scan shows the same, and finds the same'):
        assert scan(server) == found
        assert scan(server, '--by', 'teller') == found[:3]
        assert server.run('log', 'scan', 'bank', '--by', 'x', '--tag', 'y')[0] == 2
    with case('what concerns an account, live'):
        stream = teller.events('/bank/events?aggregate=account/cash&after=start')
        types = [json.loads(next(stream)['data'])['type'] for _ in range(3)]
        assert types[:2] == ['AccountOpened', 'Transferred'], types
        assert teller.post('/bank/SetLimit', {'id': 'ada', 'limit': 3}).status == 201
        assert teller.post('/bank/CloseAccount', {'id': 'cash'}).status == 201
        assert json.loads(next(stream)['data'])['type'] == 'AccountClosed'
    return events(teller)


def main():
    with lib.Server(config=CONFIG) as server:
        teller = lib.Http(server.port, bearer('the-token-of-the-teller'))
        work(server, teller)
        found = named(server, teller)
        server.restart()
        with case('after a start it is what it was'):
            teller = lib.Http(server.port, bearer('the-token-of-the-teller'))
            assert events(teller) == found
            assert events(teller, '&by=process/hold') == [
                e for e in found if e.get('by') == 'process/hold']
        teller.close()
    with lib.Server() as server:
        with case('where nobody is known, nobody is named'):
            assert server.http.post('/bank/OpenAccount',
                                    {'id': 'ada', 'currency': 'EUR'}).status == 201
            assert 'by' not in events(server.http)[0]
    lib.done()


if __name__ == '__main__':
    main()
