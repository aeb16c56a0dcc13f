"""Words that do not belong in a finished project, and names that belong to a machine.

What is not done is not there: a note that something is missing is a note in the wrong place. And
what is committed names no registry's host and no path of the machine it was written on: registries
are asked by the clients as the machine sets them up, so the hosts are read from that set-up and
appear nowhere in this file.
"""
import glob
import re
import shutil
import subprocess
import sys

import house
import tap

# Cut in two, so that this file does not contain what it looks for.
UNFINISHED = [''.join(word) for word in (
    ('TO', 'DO'), ('FIX', 'ME'), ('XX', 'X'), ('HA', 'CK'), ('not imple', 'mented yet'),
    ('unimple', 'mented'), ('for', ' now,'), ('place', 'holder'), ('simpli', 'fied'),
    ('left as an', ' exercise'), ('in a real', ' system'))]
UNFINISHED_RE = re.compile('|'.join(
    rf'\b{word}\b' if word.isupper() else rf'(?i:\b{word}(?!\w))' for word in UNFINISHED))
# As a name it is no remark: HTML has an attribute, CSS a selector, SQL a thing so called; and the
# three X in quotes are ISO 4217's code for no currency.
NAME_RE = re.compile(r'"XX(?:X)\\?"|(?:->|[*.:"\'])place(?:holder)\b'
                     r'|\bplace(?:holder)\b(?=\s*[=;,()\]"\'])')
MACHINE_RE = re.compile(r'/(?:work)/(?:main|shared|steering|\.library)|/tmp/(?:bash_)jobs'
                        r'|/(?:root)/\.|/(?:home)/[a-z]')
LOCK_RE = re.compile(r'"(?:resolved)"\s*:\s*"http')


def registry_hosts():
    """The hosts of the registries that this machine is set up to ask."""
    texts = []
    for path in ['/etc/apt/sources.list', *glob.glob('/etc/apt/sources.list.d/*')]:
        try:
            with open(path, encoding='utf-8', errors='replace') as file:
                texts.append(file.read())
        except OSError:
            continue
    for command in (['npm', 'config', 'get', 'registry'], ['pip', 'config', 'list'],
                    ['go', 'env', 'GOPROXY']):
        if shutil.which(command[0]):
            result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL, timeout=60, check=False)
            texts.append(result.stdout.decode('utf-8', 'replace'))
    hosts = set(re.findall(r'https?://(?:[^/\s@]*@)?([a-z0-9.-]+)', '\n'.join(texts)))
    return {host for host in hosts if host != 'localhost' and not host.startswith('127.')}


def rule_for(hosts):
    names = '|'.join(re.escape(host) for host in sorted(hosts))
    hosts_re = re.compile(rf'(?<![\w.-])(?:{names})(?![\w-])' if hosts else r'(?!)')

    def rule(files):
        for path, text in files:
            for number, line in enumerate(text.split('\n'), 1):
                plain = NAME_RE.sub('', line)
                found = UNFINISHED_RE.search(plain)
                if found:
                    yield f'{path}:{number}: "{found.group()}" marks something unfinished'
                found = hosts_re.search(line)
                if found:
                    yield f'{path}:{number}: names the registry {found.group()}'
                found = MACHINE_RE.search(line)
                if found:
                    yield f'{path}:{number}: "{found.group()}" is a path of one machine'
                if LOCK_RE.search(line):
                    yield f'{path}:{number}: a lock file that says where packages came from'
    return rule


PROOF = rule_for({'packages.example.org'})
SAMPLES = [
    ('plain text', {'a.c': '/* A hackney coach; it takes no more for now. mkstemp("XX' 'XXXX") */'},
     []),
    ('a name', {'a.js': '<input place' 'holder="desk"> input::place' 'holder { } term->place'
                'holder = "?";'}, []),
    *((f'"{word}"', {'a.c': f'\n/* {word} as yet */'}, [f'a.c:2: "{word}"'])
      for word in UNFINISHED),
    ('a registry', {'a.sh': 'curl http://packages.example.org/x'}, ['names the registry']),
    ('another host of a like name', {'a.sh': 'curl http://no-packages.example.org/x'}, []),
    ('a path', {'a.c': '"/wo' 'rk/main/x"'}, ['a path of one machine']),
    ('a lock file', {'package-lock.json': '"resol' 'ved": "https://x/y.tgz"'}, ['a lock file']),
]

house.prove(PROOF, SAMPLES)
TEXT = ('.c', '.h', '.cc', '.py', '.js', '.mjs', '.css', '.html', '.sh', '.sql', '.md', '.build',
        '.txt', '.json', '.conf', '.yml', '.yaml', '.service', '/clean-room', 'test', 'run')
house.judge('nothing unfinished, no registry, no path of a machine',
            rule_for(registry_hosts())(house.sources(*TEXT)))
sys.exit(tap.done())
