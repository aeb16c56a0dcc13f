"""One data folder, and more than one server that wants it: one has it, the others say so and change
nothing, whatever it is doing; a server that was killed is in nobody's way. And starting, again and
again, writes nothing into the log."""
import hashlib
import json
import os
import signal
import threading

import lib
from lib import case

STARTS = 200 if lib.IS_LONG else 25
ROUNDS = 60 if lib.IS_LONG else 12
RIVALS = 5


def files_of(folder):
    """What each file is: its inode, size, time of the last change, and what is in it."""
    found = {}
    for path, _, names in os.walk(folder):
        for name in names:
            whole = os.path.join(path, name)
            about = os.lstat(whole)
            content = b''
            if os.path.isfile(whole):  # the socket is none
                with open(whole, 'rb') as file:
                    content = hashlib.sha256(file.read()).digest()
            found[os.path.relpath(whole, folder)] = (about.st_ino, about.st_size,
                                                     about.st_mtime_ns, content)
    return found


def same_files(before, after):
    assert before.keys() == after.keys(), before.keys() ^ after.keys()
    changed = [name for name, about in before.items() if after[name] != about]
    assert not changed, changed


def rival(server):
    """A server that wants the folder, on ports of its own."""
    return lib.Child([server.program, 'serve', '--data', server.data, '--port', '0',
                      '--resp-port', '0'], cwd=server.folder)


def open_account(http, name):
    reply = http.post('/bank/OpenAccount', {'id': name, 'kind': 'external', 'currency': 'EUR'})
    assert reply.status == 201, reply
    return reply.position


def settled(server, position):
    """Views have written what they show, and what was written meanwhile is done with."""
    def is_stored():
        rows = server.http.get('/bank/balance?limit=1000', {'Sluice-Position': position})
        return rows.status == 200
    lib.wait_until(is_stored, what='the views')
    before = files_of(server.data)

    def is_still():
        nonlocal before
        now, before = files_of(server.data), before
        is_same, before = now == before, now
        return is_same
    # Twice the same, half a second apart: longer than a view's writer rests.
    for _ in range(40):
        threading.Event().wait(0.5)
        if is_still():
            return before
    raise AssertionError('an idle server goes on writing')


def comes_second(server):
    position = open_account(server.http, 'first')
    before = settled(server, position)
    rivals = [rival(server) for _ in range(RIVALS)]
    for child in rivals:
        assert child.wait() == 12, child.output()
        assert 'another server has the folder' in child.output(), child.output()
        assert '--data' in child.output(), child.output()
    same_files(before, files_of(server.data))
    assert server.run('status')[0] == 0  # by the socket, which is still the first one's
    open_account(server.http, 'second')


def comes_second_under_load(server):
    """The winner writes all the time: new segments, sealed ones, views."""
    stop, failures, made = threading.Event(), [], []

    def work():
        http = lib.Http(server.port)
        number = 0
        while not stop.is_set():
            name = f'busy-{number}'
            number += 1
            reply = http.post('/bank/OpenAccount',
                              {'id': name, 'kind': 'external', 'currency': 'EUR'})
            if reply.status != 201:
                failures.append(reply)
            made.append(name)
        http.close()
    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(ROUNDS):
            child = rival(server)
            assert child.wait() == 12, child.output()
    finally:
        stop.set()
        thread.join()
    assert made and not failures, failures[:3]
    server.kill()
    server.start()
    for name in (made[0], made[-1]):
        assert server.http.get(f'/bank/balance/{name}').status == 200, name
    assert server.run('log', 'verify')[0] == 0


def race_for_it(server):
    """Several start at once, also behind one that was killed; one has the folder, and all that was
    answered by those before it."""
    known = []
    for i in range(ROUNDS):
        rivals = [rival(server) for _ in range(RIVALS)]

        def winners():
            return [child for child in rivals if child.is_running()]
        lib.wait_until(lambda: len(winners()) == 1, lib.START_TIMEOUT_S, 'one that is left')
        winner = winners()[0]
        port = int(winner.wait_for_line(r'http://127\.0\.0\.1:(\d+)/').group(1))
        http = lib.Http(port)
        lib.wait_until(lambda: http.get('/readyz').status == 200, what='/readyz')
        known.append((f'race-{i}', open_account(http, f'race-{i}')))
        for name, position in known:
            reply = http.get(f'/bank/balance/{name}', {'Sluice-Position': position})
            assert reply.status == 200, (name, reply)
        http.close()
        for child in rivals:
            if child is not winner:
                assert child.wait() == 12, child.output()
        if i % 2:
            winner.kill()
        else:
            winner.signal(signal.SIGTERM)
            assert winner.wait() == 0, winner.output()


def stop_is_the_end(server):
    """Whoever has waited for `sluice stop` gets the folder at once."""
    for _ in range(10):
        stopped = server.child
        assert server.run('stop')[0] == 0
        server.start()
        assert stopped.wait() == 0


def starts_add_nothing(server):
    """A start writes its epoch, a batch of one page, and nothing else: no event, no outcome, no
    mark of how far a process came. What is held keeps a process at work, and its end is far."""
    server.start()
    for name in ('hold-a', 'hold-b'):
        open_account(server.http, name)
    reply = server.http.post('/bank/Transfer', {
        'id': 'far', 'from': 'hold-a', 'to': 'hold-b', 'amount': 5, 'currency': 'EUR',
        'pending': True, 'timeout': 1 << 20})
    assert reply.status == 201, reply

    def state():
        return sorted(files_of(server.data)), server.http.get('/bank/events').position

    def stat():
        code, text = server.run('log', 'stat', 'bank', '--json')[:2]
        assert code == 0, text
        return json.loads(text)['logs'][0]

    settled(server, reply.position)
    server.kill()
    server.start()
    names, position = state()
    before = stat()
    for i in range(STARTS):
        if i % 2:
            server.kill()
        else:
            assert server.stop() == 0
        server.start()
        found = state()
        assert found[1] == position, (found[1], position)
    after = stat()
    for what in ('events', 'outcomes', 'segments'):
        assert after[what] == before[what], (what, before, after)
    assert len(after['epochs']) == len(before['epochs']) + STARTS, after
    assert after['bytes'] == before['bytes'] + 4096 * STARTS, (before, after)
    assert [name for name in found[0] if name not in names] == [], (found[0], names)
    # A view's journal is written into its file when it has 1,000 pages.
    size = sum(about[1] for about in files_of(os.path.join(server.data, 'views')).values())
    assert size < 8 * 5 * (1 << 20), size


def main():
    with lib.Server() as server:
        with case('who comes second says so, and changes nothing'):
            comes_second(server)
        with case('also while the first one writes'):
            comes_second_under_load(server)
        with case('of those that start at once, one has the folder, and all that was answered'):
            assert server.stop() == 0
            race_for_it(server)
        with case('behind sluice stop the next one has the folder'):
            server.start()
            stop_is_the_end(server)
            assert server.stop() == 0
        with case('to start again and again adds nothing but epochs, and leaves no files'):
            starts_add_nothing(server)
    lib.done()


if __name__ == '__main__':
    main()
