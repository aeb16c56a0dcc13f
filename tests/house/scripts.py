"""Every shell script of the project is grammatical, and shellcheck finds nothing in it.

A script is a file that ends in .sh or whose first line names sh or bash. bash only reads it here
(-n); shellcheck follows what a script sources. One script is more than grammar: an apostrophe in a
reason of tools/packages.sh ends the list early, and the rest of it is run as commands.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import house
import tap

SHEBANG = re.compile(r'#!\s*/(usr/bin/env (-S )?|(usr/)?bin/)(ba|da)?sh\b')
PACKAGES = 'tools/packages.sh'


def scripts(files):
    return [(path, text) for path, text in files
            if path.endswith('.sh') or SHEBANG.match(text.split('\n', 1)[0])]


def said(command, folder):
    result = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, check=False)
    if result.returncode == 0:
        return []
    return result.stdout.decode('utf-8', 'replace').strip().split('\n')


def read_by(command):
    """A rule: the program accepts each script, which lies in a folder by its own name."""
    def rule(files):
        found = scripts(files)
        with tempfile.TemporaryDirectory() as folder:
            for path, text in found:
                place = os.path.join(folder, path)
                os.makedirs(os.path.dirname(place), exist_ok=True)
                with open(place, 'w', encoding='utf-8') as file:
                    file.write(text)
            for path, _ in found:
                yield from said([*command, path], folder)
    return rule


def whole_list(files):
    """The list of packages is one word of the shell's, from its quote to the last of its lines."""
    for path, text in files:
        if path != PACKAGES:
            continue
        listed = text.split("SLUICE_PACKAGES='", 1)[1].split("\n'\n", 1)[0]
        for number, line in enumerate(text.split('\n'), 1):
            if line in listed.split('\n') and "'" in line:
                yield f'{path}:{number}: an apostrophe ends the list here: {line.strip()}'


GRAMMAR = [
    ('what is grammatical', {'a.sh': 'x=1\necho "$x"\n', 'b.c': 'it\'s no script\n'}, []),
    ('a quote that stays open', {'tool': '#!/usr/bin/env bash\necho \'it\'s\'\n'},
     ['tool: line 2: unexpected EOF']),
    ('a loop without its end', {'a.sh': 'for x in 1; do\n'}, ['a.sh: line 2: syntax error']),
]
FINDINGS = [
    ('a word that is split', {'a.sh': '#!/bin/bash\nrm -r $1\n'}, ['a.sh:2:7: note: Double quote']),
    ('a folder that may not be there', {'a': '#!/bin/sh\ncd /x\nrm -r y\n'}, ['a:2:1: warning']),
    ('a sourced file is followed',
     {'a.sh': '#!/bin/bash\n. ./b.sh\necho "$b"\n', 'b.sh': '# shellcheck shell=bash\nb=1\n'},
     ['b.sh:2:1: warning: b appears unused']),
]
LISTS = [
    ('a list', {PACKAGES: "SLUICE_PACKAGES='\nbuild x  a reason\n'\nf() { echo 'it'; }\n"}, []),
    ('an apostrophe', {PACKAGES: "SLUICE_PACKAGES='\nbuild x  the maker's\nbuild y  a\n'\n"},
     [PACKAGES + ':2: an apostrophe']),
    ('two, which the grammar lets pass',
     {PACKAGES: "SLUICE_PACKAGES='\nbuild x  makers' and users' tool\n'\n"}, [':2: an apostrophe']),
]

project = [(path, house.read(path)) for path in house.project_files()
           if path.endswith('.sh') or '.' not in os.path.basename(path)]
with tap.case('the scripts that people type are among them'):
    assert {'run', 'test', '.ci/run', PACKAGES} <= {path for path, _ in scripts(project)}

grammar = read_by(['bash', '-n'])
house.prove(grammar, GRAMMAR)
house.judge('bash can read every script', grammar(project))

house.prove(whole_list, LISTS)
house.judge('the list of packages is whole', whole_list(project))

if shutil.which('shellcheck'):
    findings = read_by(['shellcheck', '--external-sources', '--format=gcc'])
    house.prove(findings, FINDINGS)
    house.judge('shellcheck finds nothing', findings(project))
else:
    with tap.case('shellcheck finds nothing'):
        raise tap.Skip('shellcheck is not installed')
sys.exit(tap.done())
