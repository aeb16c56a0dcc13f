"""How packages are installed: who is asked, what is said, what apt-get is told. The machine is not
touched: dpkg-query, apt-get, id and sudo are scripts that write down what they were asked."""
import os
import pty
import re
import select
import subprocess
import sys
import tempfile

import house
import tap

TOOLS = {
    'dpkg-query': 'for last; do :; done; case " $INSTALLED " in *" $last "*) echo -n installed;; '
                  '*) exit 1;; esac',
    'apt-get': 'echo "$DEBIAN_FRONTEND apt-get $*" >>"$LOG"; '
               'case " $* " in *" install "*) [ -x "$POLICY" ] && echo "policy stands" >>"$LOG"; '
               'exit "${APT_CODE:-0}";; esac',
    'id': 'echo "${WHO:-0}"',
    'sudo': 'echo "sudo $1" >>"$LOG"; [ "$1" = -n ] && shift; exec "$@"',
}
SCRIPT = '''set -u; . tools/packages.sh
SLUICE_PACKAGES='
build  meson   plans the build
web    nodejs  makes pages
tests  curl    speaks HTTP
'
POLICY_RC_D=$POLICY
install_packages "$MAY" $SECTIONS; echo "code $?"'''

CASES = [
    # name, environment, what is typed at a terminal (None: there is none),
    # parts of what is said, parts of what is done (None: nothing is)
    ('all is there: nothing is said or done', {'INSTALLED': 'meson nodejs'}, None,
     ['code 0'], None),
    ('one is missing, no terminal, no --yes: explained', {'INSTALLED': 'nodejs'}, None,
     ['meson', 'plans the build', 'No terminal to ask at', 'apt-get install', 'code 3'], None),
    ('one is missing, --yes: installed', {'INSTALLED': 'nodejs', 'MAY': 'yes'}, None,
     ['plans the build', 'code 0'],
     ['noninteractive apt-get -q update', 'install meson', 'policy stands']),
    ('a section that was not asked for is left alone', {'INSTALLED': 'nodejs', 'MAY': 'yes',
     'SECTIONS': 'tests'}, None, ['curl', 'code 0'], ['install curl']),
    ('apt-get fails', {'INSTALLED': 'nodejs', 'MAY': 'yes', 'APT_CODE': '100'}, None,
     ['could not install', 'code 4'], ['install meson']),
    ('not root: by sudo, which may not ask', {'INSTALLED': 'nodejs', 'MAY': 'yes', 'WHO': '1000'},
     None, ['code 0'], ['sudo -n', 'install meson']),
    ('at a terminal, no', {'INSTALLED': 'nodejs'}, 'n\n', ['[Y/n]', 'Nothing was', 'code 3'], None),
    ('at a terminal, Enter', {'INSTALLED': 'nodejs'}, '\n', ['[Y/n]', 'code 0'], ['install meson']),
    ('at a terminal, end of input', {'INSTALLED': 'nodejs'}, '\x04', ['code 3'], None),
]


def run(folder, environment, typed):
    """Runs install_packages; returns (what it said, what was done)."""
    log = os.path.join(folder, 'log')
    environment = {'MAY': '', 'SECTIONS': 'build', 'LOG': log,
                   'PATH': f'{folder}:{os.environ["PATH"]}',
                   'POLICY': os.path.join(folder, 'policy'), 'TMPDIR': folder, **environment}
    command = ['bash', '-c', SCRIPT]
    if typed is None:
        result = subprocess.run(command, cwd=house.TOP, env=environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        said = result.stdout.decode()
    else:
        said = at_terminal(command, environment, typed)
    assert not os.path.exists(environment['POLICY']), 'the policy was left behind'
    if not os.path.exists(log):
        return said, None
    with open(log, encoding='utf-8') as file:
        return said, file.read()


def at_terminal(command, environment, typed):
    # This side keeps the terminal open, too: what is said last would be lost to a hang-up.
    terminal, theirs = pty.openpty()
    child = subprocess.Popen(command, cwd=house.TOP, env=environment, stdin=theirs, stdout=theirs,
                             stderr=theirs, start_new_session=True)
    os.write(terminal, typed.encode())
    said = b''
    while not re.search(rb'code \d+\r?\n', said):
        assert select.select([terminal], [], [], 60)[0], f'nothing is said any more:\n{said}'
        said += os.read(terminal, 4096)
    child.wait()
    os.close(terminal)
    os.close(theirs)
    return said.decode()


for name, environment, typed, said_parts, done_parts in CASES:
    with tap.case(name), tempfile.TemporaryDirectory() as folder:
        for tool, text in TOOLS.items():
            path = os.path.join(folder, tool)
            with open(path, 'w', encoding='utf-8') as file:
                file.write('#!/bin/bash\n' + text + '\n')
            os.chmod(path, 0o755)
        said, done = run(folder, environment, typed)
        for part in said_parts:
            assert part in said, f'{part!r} was not said:\n{said}'
        assert (done is None) == (done_parts is None), f'done: {done}'
        for part in done_parts or []:
            assert part in done, f'{part!r} was not done:\n{done}'

with tap.case('every package has a section and a reason'):
    lines = house.read('tools/packages.sh').split("'")[1].strip().split('\n')
    assert len(lines) > 10
    for line in lines:
        words = line.split()
        assert words[0] in ('build', 'web', 'tests') and len(words) > 3, line

for options, code in ((['--port', 'x'], 2), (['--port', '70000'], 2), (['--data'], 2),
                      (['what'], 2), (['--help'], 0), (['--version'], 0)):
    with tap.case(f'./run {" ".join(options)}: exit code {code}, from any folder'):
        result = subprocess.run([os.path.join(house.TOP, 'run'), *options], cwd='/', check=False,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
        assert result.returncode == code, result.stdout.decode()
        assert result.stdout, 'nothing was said'
sys.exit(tap.done())
