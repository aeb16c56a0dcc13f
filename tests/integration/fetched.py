"""Packages of other people that tests need, from PyPI, npm and Go's modules: pinned, fetched once a
build folder, and again when what clients/ pins has changed. FETCHED names the folder that keeps
them. What cannot be fetched skips the case."""
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys

import lib

CLIENTS = os.path.join(lib.HERE, 'clients')
TIMEOUT_S = 300


@contextlib.contextmanager
def _folder(name):
    """A folder that is kept, for one test at a time."""
    path = os.path.join(os.environ.get('FETCHED') or lib.temp_folder(), name)
    os.makedirs(path, exist_ok=True)
    with open(path + '.lock', 'w', encoding='utf-8') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path


def _is_new(folder, pinned):
    """Does the folder still lack what the file pins? Its stamp is written when all is there."""
    with open(pinned, 'rb') as file:
        wanted = file.read()
    stamp = os.path.join(folder, 'installed')
    if os.path.exists(stamp):
        with open(stamp, 'rb') as file:
            if file.read() == wanted:
                return None
    return lambda: _write(stamp, wanted)


def _write(path, content):
    with open(path, 'wb') as file:
        file.write(content)


def _run(command, cwd, what):
    result = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, timeout=TIMEOUT_S, check=False)
    if result.returncode != 0:
        lib.note(result.stdout.decode('utf-8', 'replace'))
        raise lib.Skip(f'{what} could not be fetched')


def python():
    """A Python that has what clients/requirements.txt pins."""
    pinned = os.path.join(CLIENTS, 'requirements.txt')
    with _folder('python') as folder:
        program = os.path.join(folder, 'bin', 'python3')
        finish = _is_new(folder, pinned)
        if finish:
            shutil.rmtree(folder)
            _run([sys.executable, '-m', 'venv', folder], None, 'a Python of its own (python3-venv)')
            _run([program, '-m', 'pip', 'install', '--no-input', '--quiet', '--no-deps',
                  '--disable-pip-version-check', '--only-binary', ':all:', '-r', pinned], folder,
                 'redis-py and schemathesis')
            finish()
    return program


def node():
    """A folder whose node_modules has what clients/package-lock.json pins."""
    npm = shutil.which('npm')
    if not npm or not shutil.which('node'):
        raise lib.Skip('there is no npm on this machine')
    with _folder('node') as folder:
        finish = _is_new(folder, os.path.join(CLIENTS, 'package-lock.json'))
        if finish:
            for name in ('package.json', 'package-lock.json', '.npmrc'):
                shutil.copyfile(os.path.join(CLIENTS, name), os.path.join(folder, name))
            _run([npm, 'ci', '--ignore-scripts', '--no-audit', '--no-fund'], folder,
                 'node-redis, esbuild and undici')
            finish()
    return folder


def h2spec():
    """The path of h2spec, as clients/h2spec/go.sum pins it, built here."""
    go = shutil.which('go')
    if not go:
        raise lib.Skip('there is no go on this machine')
    pinned = os.path.join(CLIENTS, 'h2spec')
    with _folder('h2spec') as folder:
        program = os.path.join(folder, 'h2spec')
        finish = _is_new(folder, os.path.join(pinned, 'go.sum'))
        if finish:
            for name in ('go.mod', 'go.sum'):
                shutil.copyfile(os.path.join(pinned, name), os.path.join(folder, name))
            _run([go, 'build', '-mod=readonly', '-o', program,
                  'github.com/summerwind/h2spec/cmd/h2spec'], folder, 'h2spec')
            finish()
    return program
