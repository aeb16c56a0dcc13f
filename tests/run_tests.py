"""Builds the project in its test forms, runs the tests with Meson and counts their cases.

Called by ./test, which has seen to the packages. A build that fails, a program that crashes or runs
out of time, and a test that Meson never reported each count as one failure: nothing is lost by
not being there to be counted.
"""
import argparse
import fcntl
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TAP_LINE = re.compile(r'^(not )?ok\b *(\d*)(?: *-)? *([^#]*?)(?: *# *(\w+)\b *(.*))?$')
TAP_PLAN = re.compile(r'^1\.\.(\d+)(?: *# *skip\w*\b *(.*))?$', re.IGNORECASE)

# These drive the server from outside or read the source: a sanitizer would add nothing but time.
OUTSIDE = {'integration', 'house', 'browser'}
BUILDS = [
    # folder, what it is, options, does it run the suites from outside, patience
    ('build-test', 'gcc, warnings are errors', ['-Dweb=enabled'], True, 4),
    ('build-asan', 'address and undefined sanitizers',
     ['-Db_sanitize=address,undefined', '-Dweb=disabled'], False, 4),
    ('build-tsan', 'thread sanitizer', ['-Db_sanitize=thread', '-Dweb=disabled'], False, 8),
]
SANITIZER_SETTINGS = {
    'ASAN_OPTIONS': 'detect_stack_use_after_return=1:strict_string_checks=1',
    'UBSAN_OPTIONS': 'print_stacktrace=1:halt_on_error=1',
    'TSAN_OPTIONS': 'halt_on_error=1:second_deadlock_stack=1',
}


NOTES_MAX = 30  # lines that a failed case said last are shown again at the end


class Count:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def fail(self, what, notes=()):
        """`notes`: what was said before, a seed above all: it stands at the end, too, where it is
        found although only the end of a run was kept."""
        self.failed.append('\n'.join([what, *(f'    {note[:400]}' for note in notes[-NOTES_MAX:])]))


def count_tap(name, result, count):
    """Counts the cases of one program that speaks TAP."""
    planned, seen, failed_before, notes = None, 0, len(count.failed), []
    for line in result.get('stdout', '').splitlines():
        plan = TAP_PLAN.match(line)
        if plan:
            planned = int(plan.group(1))
            if planned == 0:
                count.skipped.append(f'{name}: {plan.group(2) or "no reason given"}')
            continue
        if line.startswith('Bail out!'):
            count.fail(f'{name}: {line}', notes)
            continue
        case = TAP_LINE.match(line)
        if not case:
            notes.append(line)
            continue
        seen += 1
        is_bad, _, title, directive, reason = case.groups()
        if is_bad:
            count.fail(f'{name}: {title}', notes)
        elif (directive or '').upper() == 'SKIP':
            count.skipped.append(f'{name}: {title}: {reason or "no reason given"}')
        else:
            count.passed += 1
        notes = []
    if planned is None or seen < planned or (
            result['result'] not in ('OK', 'SKIP') and len(count.failed) == failed_before):
        count.fail(f'{name}: {how_it_ended(result)} after {seen} of {planned or "?"} cases',
                   notes + result.get('stderr', '').splitlines())


def count_program(name, result, count):
    """Counts one program that only says yes or no, by its exit code."""
    if result['result'] == 'OK':
        count.passed += 1
    elif result['result'] == 'SKIP':
        count.skipped.append(f'{name}: it says nothing about why')
    else:
        count.fail(f'{name}: {how_it_ended(result)}')


def how_it_ended(result):
    code = result.get('returncode', 0)
    if result['result'] == 'TIMEOUT':
        return f'ran out of time ({result.get("duration", 0):.0f} s)'
    if code < 0 or code > 128:
        return f'killed by signal {-code if code < 0 else code - 128}'
    return f'ended with {result["result"]}, code {code}'


def quietly(command, folder):
    """Runs a command with its output in a file of the build; shows of it only what failed."""
    log_path = os.path.join(TOP, folder, 'test-build.log')
    with open(log_path, 'wb') as log:
        code = subprocess.call(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    if code:
        with open(log_path, encoding='utf-8', errors='replace') as log:
            lines = log.read().splitlines()
        print('\n'.join([*interesting(lines), f'… all of it: {folder}/test-build.log']), flush=True)
    return code


def interesting(lines):
    """Compiler errors first of all, then the end of the output."""
    errors = [line for line in lines
              if re.search(r'error:|FAILED:|ERROR|undefined reference|multiple definition', line)]
    return errors[:60] or lines[-20:]


def set_up(folder, options):
    stamp = os.path.join(TOP, folder, 'test-options')
    wanted = ' '.join(options)
    if os.path.exists(os.path.join(TOP, folder, 'build.ninja')) and os.path.exists(stamp):
        with open(stamp, encoding='utf-8') as file:
            if file.read() == wanted:
                return 0
    shutil.rmtree(os.path.join(TOP, folder), ignore_errors=True)
    os.makedirs(os.path.join(TOP, folder))
    code = quietly(['meson', 'setup', folder, '-Dbuildtype=debugoptimized', '-Dwerror=true',
                    *options], folder)
    if code == 0:
        with open(stamp, 'w', encoding='utf-8') as file:
            file.write(wanted)
    return code


def introspect(folder, what):
    command = ['meson', 'introspect', f'--{what}', folder]
    return json.loads(subprocess.check_output(command, cwd=TOP))


def tests_of(folder, is_outside, names):
    """The tests that run in a build: [(name, suites, targets they depend on)]."""
    chosen = []
    for test in introspect(folder, 'tests'):
        suites = {suite.split(':')[-1] for suite in test['suite']}
        if not is_outside and suites & OUTSIDE:
            continue
        words = [test['name'], *suites]
        if not names or any(fnmatch.fnmatch(word, name) for word in words for name in names):
            chosen.append((test['name'], suites, test['depends']))
    return chosen


def build(folder, tests, is_whole):
    """Everything, or only what the chosen tests need."""
    command = ['ninja', '-C', folder, '-k', '0']
    if not is_whole:
        wanted = {target for _, _, depends in tests for target in depends}
        if not wanted:
            return 0
        command += [os.path.relpath(target['filename'][0], os.path.join(TOP, folder))
                    for target in introspect(folder, 'targets') if target['id'] in wanted]
    return quietly(command, folder)


def run_build(spec, names, is_long, count):
    folder, what, options, is_outside, patience = spec
    label = folder.split('-')[1]
    started = time.monotonic()
    print(f'── {label}: {what}: building …', flush=True)
    if set_up(folder, options):
        count.fail(f'{label}: meson setup')
        return
    # A change of a meson.build is seen by ninja, so ask it before asking for the tests.
    if quietly(['ninja', '-C', folder, 'build.ninja'], folder):
        count.fail(f'{label}: meson setup')
        return
    tests = tests_of(folder, is_outside, names)
    if not tests:
        return
    if build(folder, tests, is_outside and not names):
        count.fail(f'{label}: the build')
        return
    built = time.monotonic()
    print(f'── {label}: built in {built - started:.0f} s; {len(tests)} programs:', flush=True)
    run_meson(folder, label, tests, patience * (30 if is_long else 1), count)
    print(f'── {label}: ran in {time.monotonic() - built:.0f} s', flush=True)


def run_meson(folder, label, tests, patience, count):
    log = os.path.join(TOP, folder, 'meson-logs', 'testlog.json')
    if os.path.exists(log):
        os.remove(log)
    names = [name for name, _, _ in tests]
    subprocess.call(['meson', 'test', '-C', folder, '--no-rebuild', '--print-errorlogs',
                     '-t', str(patience), *names],
                    cwd=TOP, stdin=subprocess.DEVNULL, env={**SANITIZER_SETTINGS, **os.environ})
    results = {}
    if os.path.exists(log):
        with open(log, encoding='utf-8') as file:
            results = {result['name'].split(' / ')[-1]: result for result in map(json.loads, file)}
    protocols = {test['name']: test['protocol'] for test in introspect(folder, 'tests')}
    for name in names:
        if name not in results:
            count.fail(f'{label}: {name}: was never run')
        elif protocols[name] == 'tap':
            count_tap(f'{label}: {name}', results[name], count)
        else:
            count_program(f'{label}: {name}', results[name], count)


def take_turn():
    """Two runs at a time would build into each other's folders: the second one waits. The lock
    lives as long as the file that is returned."""
    lock = open(os.path.join(TOP, 'test'), 'rb')
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print('── another ./test is running here; waiting for its end …', flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def list_tests():
    folder, _, options, is_outside, _ = BUILDS[0]
    if set_up(folder, options):
        return 1
    tests = tests_of(folder, is_outside, [])
    for suites, name in sorted((', '.join(sorted(suites)), name) for name, suites, _ in tests):
        print(f'{suites:14} {name}')
    return 0


def report(count, started):
    for title, entries in (('skipped', count.skipped), ('failed', count.failed)):
        for entry in entries:
            print(f'{title}: {entry}')
    print(f'── {time.monotonic() - started:.0f} s in all')
    print(f'{count.passed} passed, {len(count.failed)} failed, {len(count.skipped)} skipped')
    return 1 if count.failed else 0


def main():
    parser = argparse.ArgumentParser(prog='./test')
    parser.add_argument('names', nargs='*')
    for option in ('list', 'long', 'sanitizers', 'no-sanitizers'):
        parser.add_argument(f'--{option}', action='store_true')
    options = parser.parse_args()
    if options.list:
        return list_tests()
    if options.long:
        os.environ['SLUICE_LONG'] = '1'

    turn = take_turn()
    started, count = time.monotonic(), Count()
    is_sanitized = not options.no_sanitizers and (options.sanitizers or not options.names)
    for spec in BUILDS if is_sanitized else BUILDS[:1]:
        run_build(spec, options.names, options.long, count)
    turn.close()
    if not count.passed and not count.failed and not count.skipped:
        print(f'no test is named {" or ".join(options.names)} (./test --list says what there is)')
        return 2
    return report(count, started)


if __name__ == '__main__':
    sys.exit(main())
