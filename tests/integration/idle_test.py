"""Nothing happening costs nothing: no wake-ups in ten seconds, little memory; after work, too."""
import glob
import os

import lib
from lib import case

QUIET_S = 10
RESIDENT_MAX_KIB = 24 * 1024


def status(server, name):
    """The sum over the server's threads of a number in /proc/PID/task/*/status."""
    total = 0
    for path in glob.glob(f'/proc/{server.child.pid}/task/*/status'):
        with open(path, encoding='ascii') as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith(name + ':'))
    return total


def resident_kib(server):
    with open(f'/proc/{server.child.pid}/status', encoding='ascii') as file:
        return next(int(line.split()[1]) for line in file if line.startswith('VmRSS:'))


def settled(server):
    """True once six seconds have passed without a wake-up: what follows a start or work is done,
    the views' checkpoints included, which are stored up to five seconds later."""
    before = status(server, 'voluntary_ctxt_switches')
    lib.time.sleep(6)
    return status(server, 'voluntary_ctxt_switches') == before


def is_quiet(server):
    lib.wait_until(lambda: settled(server), 60, 'a quiet time')
    server.http.close()
    before = status(server, 'voluntary_ctxt_switches')
    lib.time.sleep(QUIET_S)
    return status(server, 'voluntary_ctxt_switches') - before


def main():
    # Meson's runner has the C library write over all memory that is asked for; what a server keeps
    # in reserve and never touches would then count as resident, as it does for nobody who runs it.
    os.environ.pop('MALLOC_PERTURB_', None)
    with lib.Server() as server:
        server.http.close()
        with case('a fresh server does not wake in ten seconds'):
            woken = is_quiet(server)
            assert woken == 0, f'{woken} wake-ups'
        with case('and takes less than 24 MiB'):
            kib = resident_kib(server)
            assert kib < RESIDENT_MAX_KIB, f'{kib} KiB'
        with case('nor does it wake once its work is done'):
            for account in ('cash', 'ada'):
                server.http.post('/bank/OpenAccount',
                                 {'id': account, 'kind': 'external', 'currency': 'EUR'})
            server.http.close()
            woken = is_quiet(server)
            assert woken == 0, f'{woken} wake-ups'
    lib.done()


main()
