"""What a process does is done once, whatever happens to the server and its views (V3): transfers
that expire while the server is dead, views that are lost and rebuilt, a process that is told to try
again."""
import collections
import datetime
import json
import os
import shutil
import time
import uuid

import lib
from lib import case

HOLDS = 24
TIMEOUT_S = 1


def events_of(http, domain='bank'):
    """All events of a log."""
    found, after = [], ''
    while True:
        page = http.get(f'/{domain}/events?limit=500' + after).json
        found += page['events']
        if not page['events']:
            return found
        after = f'&after={found[-1]["position"]}'


def effects(server, but=()):
    """What the process did, and what came of it: how often for each transfer but the named ones."""
    found = collections.Counter()
    for event in events_of(server.http):
        kind, body = event['type'], event['body']
        if kind == 'TransferExpired' and body['id'] not in but:
            found['expired', body['id']] += 1
        elif kind == '$TimerFired' and body['key'] not in but:
            found['fired', body['key']] += 1
        elif kind.startswith('$') and kind not in ('$TimerFired', '$ProcessAdvanced'):
            found[kind, event['stream']] += 1
    return found


def must_be(found, wanted):
    assert found == wanted, f'too many: {found - wanted}; missing: {wanted - found}'


def nanoseconds(text):
    """Of an instant in ISO 8601, UTC; to the microsecond."""
    moment = datetime.datetime.fromisoformat(text[:26].rstrip('Z') + '+00:00')
    epoch = datetime.datetime.fromisoformat('1970-01-01T00:00:00+00:00')
    return (moment - epoch) // datetime.timedelta(microseconds=1) * 1000


def hold(http, name, timeout_s):
    reply = http.post('/bank/Transfer', {'id': name, 'from': 'cash', 'to': 'ada', 'amount': 7,
                                         'currency': 'EUR', 'pending': True, 'timeout': timeout_s})
    assert reply.status == 201, reply


def fill(http):
    """Holds that run out, after some of them were posted or voided, and some that do not."""
    for name in ('cash', 'ada'):
        assert http.post('/bank/OpenAccount', {'id': name, 'kind': 'external',
                                               'currency': 'EUR'}).status == 201
    for number in range(HOLDS):
        hold(http, f'h{number}', 3600 if number % 6 == 5 else TIMEOUT_S)
        if number % 6 < 2:
            command = 'PostTransfer' if number % 6 else 'VoidTransfer'
            assert http.post('/bank/' + command, {'pending': f'h{number}'}).status == 201


def expected():
    once = [f'h{number}' for number in range(HOLDS) if 2 <= number % 6 < 5]
    return collections.Counter([(what, name) for what in ('fired', 'expired') for name in once])


def balances(server):
    row = server.http.get('/bank/trial-balance/978').json
    held = sum(number % 6 == 5 for number in range(HOLDS)) * 7
    assert row['debits_posted'] == row['credits_posted'], row
    assert int(row['debits_pending']) == int(row['credits_pending']) == held, row


def check_times(server):
    """None ran out before its time, none was posted or voided after it."""
    made = {}
    for event in events_of(server.http):
        body = event['body']
        if event['type'] == 'Transferred' and body.get('timeout'):
            made[body['id']] = int(body['timestamp']) + body['timeout'] * 10**9
        elif event['type'] == 'TransferExpired':
            # A microsecond is all that the text of the event's time keeps.
            assert nanoseconds(event['time']) + 1000 >= made[body['id']], event
        elif event['type'] == 'Transferred' and body.get('pending'):
            assert int(body['timestamp']) < made[body['pending']], event


def drop_views(server):
    shutil.rmtree(os.path.join(server.data, 'views'))


def killed(server):
    server.kill()
    server.start()


def lost_in_a_crash(server):
    server.kill()
    drop_views(server)
    server.start()


def lost(server):
    assert server.stop() == 0
    drop_views(server)
    server.start()


def replace_views(server, folder):
    server.kill()
    drop_views(server)
    shutil.copytree(folder, os.path.join(server.data, 'views'))
    server.start()


def made_older(server):
    """Instances that lag behind what has been done: a copy from before it, put back."""
    replace_views(server, os.path.join(server.folder, 'older'))


def keep_for_later(server):
    server.kill()
    shutil.copytree(os.path.join(server.data, 'views'), os.path.join(server.folder, 'older'))
    server.start()


def exchanged(server):
    """Instances of another log, whose positions are not ours."""
    config = server.arguments[1:2] and ['--config', server.arguments[1]]
    with lib.Server(*config) as other:
        if config:
            ask(other.http, [], 3)
        else:
            fill(other.http)
        assert other.stop() == 0
        replace_views(server, os.path.join(other.data, 'views'))


def rebuilt(server):
    code, text = server.run('view', 'status', '--json')
    assert code == 0, text
    names = [f'{view["domain"]}/{view["name"]}' for view in json.loads(text)]
    assert server.run('view', 'rebuild', *names)[0] == 0


def told_to_try_again(server):
    """They stand nowhere, so there is nothing to try."""
    for process in json.loads(server.run('process', 'status', '--json')[1]):
        name = f'{process["domain"]}/{process["name"]}'
        assert server.run('process', 'retry', name)[0] == 15, name


DISTURBANCES = [('a crash', killed), ('a crash in which all views are lost', lost_in_a_crash),
                ('a start without views', lost), ('an older copy of views', made_older),
                ("another log's views", exchanged), ('rebuilds of all views', rebuilt),
                ('processes that are told to try again', told_to_try_again)]


def circle(server, asked):
    """Who is sent a command twice refuses it, and the refusal stands in the log: so each asking is
    three events, and there is nothing else but what processes say of their progress."""
    found = collections.Counter()
    for domain in ('asker', 'doer'):
        for event in events_of(server.http, domain):
            if event['type'] != '$ProcessAdvanced':
                found[event['type'], event['body'].get('id', event['stream'])] += 1
    must_be(found, collections.Counter([(kind, name) for name in asked
                                        for kind in ('Asked', 'Done', 'Confirmed')]))


def ask(http, asked, count):
    for _ in range(count):
        asked.append(str(uuid.uuid4()))
        assert http.post('/asker/Ask', {'id': asked[-1]}).status == 201


def answered(server, name):
    return any(event['type'] == 'Confirmed' and event['body']['id'] == name
               for event in events_of(server.http, 'asker'))


def between_two_logs():
    modules = {'asker': os.environ.get('ASKER', ''), 'doer': os.environ.get('DOER', '')}
    if not all(os.access(path, os.R_OK) for path in modules.values()):
        return lib.note('no modules with the domains that call each other (ASKER, DOER)')
    config = ''.join(f'[domain {name}]\nmodule = {path}\n' for name, path in modules.items())
    asked = []
    with lib.Server(config=config) as server:
        ask(server.http, asked, 5)
        keep_for_later(server)
        for what, disturb in DISTURBANCES:
            with case(f'V3: no command is sent twice, to another log either: {what}'):
                ask(server.http, asked, 20)  # some are under way
                disturb(server)
                ask(server.http, asked, 1)
                lib.wait_until(lambda: answered(server, asked[-1]), 20, 'the last to be confirmed')
                circle(server, asked)


def main():
    with lib.Server() as server:
        fill(server.http)
        keep_for_later(server)
        with case('kill -9, and what ran out meanwhile is given back once'):
            server.kill()
            due = time.time() + TIMEOUT_S
            lib.wait_until(lambda: time.time() > due, TIMEOUT_S + 10, 'the time of all holds')
            server.start()
            lib.wait_until(lambda: len(effects(server)) >= len(expected()), 20, 'their end')
            must_be(effects(server), expected())
            balances(server)
        markers = []
        for what, disturb in DISTURBANCES:
            with case(f'V3: nothing is done again after {what}'):
                markers.append(f'm{len(markers)}')
                hold(server.http, markers[-1], TIMEOUT_S)
                disturb(server)
                # The process takes events in their order: all before it has been seen again.
                lib.wait_until(lambda: effects(server)['expired', markers[-1]], 20,
                               'the end of the last hold')
                must_be(effects(server, markers), expected())
                balances(server)
        with case('each of those that waited through it ran out once, and none was early'):
            found = effects(server)
            assert all(found['expired', name] == found['fired', name] == 1 for name in markers), \
                found
            check_times(server)
    between_two_logs()
    lib.done()


main()
