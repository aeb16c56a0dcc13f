"""What a compiler other than the build's says of every C file, compiled as the build does it.

    compile.py clang BUILD       clang accepts every file, its warnings being errors
    compile.py tidy BUILD        clang-tidy finds nothing, by the rules of .clang-tidy

BUILD is a build folder with a compile_commands.json. One case a folder.
"""
import concurrent.futures
import itertools
import json
import os
import posixpath
import shlex
import shutil
import subprocess
import sys
import tempfile

import house
import tap

# Of gcc's flags clang knows most; those it does not know are no finding.
QUIET = ['-Wno-unknown-warning-option', '-Wno-unused-command-line-argument']
WITH_VALUE = {'-o', '-MF', '-MQ', '-MT'}
DROPPED = {'-c', '-MD', '-MMD'}
# The analyzer follows so many steps of a function and no more: a sixth of the time, nearly all of
# the findings. The long form follows them all.
SHALLOW = ['-Xclang', '-analyzer-config', '-Xclang', 'max-nodes=30000']
HINTS = os.path.join(house.HERE, 'analyzer.h')
TIDY_FOLDERS = ('src/', 'domains/', 'examples/')


def commands(build):
    """[(path from the top, working folder, arguments without the compiler and its outputs)]"""
    with open(os.path.join(build, 'compile_commands.json'), encoding='utf-8') as file:
        entries = json.load(file)
    ours, seen = set(house.project_files()), set()
    for entry in entries:
        path = os.path.relpath(os.path.join(entry['directory'], entry['file']), house.TOP)
        if path not in ours or path in seen:
            continue
        seen.add(path)
        # The compiler comes first, perhaps behind a cache of its results ("ccache gcc -I…").
        words = itertools.dropwhile(lambda word: not word.startswith('-'),
                                    shlex.split(entry['command']))
        arguments = []
        for word in words:
            if word in WITH_VALUE:
                next(words)
            elif word not in DROPPED:
                arguments.append(word)
        yield path, entry['directory'], arguments


def said(command, folder):
    result = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, check=False)
    if result.returncode == 0:
        return []
    lines = result.stdout.decode('utf-8', 'replace').split('\n')
    found = [line for line in lines if ' error: ' in line or ' warning: ' in line]
    return [os.path.normpath(line.replace(house.TOP + '/', '')) for line in found] or lines[-20:]


def clang(entry):
    path, folder, arguments = entry
    compiler = 'clang++' if path.endswith('.cc') else 'clang'
    return said([compiler, '-fsyntax-only', *arguments, '-Werror', *QUIET], folder)


def tidy(entry):
    path, _, arguments = entry
    config = '--config-file=' + os.path.join(house.TOP, '.clang-tidy')
    depth = [] if os.environ.get('SLUICE_LONG') else SHALLOW
    hints = [] if path.endswith('/error.c') else ['-I', 'src', '-I', 'include', '-include', HINTS]
    return said(['clang-tidy', '--quiet', config, path, '--', *absolute(entry, arguments),
                 *QUIET, *depth, *hints], house.TOP)


def absolute(entry, arguments):
    """Include folders are relative to the build's; clang-tidy runs at the project's top."""
    _, folder, _ = entry
    for word in arguments:
        if word.startswith('-I') and not word.startswith('-I/'):
            yield '-I' + os.path.normpath(os.path.join(folder, word[2:]))
        elif not word.endswith(('.c', '.cc')):
            yield word


SAMPLES = [
    ('clean', 'int twice(int);\nint twice(int a)\n{\n    return 2 * a;\n}\n', None),
    ('clang', 'int f(unsigned);\nint f(unsigned a)\n{\n    return a;\n}\n', 'sign'),
    ('tidy', 'int f(int *);\nint f(int *a)\n{\n    if (!a)\n        return *a;\n    return 0;\n}\n',
     'null'),
]


def prove(what, judge):
    """A clean file passes, one with a mistake of the tool's kind does not."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text, finding in SAMPLES:
            path = os.path.join(folder, f'{name}.c')
            with open(path, 'w', encoding='utf-8') as file:
                file.write(text)
            if name in ('clean', what):
                with tap.case(f'sample: {name}'):
                    lines = judge((path, folder, ['-Wall', '-Wsign-conversion', path]))
                    assert (not lines) == (finding is None), lines
                    assert not finding or finding in '\n'.join(lines), lines


def main():
    what, build = sys.argv[1:]
    judge, tool = {'clang': (clang, 'clang'), 'tidy': (tidy, 'clang-tidy')}[what]
    if not shutil.which(tool):
        tap.skip_all(f'{tool} is not installed')
    entries = [entry for entry in commands(build)
               if what != 'tidy' or (entry[0].startswith(TIDY_FOLDERS)
                                     and not entry[0].endswith(('_test.c', '.cc')))]
    prove(what, judge)
    with tap.case('the build says how it compiles'):
        assert entries, f'nothing of the project in {build}/compile_commands.json'
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        findings = list(pool.map(judge, entries))
    folders = {}
    for entry, lines in zip(entries, findings):
        folders.setdefault(posixpath.dirname(entry[0]), []).extend(lines)
    for folder, lines in sorted(folders.items()):
        house.judge(f'{folder}: {tool} finds nothing', lines)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
