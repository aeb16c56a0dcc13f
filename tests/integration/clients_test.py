"""Clients that others wrote, as they are: hiredis, redis-py and node-redis, in RESP2 and RESP3.
What each does is in clients/; redis-cli and redis-benchmark are in resp_test.py."""
import json
import os
import shutil
import subprocess

import desks
import fetched
import lib
from desks import EVE, book, uuid
from lib import case


def run(command, cwd=None):
    result = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, timeout=60, check=False)
    assert result.returncode == 0, result.stdout.decode('utf-8', 'replace')


def main():
    with desks.server() as server:
        port = str(server.resp_port)
        with case('hiredis'):
            program = os.environ.get('HIREDIS', '')
            if not os.access(program, os.X_OK):
                raise lib.Skip('hiredis was not there when this was built (libhiredis-dev)')
            with server.resp() as redis:
                redis.call('SLUICE.DO', 'desks.BookDesk', json.dumps(book(1, 'H1')))
            run([program, port, 'desks:bookings:' + uuid(1), 'desks:bookings:' + uuid(0xffff)])
        with case('redis-py'):
            run([fetched.python(), os.path.join(fetched.CLIENTS, 'redis_py.py'), port, EVE])
        with case('node-redis'):
            folder = fetched.node()
            # Modules are looked for beside the script.
            script = shutil.copy(os.path.join(fetched.CLIENTS, 'node_redis.mjs'), folder)
            run(['node', script, port, EVE])
        with case('the server still runs, and stops when told'):
            assert server.stop() == 0, server.child.output()
    lib.done()


main()
