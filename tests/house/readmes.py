"""Every folder says what it is for, in a screenful."""
import posixpath
import sys

import house
import tap

LINES_MAX = 60
# Folders that a tool or a format asks for, and data; their parent's README speaks for them.
SPOKEN_FOR = ('.', '.ci', 'include', 'src', 'src/stores')
BOOKS = ('docs', 'domains', 'examples')
DATA = ('fuzz/corpus', 'tests/fixtures', 'web/vendor')


def rule(files):
    texts = dict(files)
    folders = sorted({posixpath.dirname(path) or '.' for path in texts})
    for folder in folders:
        readme = posixpath.join(folder, 'README.md')
        if folder in SPOKEN_FOR or folder.startswith(DATA) or not is_room(folder):
            continue
        if readme not in texts:
            yield f'{folder}/: no README.md says what it is for'
        elif len(texts[readme].strip().split('\n')) < 3:
            yield f'{readme}:1: says next to nothing'
        elif len(texts[readme].split('\n')) > LINES_MAX and not folder.startswith(BOOKS):
            yield f'{readme}:{LINES_MAX}: longer than a screenful ({LINES_MAX} lines)'


def is_room(folder):
    """Folders below a room that has a README may be its furniture: pages, specs, styles."""
    parts = folder.split('/')
    depth = 3 if parts[:2] == ['src', 'stores'] else 1 if parts[0] == 'web' else 2
    return len(parts) <= depth


GOOD = 'What it is for.\n\nWhat must stay true.\n\nWhat it may include.\n'
SAMPLES = [
    ('a room with its README',
     {'src/a/a.c': '', 'src/a/README.md': GOOD, 'src/a/pages/x.js': ''}, []),
    ('a room without', {'src/a/a.c': '', 'src/b/README.md': GOOD}, ['src/a/: no README.md']),
    ('a store without', {'src/stores/x/a.c': ''}, ['src/stores/x/: no README.md']),
    ('an empty one', {'src/a/README.md': '# a\n'}, ['src/a/README.md:1: says next to nothing']),
    ('a book', {'src/a/README.md': GOOD * 20}, ['longer than a screenful']),
]

house.prove(rule, SAMPLES)
house.judge('every folder has a README',
            rule([(path, house.read(path) if path.endswith('.md') else '')
                  for path in house.project_files()]))
sys.exit(tap.done())
