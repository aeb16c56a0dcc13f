"""The ledger's rules in C beside the model: the same requests, byte by byte the same replies.

    compare.py LEDGER_STDIO [--count RECORDS] [--seed SEED]

First a seed that is known to reach every verdict, then a new one; SLUICE_LONG=1 makes that a
million records long.

LEDGER_STDIO is the program of that name (ledger_stdio.c says how it is spoken to). Prints the
seeds, and how often each verdict was reached; one that never was is a failure where there were
enough records to reach all of them. The first difference ends the run.
"""
import argparse
import collections
import os
import random
import struct
import subprocess
import sys

from ledger_model import ACCOUNT_CODES, TRANSFER_CODES, Account, Ledger, Transfer, decode
from workload import ACCOUNTS, Workload

ENOUGH = 500_000  # records, to reach every verdict
KNOWN_SEED, KNOWN_COUNT = 77, 60_000  # which reach them, too


class Rules:
    def __init__(self, program):
        self.child = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def request(self, operation, time, payload):
        self.child.stdin.write(struct.pack('<IIQ', operation, len(payload), time) + payload)
        self.child.stdin.flush()
        length, _ = struct.unpack('<II', self.child.stdout.read(8))
        return self.child.stdout.read(length)

    def close(self):
        self.child.stdin.close()
        return self.child.wait()


def difference(operation, payload, wanted, came):
    """What differs first, in words."""
    names = {code: name for name, code in
             (ACCOUNT_CODES if operation == ACCOUNTS else TRANSFER_CODES).items()}
    if operation < ACCOUNTS:
        return f'operation {operation} of {payload.hex()}: model {wanted.hex()}, rules {came.hex()}'
    kind = Account if operation == ACCOUNTS else Transfer
    lines = []
    for i, record in enumerate(decode(kind, payload)):
        pair = [struct.unpack_from('<QI', reply, 16 * i) for reply in (wanted, came)]
        told = [f'{names.get(code, code)} at {time}' for time, code in pair]
        lines.append(f'  {i} {record}\n    model: {told[0]}\n    rules: {told[1]}'
                     if pair[0] != pair[1] else f'  {i} {told[0]}, as in both')
    return '\n'.join(lines)


def run(rules, seed, count):
    """The verdicts that were reached, or the difference in words."""
    ledger = Ledger()
    reached = collections.Counter()
    done = number = 0
    for operation, time, payload, records in Workload(seed, ledger).requests():
        wanted, verdicts = ledger.request(operation, time, payload)
        came = rules.request(operation, time, payload)
        if wanted != came:
            return reached, f'request {number}, operation {operation}:\n' + \
                difference(operation, payload, wanted, came)
        kind = 'account' if operation == ACCOUNTS else 'transfer'
        reached.update((kind, verdict) for verdict in verdicts)
        done += records
        number += 1
        if done >= count:
            return reached, None


def table(reached):
    lines = []
    for kind, codes in (('account', ACCOUNT_CODES), ('transfer', TRANSFER_CODES)):
        lines += [f'{kind:9} {name:53} {code:10} {reached[kind, name]:9}'
                  for name, code in codes.items()]
    return lines


def missing(reached):
    return [f'{kind} {name}' for kind, codes in
            (('account', ACCOUNT_CODES), ('transfer', TRANSFER_CODES))
            for name in codes if not reached[kind, name]]


def judge(program, seed, count):
    """Compares; prints what there is to know. True: all is well."""
    rules = Rules(program)
    reached, trouble = run(rules, seed, count)
    code = rules.close()
    whole = count >= ENOUGH or (seed, count) == (KNOWN_SEED, KNOWN_COUNT)
    never = missing(reached) if whole and not trouble else []
    for line in [f'seed {seed}, {sum(reached.values())} records', *table(reached)]:
        print('#', line)
    for line in (trouble or '').splitlines() + [f'never reached: {name}' for name in never]:
        print('#', line)
    return not trouble and not never and code == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('program')
    parser.add_argument('--count', type=int,
                        default=1_000_000 if os.environ.get('SLUICE_LONG') else 20_000)
    parser.add_argument('--seed', type=int, default=int(
        os.environ.get('SLUICE_SEED', random.SystemRandom().getrandbits(32))))
    asked = parser.parse_args()
    print('1..2')
    known = judge(asked.program, KNOWN_SEED, KNOWN_COUNT)
    print('ok 1' if known else 'not ok 1', '- the rules say what the model says, of all verdicts')
    new = judge(asked.program, asked.seed, asked.count)
    print('ok 2' if new else 'not ok 2', '- with a new seed, too')
    return 0 if known and new else 1


if __name__ == '__main__':
    sys.exit(main())
