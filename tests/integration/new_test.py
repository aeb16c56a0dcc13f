"""`sluice new`: what it writes builds, passes its specification, and can be served."""
import os
import shutil
import subprocess

import lib
from lib import case

NAME = 'my-notes'


def run(*command, cwd):
    result = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, timeout=300, check=False)
    assert result.returncode == 0, result.stdout.decode()
    return result.stdout.decode()


def main():
    program, include = lib.program(), os.environ.get('SLUICE_INCLUDE', '')
    if not shutil.which('meson') or not include:
        lib.skip_all('meson or the headers (SLUICE_INCLUDE) are not here')
    folder = lib.temp_folder()
    home = os.path.join(folder, NAME)
    with case('a skeleton is written'):
        run(program, 'new', NAME, cwd=folder)
        assert sorted(os.listdir(home)) == ['README.md', 'meson.build', 'meson_options.txt',
                                            NAME + '.c', NAME + '_specs.c', 'sluice.conf']
    with case('nothing is overwritten'):
        again = subprocess.run([program, 'new', NAME], cwd=folder, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, check=False)
        assert again.returncode == 1, again.stdout
    with case('it builds without a warning'):
        run('meson', 'setup', 'build', f'-Dsluice_include={include}', f'-Dsluice_program={program}',
            '-Dwerror=true', cwd=home)
        run('meson', 'compile', '-C', 'build', cwd=home)
    with case('it passes its specification'):
        run('meson', 'test', '-C', 'build', cwd=home)
    with case('a specification can fail'):
        path = os.path.join(home, NAME + '_specs.c')
        with open(path, encoding='utf-8') as file:
            text = file.read()
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text.replace('"note_exists"', '"note_closed"'))
        run('meson', 'compile', '-C', 'build', cwd=home)
        failed = subprocess.run(['meson', 'test', '-C', 'build'], cwd=home, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, check=False)
        assert failed.returncode != 0, failed.stdout
    with case('it can be served'):
        config = f'[domain {NAME}]\nmodule = {home}/build/{NAME}.so\n'
        with lib.Server(config=config) as server:
            note = {'id': '00000000-0000-4000-8000-000000000001', 'text': 'milk'}
            reply = server.http.post(f'/{NAME}/WriteNote', note)
            assert reply.status == 201, reply
            rows = server.http.get(f'/{NAME}/open?min_position={reply.position}').json['rows']
            assert rows == [note], rows
    lib.done()


main()
