#!/usr/bin/env python3
"""Makes assets.c: the pages and the libraries they use, as one table of bytes.

    embed.py --source TOP --work FOLDER --out assets.c [--npm PROGRAM]

The libraries come by `npm ci --ignore-scripts`, which checks every package against the lock file,
into FOLDER, which is no part of the source tree. It runs only when the lock file has changed.
Browsers know no node_modules, so bare imports become addresses here.
"""
import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys

# What a module is called in an import: its file in node_modules and its path below /ui/.
MODULES = {
    'preact': ('preact/dist/preact.mjs', 'lib/preact.js'),
    'preact/hooks': ('preact/hooks/dist/hooks.mjs', 'lib/hooks.js'),
    'htm': ('htm/dist/htm.mjs', 'lib/htm.js'),
    'uplot': ('uplot/dist/uPlot.iife.min.js', 'lib/uplot.js'),
}
STYLES = {'lib/uplot.css': 'uplot/dist/uPlot.min.css'}

# Folders of pages: where they are, and below which path they are served.
FOLDERS = [('web/pages', ''), ('domains/bank/pages', 'bank/')]

# Data that a page offers to load: the file, its path, and how many lines of it.
SAMPLES = [('domains/bank/data/paysim_accounts.csv', 'bank/sample/accounts.csv', None),
           ('domains/bank/data/paysim_sample_5000.csv', 'bank/sample/rows.csv', 1001)]

TYPES = {'.html': 'text/html; charset=utf-8', '.css': 'text/css; charset=utf-8',
         '.js': 'text/javascript; charset=utf-8', '.csv': 'text/csv; charset=utf-8',
         '.svg': 'image/svg+xml'}

IMPORT = re.compile(r'''\b(from|import)(\s*)(["'])([a-z][a-z0-9/-]*)\3''')
SOURCE_MAP = re.compile(r'\n?//# sourceMappingURL=\S*\s*$')


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def install(source, work, npm):
    """node_modules as the lock file says; returns its path."""
    lock = read(os.path.join(source, 'package-lock.json'))
    stamp = os.path.join(work, 'installed')
    if not os.path.exists(stamp) or read(stamp) != lock:
        os.makedirs(work, exist_ok=True)
        for name in ('package.json', 'package-lock.json', '.npmrc'):
            shutil.copyfile(os.path.join(source, name), os.path.join(work, name))
        result = subprocess.run([npm, 'ci', '--ignore-scripts', '--no-audit', '--no-fund'],
                                cwd=work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, check=False)
        if result.returncode != 0:
            sys.exit('npm ci did not succeed; -Dweb=disabled builds without pages\n' +
                     result.stdout.decode('utf-8', 'replace'))
        with open(stamp, 'wb') as file:
            file.write(lock)
    return os.path.join(work, 'node_modules')


def with_addresses(text, path):
    """JavaScript whose bare imports are addresses."""
    def address(match):
        word, space, quote, name = match.groups()
        if name not in MODULES:
            sys.exit(f'{path} imports {name}, which is not embedded')
        return f'{word}{space}{quote}/ui/{MODULES[name][1]}{quote}'
    return SOURCE_MAP.sub('\n', IMPORT.sub(address, text))


def library(modules, name, path):
    text = read(os.path.join(modules, path)).decode('utf-8')
    if path.endswith('.iife.min.js'):
        # The only small build of uPlot defines a variable; a module exports it.
        return text + '\nexport default uPlot;\n'
    return with_addresses(text, name)


def assets(top, modules):
    """Pairs (path below /ui/, bytes), sorted."""
    found = {}
    for name, (path, served) in MODULES.items():
        found[served] = library(modules, name, path).encode('utf-8')
    for served, path in STYLES.items():
        found[served] = read(os.path.join(modules, path))
    for folder, prefix in FOLDERS:
        for name in os.listdir(os.path.join(top, folder)):
            if os.path.splitext(name)[1] not in TYPES:
                continue
            data = read(os.path.join(top, folder, name))
            if name.endswith('.js'):
                data = with_addresses(data.decode('utf-8'), name).encode('utf-8')
            found[prefix + name] = data
    for path, served, lines in SAMPLES:
        found[served] = b''.join(read(os.path.join(top, path)).splitlines(keepends=True)[:lines])
    return sorted(found.items())


def write_c(found, out):
    lines = ['/* Made by web/embed.py. */', '#include "web/assets.h"', '']
    for i, (_, data) in enumerate(found):
        lines.append(f'static const uint8_t bytes_{i}[] = {{')
        lines += [','.join(map(str, data[at:at + 24])) + ',' for at in range(0, len(data), 24)]
        lines += ['};', '']
    lines.append('const struct sl_asset sl_assets[] = {')
    for i, (path, data) in enumerate(found):
        etag = hashlib.sha256(data).hexdigest()[:16]
        kind = TYPES[os.path.splitext(path)[1]]
        lines.append(f'    {{"{path}", "{kind}", "\\"{etag}\\"", bytes_{i}, {len(data)}}},')
    lines += ['};', 'const size_t sl_asset_count = sizeof sl_assets / sizeof sl_assets[0];', '']
    with open(out, 'w', encoding='ascii') as file:
        file.write('\n'.join(lines))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--source', required=True)
    parser.add_argument('--work', required=True)
    parser.add_argument('--out', required=True)
    parser.add_argument('--npm', default='npm')
    arguments = parser.parse_args()
    modules = install(os.path.join(arguments.source, 'web'), arguments.work, arguments.npm)
    write_c(assets(arguments.source, modules), arguments.out)


if __name__ == '__main__':
    main()
