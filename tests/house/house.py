"""What the rules of the house share: the project's files, and how a rule is reported and proved.

A rule is a function from files to complaints, "path:line: what". Each program of this folder gives
its rule samples that break it, with the complaint expected of each, before it lets the rule judge
the project: a rule that can not fail says nothing.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, 'tests', 'tap'))

import tap  # noqa: E402


def project_files():
    """Paths of all files of the project, from its top: what git keeps or would keep."""
    try:
        listed = subprocess.check_output(
            ['git', '-C', TOP, '-c', f'safe.directory={TOP}', 'ls-files', '-z', '--cached',
             '--others', '--exclude-standard'], stderr=subprocess.PIPE)
        paths = listed.decode('utf-8').split('\0')
    except (OSError, subprocess.CalledProcessError):
        paths = list(walked_files())
    return sorted(path for path in set(paths) if path and os.path.isfile(os.path.join(TOP, path)))


def walked_files():
    """The same for a copy without git: everything but what builds and runs leave behind."""
    for folder, folders, files in os.walk(TOP):
        folders[:] = [name for name in folders
                      if name not in ('.git', 'node_modules', '__pycache__', 'data')
                      and not (folder == TOP and name.startswith('build'))]
        for name in files:
            yield os.path.relpath(os.path.join(folder, name), TOP)


def read(path):
    with open(os.path.join(TOP, path), encoding='utf-8', errors='replace') as file:
        return file.read()


def sources(*endings):
    """[(path, text)] of the project's files with such names."""
    return [(path, read(path)) for path in project_files() if path.endswith(endings)]


def prove(rule, samples):
    """One case a sample: (name, {path: text}, complaints expected, each by a part of it)."""
    for name, files, expected in samples:
        with tap.case(f'sample: {name}'):
            got = list(rule(sorted(files.items())))
            assert len(got) == len(expected) and all(
                part in complaint for part, complaint in zip(expected, got)), \
                f'expected {expected}, got {got}'


def judge(name, complaints):
    """One case: the project has nothing that the rule complains about."""
    with tap.case(name):
        complaints = list(complaints)
        for complaint in complaints:
            tap.note(complaint)
        assert not complaints, f'{len(complaints)} complaints'
