"""Sizes: a file that holds one idea, a function that is seen whole, a line that needs no scrolling.

The code is laid out by clang-format, so a function of C begins at a "{" in the first column and
ends at the next "}" there, and the depth of a block is the indentation of the line that opens it.
"""
import re
import sys

import house
import tap

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 60
LEVELS_MAX = 4
COLUMNS_MAX = 100
INDENT = 4

CODE = ('.c', '.h', '.cc', '.py', '.js', '.mjs', '.sh')
BLOCK = re.compile(r'^( *)(?:\} )?(?:if|else|for|while|switch|do)\b.*\{$')
NOT_OURS = ('tests/fixtures/', 'node_modules/')


def rule(files):
    for path, text in files:
        if path.startswith(NOT_OURS):
            continue
        lines = text.split('\n')
        if lines and not lines[-1]:
            lines.pop()
        if len(lines) > FILE_LINES_MAX and not path.endswith('.h'):
            yield f'{path}:{len(lines)}: more than {FILE_LINES_MAX} lines: two ideas in one room?'
        if path.endswith(('.c', '.cc')):
            yield from functions(path, lines)


def column_rule(files):
    for path, text in files:
        for number, line in enumerate(text.split('\n'), 1):
            if len(line) > COLUMNS_MAX and not path.startswith(NOT_OURS):
                yield f'{path}:{number}: {len(line)} columns'


def functions(path, lines):
    """Complaints about the functions of a C file."""
    begin = None
    for number, line in enumerate(lines, 1):
        if line == '{':
            begin = number
            start = signature_of(lines, begin)
        elif begin and line.startswith('}'):
            count = number - start + 1
            if count > FUNCTION_LINES_MAX:
                yield f'{path}:{start}: a function of {count} lines'
            begin = None
        elif begin:
            block = BLOCK.match(line)
            if block and len(block.group(1)) // INDENT > LEVELS_MAX:
                yield f'{path}:{number}: a block {len(block.group(1)) // INDENT} levels deep'


def signature_of(lines, begin):
    """The line where the function whose "{" stands on line `begin` starts."""
    start = begin
    while start > 1:
        above = lines[start - 2]
        if not above or above.startswith(('}', '#', '//')) or above.endswith((';', '*/')):
            break
        start -= 1
    return start


def body(count, line='    work();\n'):
    return 'void f(void)\n{\n' + line * count + '}\n'


SAMPLES = [
    ('what fits', {'a.c': body(57), 'a.h': '\n' * 900}, []),
    ('a long file', {'a.c': '\n' * 801}, ['a.c:801: more than 800']),
    ('a long function', {'a.c': '\n' + body(58)}, ['a.c:2: a function of 61 lines']),
    ('a long signature counts',
     {'a.c': 'void f(int a,\n       int b)\n{\n' + '    work();\n' * 57 + '}\n'},
     ['a.c:1: a function of 61 lines']),
    ('four levels', {'a.c': body(1, ' ' * 16 + 'if (a) {\n')}, []),
    ('five levels', {'a.c': body(1, ' ' * 20 + 'if (a) {\n')}, ['a.c:3: a block 5 levels deep']),
]

COLUMN_SAMPLES = [
    ('a line that fits', {'a.py': 'x' * 100 + '\n'}, []),
    ('a long line', {'a.py': '\n' + 'x' * 101 + '\n'}, ['a.py:2: 101 columns']),
]

house.prove(rule, SAMPLES)
house.prove(column_rule, COLUMN_SAMPLES)
files = house.sources(*CODE) + [(path, house.read(path)) for path in ('run', 'test')]
house.judge('files and functions are of a readable size', rule(files))
house.judge('lines are within 100 columns', column_rule(files))
sys.exit(tap.done())
