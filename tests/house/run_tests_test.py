"""The counting of ./test: whatever can happen to a test program, it is counted."""
import os
import sys

import house
import tap

sys.path.insert(0, os.path.join(house.TOP, 'tests'))
import run_tests  # noqa: E402

TAP_RUNS = [
    # what the program printed, how Meson says it ended, its code, (passed, failed, skipped)
    ('all pass', '1..2\nok 1 - a\nok 2 - b\n', 'OK', 0, (2, 0, 0)),
    ('one fails', '1..2\nok 1 - a\n# why\nnot ok 2 - b\n', 'FAIL', 1, (1, 1, 0)),
    ('one is skipped', '1..2\nok 1 - a\nok 2 - b # SKIP no disk\n', 'OK', 0, (1, 0, 1)),
    ('all is skipped', '1..0 # SKIP no server\n', 'SKIP', 0, (0, 0, 1)),
    ('the plan comes last', 'ok 1 - a\n1..1\n', 'OK', 0, (1, 0, 0)),
    ('a crash', '1..3\nok 1 - a\n', 'ERROR', -11, (1, 1, 0)),
    ('a crash at once', '', 'ERROR', -6, (0, 1, 0)),
    ('a crash after a failure', '1..3\nnot ok 1 - a\n', 'FAIL', -11, (0, 2, 0)),
    ('a leak found at exit', '1..1\nok 1 - a\n', 'ERROR', 23, (1, 1, 0)),
    ('out of time', '1..2\nok 1 - a\n', 'TIMEOUT', -15, (1, 1, 0)),
    ('it bails out', '1..2\nok 1 - a\nBail out! no disk\n', 'FAIL', 0, (1, 2, 0)),
    ('no plan', 'ok 1 - a\n', 'OK', 0, (1, 1, 0)),
    ('a name with a dash and a number', '1..1\nok 1 - 2 - 1 = 1\n', 'OK', 0, (1, 0, 0)),
    ('talk is not counted', '1..1\nokay then\nok 1 - a\n', 'OK', 0, (1, 0, 0)),
]
PROGRAM_RUNS = [
    ('good', 'OK', 0, (1, 0, 0)),
    ('bad', 'FAIL', 1, (0, 1, 0)),
    ('skipped', 'SKIP', 77, (0, 0, 1)),
    ('killed', 'FAIL', -9, (0, 1, 0)),
    ('out of time', 'TIMEOUT', -15, (0, 1, 0)),
]


def counted(count):
    return count.passed, len(count.failed), len(count.skipped)


for name, stdout, result, code, wanted in TAP_RUNS:
    with tap.case(f'TAP: {name}'):
        count = run_tests.Count()
        run_tests.count_tap('t', {'stdout': stdout, 'result': result, 'returncode': code}, count)
        assert counted(count) == wanted, (counted(count), count.failed, count.skipped)
for name, result, code, wanted in PROGRAM_RUNS:
    with tap.case(f'a program: {name}'):
        count = run_tests.Count()
        run_tests.count_program('t', {'result': result, 'returncode': code}, count)
        assert counted(count) == wanted, (counted(count), count.failed, count.skipped)
with tap.case('the reason of a skip is kept'):
    count = run_tests.Count()
    run_tests.count_tap('t', {'stdout': '1..0 # SKIP no server\n', 'result': 'SKIP'}, count)
    assert count.skipped == ['t: no server'], count.skipped
with tap.case('what a failed case said last is shown with it, a seed above all'):
    count = run_tests.Count()
    run_tests.count_tap('t', {'stdout': '1..2\n# seed 1\nok 1 - a\n# seed 2\nnot ok 2 - b\n',
                              'result': 'FAIL', 'returncode': 1}, count)
    assert count.failed == ['t: b\n    # seed 2'], count.failed
with tap.case('what a program said before it crashed is shown, too'):
    count = run_tests.Count()
    run_tests.count_tap('t', {'stdout': '1..2\nok 1 - a\n# seed 2\n', 'stderr': 'stack\n',
                              'result': 'ERROR', 'returncode': -6}, count)
    assert count.failed[0].splitlines()[1:] == ['    # seed 2', '    stack'], count.failed
sys.exit(tap.done())
