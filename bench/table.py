"""Results as a table, on stdout and, if wanted, at the end of RESULTS.md."""
import glob
import os
import statistics
import sys
import time

import machine

RESULTS = os.path.join(machine.HERE, 'RESULTS.md')


class Row:
    """One line: our rounds and theirs. The ratio is ours to theirs; `is_more_better` says which way
    a goal points."""

    def __init__(self, what, unit, ours, theirs, peer, goal, is_more_better):
        self.what, self.unit, self.ours, self.theirs = what, unit, ours, theirs
        self.peer, self.goal, self.is_more_better = peer, goal, is_more_better

    def ratio(self):
        theirs = statistics.median(self.theirs) if self.theirs else 0
        return statistics.median(self.ours) / theirs if theirs else None

    def is_met(self):
        """None: there is no goal."""
        ratio = self.ratio()
        if self.goal is None or ratio is None:
            return None
        return ratio >= self.goal if self.is_more_better else ratio <= self.goal

    def cells(self):
        ratio, sign = self.ratio(), '≥' if self.is_more_better else '≤'
        goal = '' if self.goal is None else f'{sign} {self.goal:g}× ' + \
            ('met' if self.is_met() else '**missed**')
        return [self.what.replace('|', '/'), self._numbers(self.ours), self.peer,
                self._numbers(self.theirs) if self.theirs else '',
                '' if ratio is None else f'{ratio:.2f}×', goal]

    def _numbers(self, values):
        text = f'**{number(statistics.median(values))}** {self.unit}'.strip()
        return text if len(values) == 1 else \
            f'{text} ({", ".join(number(value) for value in values)})'


def number(value):
    if value >= 1000:
        return f'{value:,.0f}'
    return f'{value:.0f}' if value == int(value) else f'{value:.1f}' if value >= 10 else \
        f'{value:.2f}'


def versions(world):
    postgres = sorted(glob.glob('/usr/lib/postgresql/*/bin'))
    at = postgres[-1] if postgres else ''
    return [
        ('Sluice', f'{machine.said(world.program, "--version")}, commit {world.commit}'),
        ('PostgreSQL', machine.said(os.path.join(at, 'postgres'), '--version')),
        ('pgbench', machine.said(os.path.join(at, 'pgbench'), '--version')),
        ('Redis', machine.said('redis-server', '--version').split(' sha=')[0]),
        ('wrk', machine.said('wrk', '-v').split(' Copyright')[0]),
    ]


def render(world, options):
    stamp = time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())
    busy = world.others.median()
    lines = [f'## {options.suite}, {stamp}', '']
    if busy > 0.1:
        lines += [f'**Not a quiet machine**: others took {100 * busy:.0f} % of the processors. The '
                  'ratios, measured in turns, say more than the numbers.', '']
    if options.note:
        lines += [options.note, '']
    lines += [f'- {what}: {value}' for what, value in
              machine.describe(world.folder) + versions(world)]
    lines += [f'- settings: {options.rounds} rounds in turns of {options.seconds:g} s, medians '
              '(each round in brackets); all programs share the processors; data of both sides on '
              'one disk',
              f'- others: {world.others.describe()}']
    lines += [f'- {note}' for note in world.notes]
    lines += ['', '| what | Sluice | beside | theirs | ratio | goal |', '|---|---|---|---|---|---|']
    lines += ['| ' + ' | '.join(row.cells()) + ' |' for row in world.rows]
    return '\n'.join(lines) + '\n'


def publish(world, options):
    """Prints, and saves. The exit code is 1 if a goal was missed."""
    text = render(world, options)
    sys.stdout.write(text)
    if options.save:
        with open(RESULTS, 'a', encoding='utf-8') as file:
            file.write('\n' + text)
    return 1 if any(row.is_met() is False for row in world.rows) else 0
