"""The servers of a measurement: direct children on loopback, on free ports, in one folder."""
import glob
import os
import pwd
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(TOP, 'tests', 'integration'))

import lib  # noqa: E402

# Enough that no transfer is ever refused for lack of money.
LIMIT = 10**15


class Missing(Exception):
    """A program that a measurement needs is not there."""


def find(name, package):
    path = shutil.which(name)
    if not path:
        raise Missing(f'{name} is not there; Debian has it in the package {package}')
    return path


class Sluice:
    """`sluice serve` as it comes, without a configuration."""

    name = 'Sluice'
    arguments = ()

    def __init__(self, program, folder):
        self.program = program
        self.folder = folder
        self.data = os.path.join(folder, 'sluice')
        self.port, self.resp_port = lib.free_port(), lib.free_port()
        self.child = None
        self.start()

    def start(self):
        """Returns the seconds from exec to the first /readyz that says yes."""
        begun = time.monotonic()
        self.child = lib.Child([self.program, 'serve', '--port', str(self.port), '--resp-port',
                                str(self.resp_port), '--data', self.data, *self.arguments],
                               cwd=self.folder)
        while True:
            try:
                http = lib.Http(self.port)
                if http.get('/readyz').status == 200:
                    return time.monotonic() - begun
            except OSError:
                pass
            if not self.child.is_running():
                raise RuntimeError('sluice ended:\n' + self.child.output())
            time.sleep(0.001)

    @property
    def pid(self):
        return self.child.pid

    def stop(self):
        self.child.signal(15)
        self.child.wait()

    def kill(self):
        self.child.kill()

    def many(self, command, bodies, run):
        """Commands by arrays of 1,000; every one must be accepted."""
        http = lib.Http(self.port)
        for at in range(0, len(bodies), 1000):
            reply = http.post(f'/bank/{command}', bodies[at:at + 1000],
                              {'Idempotency-Key': f'{run}-{command}-{at}'})
            if reply.status != 200 or any(item['status'] != 201 for item in reply.json):
                raise RuntimeError(f'{command}: {reply!r}')
        http.close()

    def open_accounts(self, count):
        self.many('OpenAccount', [{'id': f'{number:012}', 'currency': 'EUR', 'limit': LIMIT}
                                  for number in range(count)], 'setup')

    def head(self):
        """How many events the bank's log has."""
        reply = lib.Http(self.port).get('/bank/balance/000000000000')
        return int(reply.position.rpartition(':')[2])


class SmallSluice(Sluice):
    """The same with a configuration that bounds its memory."""

    config = """[server]
aggregate_memory_bytes = 16777216
id_memory_bytes = 25165824

[domain bank]
index_memory = 25165824

[views]
cache_kib = 1024
memory_bytes = 16777216
"""

    def __init__(self, program, folder):
        path = os.path.join(folder, 'sluice.conf')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(self.config)
        self.arguments = ('--config', path)
        super().__init__(program, folder)


class Redis:
    """redis-server; lookups need no durability, so it has none."""

    name = 'Redis'

    def __init__(self, folder):
        self.port = lib.free_port()
        self.child = lib.Child([find('redis-server', 'redis-server'), '--port', str(self.port),
                                '--bind', '127.0.0.1', '--dir', folder, '--save', '',
                                '--appendonly', 'no', '--daemonize', 'no'], cwd=folder)
        self.child.wait_for_line(r'Ready to accept connections')

    @property
    def pid(self):
        return self.child.pid


class Bare:
    """A server that does nothing but write durably and answer (bare_server.c)."""

    name = 'bare server'

    def __init__(self, program, folder):
        self.child = lib.Child([program, folder], cwd=folder)
        self.port = int(self.child.wait_for_line(r'^(\d+)$').group(1))

    @property
    def pid(self):
        return self.child.pid

    def stop(self):
        self.child.kill()


class Postgres:
    """PostgreSQL with fsync and synchronous_commit on, as it comes, and memory enough for all."""

    name = 'PostgreSQL'
    settings = {'listen_addresses': '127.0.0.1', 'unix_socket_directories': '', 'fsync': 'on',
                'synchronous_commit': 'on', 'shared_buffers': '512MB', 'max_wal_size': '4GB'}

    def __init__(self, folder):
        self.programs = self._programs()
        self.port = lib.free_port()
        self.data = os.path.join(folder, 'postgres')
        os.mkdir(self.data, 0o700)
        self.as_user = []
        if os.getuid() == 0:
            user = pwd.getpwnam('postgres')
            os.chown(self.data, user.pw_uid, user.pw_gid)
            self.as_user = ['setpriv', f'--reuid={user.pw_uid}', f'--regid={user.pw_gid}',
                            '--clear-groups']
        self._run(*self.as_user, self._at('initdb'), '-D', self.data, '-U', 'postgres', '-A',
                  'trust', '--no-sync', '--locale=C')
        options = [f'--{name}={value}' for name, value in self.settings.items()]
        self.child = lib.Child([*self.as_user, self._at('postgres'), '-D', self.data, '-p',
                                str(self.port), *options], cwd=folder)
        self.child.wait_for_line(r'database system is ready')
        self.fill()

    @staticmethod
    def _programs():
        found = sorted(glob.glob('/usr/lib/postgresql/*/bin/postgres'))
        if not found:
            raise Missing('PostgreSQL is not there; Debian has it in the package postgresql')
        return os.path.dirname(found[-1])

    def _at(self, name):
        return os.path.join(self.programs, name)

    @staticmethod
    def _run(*command):
        result = subprocess.run(command, cwd='/', stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, check=False)
        text = result.stdout.decode('utf-8', 'replace')
        if result.returncode:
            raise RuntimeError(f'{" ".join(command)}:\n{text}')
        return text

    def client(self, name, *arguments):
        return self._run(self._at(name), '-h', '127.0.0.1', '-p', str(self.port), '-U', 'postgres',
                         *arguments)

    def fill(self):
        """pgbench's tables at scale 10, on the disk before anything is measured."""
        self.client('pgbench', '-i', '-q', '-s', '10', 'postgres')
        self.client('psql', '-c', 'CHECKPOINT', 'postgres')

    @property
    def pid(self):
        return self.child.pid

    def stop(self):
        self.child.signal(2)
        self.child.wait()
