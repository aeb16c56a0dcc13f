"""Starts a server and has pages.mjs drive its pages in Chromium, headless.

playwright-core and axe-core come by `npm ci --ignore-scripts` into SLUICE_BROWSER_WORK (or a folder
that goes away), never into the source tree. SLUICE_SHOTS names a folder for pictures of the pages.
"""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'integration'))

import lib  # noqa: E402

INSTALL_TIMEOUT_S = 120
BROWSER_TIMEOUT_S = 150


def find_browser():
    for name in ('chromium', 'chromium-browser', 'google-chrome'):
        path = shutil.which(name)
        if path:
            return path
    lib.skip_all('there is no chromium on this machine')


def install():
    """node_modules as the lock file says, kept while that stays the same; the folder's path."""
    npm = shutil.which('npm')
    if not npm or not shutil.which('node'):
        lib.skip_all('there is no npm on this machine')
    work = os.environ.get('SLUICE_BROWSER_WORK') or lib.temp_folder()
    os.makedirs(work, exist_ok=True)
    with open(os.path.join(HERE, 'package-lock.json'), 'rb') as file:
        lock = file.read()
    stamp = os.path.join(work, 'installed')
    if os.path.exists(stamp):
        with open(stamp, 'rb') as file:
            if file.read() == lock:
                return work
    for name in ('package.json', 'package-lock.json', '.npmrc'):
        shutil.copyfile(os.path.join(HERE, name), os.path.join(work, name))
    result = subprocess.run([npm, 'ci', '--ignore-scripts', '--no-audit', '--no-fund'], cwd=work,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, timeout=INSTALL_TIMEOUT_S, check=False)
    if result.returncode != 0:
        lib.note(result.stdout.decode('utf-8', 'replace'))
        lib.skip_all('npm could not fetch playwright-core and axe-core')
    with open(stamp, 'wb') as file:
        file.write(lock)
    return work


def main():
    browser, work = find_browser(), install()
    with lib.Server() as server:
        if server.http.get('/ui/').status == 404:
            lib.skip_all('this program was built without pages')
        child = subprocess.run(
            ['node', os.path.join(HERE, 'pages.mjs'), f'http://127.0.0.1:{server.port}',
             browser, os.path.join(work, 'node_modules', 'playwright-core', 'index.mjs'),
             os.path.join(work, 'node_modules', 'axe-core', 'axe.min.js'),
             os.path.join(server.data, 'sluice.sock')],
            stdin=subprocess.DEVNULL, timeout=BROWSER_TIMEOUT_S, check=False)
    sys.exit(child.returncode)


main()
