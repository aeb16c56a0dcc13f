"""The guide of the tour, judged on two samples: one that is right, one that is wrong everywhere."""
import os
import sys

import house
import tap
import tour

SAMPLES = os.path.join(house.HERE, 'samples')
SERVER = os.path.join(SAMPLES, 'server.py')

MATCHES = [
    # expected, got, do they match
    ([], [], True),
    ([], ['x'], False),
    (['x'], [], False),
    (['a … c'], ['a b c'], True),
    (['a … c'], ['a b d'], False),
    (['a.c'], ['abc'], False),
    (['…'], [], True),
    (['…', 'b'], ['a', 'a', 'b'], True),
    (['…', 'b'], ['a', 'b', 'a'], False),
    (['a', '…', 'b', '…'], ['a', 'b', 'b', 'c'], True),
    (['a', '…', 'c', 'd'], ['a', 'c', 'b', 'd'], False),
]


def steps(name):
    with open(os.path.join(SAMPLES, name), encoding='utf-8') as file:
        return tour.steps_of(file.read())


for expected, got, is_match in MATCHES:
    with tap.case(f'{expected} and {got}: {"a match" if is_match else "no match"}'):
        assert tour.matches(expected, got) == is_match

with tap.case('a sample that is right passes'):
    guide = tour.Tour(SERVER, house.TOP)
    try:
        right = steps('tour.md')
        assert len(right) == 12, [step.command for step in right]
        for step in right:
            guide.take(step)
    finally:
        guide.close()

guide = tour.Tour(SERVER, house.TOP)
tour.COMMAND_TIMEOUT_S = 2
for step in steps('wrong.md'):
    with tap.case(f'found wrong: {step.name()}'):
        try:
            guide.take(step)
        except AssertionError:
            continue
        raise AssertionError('it passed')
guide.close()

with tap.case('Ctrl-C ends the server'):
    guide = tour.Tour(SERVER, house.TOP)
    try:
        text = '```console\n$ ./run --yes\nsluice: …\n…\n^C\n…\nstopped\n```\n'
        guide.take(tour.steps_of(text)[0])
        assert not guide.server.is_running()
    finally:
        guide.close()

sys.exit(tap.done())
