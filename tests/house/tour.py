"""The tour of the README, taken line by line.

    tour.py PROGRAM PROJECT FILE…

A Markdown file's ```console blocks are what a reader sees in a terminal: lines that begin with "$ "
are typed, the others are what comes back. All blocks of a file are one session, run in order, in a
temporary folder in which the project's files stand as in a fresh clone, and under bash, so that
variables, aliases and `cd` last. A line that ends in "\\" goes on in the next, behind "> " or not.

What comes back is compared line by line. "…" stands for anything in a line, and alone in a line for
any number of lines. Nothing expected means nothing said.

Three things differ from a reader's terminal, and none of them shows:

- `git clone …` is taken as done: the folder is the clone.
- `./run …` and `sluice serve …` start the program under test, which is built already, in the
  background, on free ports; the reader's 7070 and 7071 are translated both ways. The tour goes on
  when the expected lines have been printed.
- an expected line "^C" is the reader's Ctrl-C: it ends the command above it (or the server, where
  that is the command), once all lines expected before it have come.
"""
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'integration'))
import lib  # noqa: E402
import tap  # noqa: E402

COMMAND_TIMEOUT_S = 60
SERVER = re.compile(r'^(?:\S*/)?(?:run|sluice +serve)(?: +(?P<options>.*?))? *&? *(?:#.*)?$')
CLONE = re.compile(r'^git clone\b')
INTERRUPT = '^C'
ANYTHING = '…'


class Step:
    def __init__(self, line, command):
        self.line = line
        self.command = command
        self.expected = []

    def name(self):
        return f'line {self.line}: $ ' + ' '.join(self.command.replace('\\\n', ' ').split())


def steps_of(text):
    """The commands of a Markdown text with what they are expected to print."""
    steps, is_console, is_command_open = [], False, False
    for number, line in enumerate(text.split('\n'), 1):
        if line.startswith('```'):
            is_console = not is_console and line[3:].strip() == 'console'
            is_command_open = False
        elif is_console and is_command_open:
            steps[-1].command += '\n' + (line[2:] if line.startswith('> ') else line)
            is_command_open = line.endswith('\\')
        elif is_console and line.startswith('$ '):
            steps.append(Step(number, line[2:]))
            is_command_open = line.endswith('\\')
        elif is_console:
            if not steps:
                raise ValueError(f'line {number}: output before the first command')
            steps[-1].expected.append(line.rstrip())
    for step in steps:
        while step.expected and not step.expected[-1]:
            step.expected.pop()  # an empty line before the next command is for the eye
    return steps


def line_matches(expected, got):
    pattern = '.*'.join(re.escape(part) for part in expected.split(ANYTHING))
    return re.fullmatch(pattern, got) is not None


def matches(expected, got):
    """Whether the lines are as expected; "…" alone in a line stands for any number of lines."""
    reached = {0}  # how many lines of `got` may be spoken for by the part of `expected` seen so far
    for line in expected:
        if line.strip() == ANYTHING:
            reached = set(range(min(reached), len(got) + 1)) if reached else reached
        else:
            reached = {at + 1 for at in reached if at < len(got) and line_matches(line, got[at])}
    return len(got) in reached


def begins_with(expected, got):
    """Whether some beginning of the lines is as expected: more may have come, or still come."""
    return any(matches(expected, got[:count]) for count in range(len(got) + 1))


class Tour:
    """One session: a folder, a shell's variables, the server that the reader has started."""

    def __init__(self, program, project):
        self.program = os.path.abspath(program)
        self.project = os.path.abspath(project)
        self.folder = tempfile.mkdtemp(prefix='sluice-tour-')
        self.place = os.path.join(self.folder, 'sluice')
        self.state = os.path.join(self.folder, 'state')
        self.ports = {'7070': str(lib.free_port()), '7071': str(lib.free_port())}
        self.server = None
        self._clone()

    def _clone(self):
        """The project as a fresh clone has it: no data, no builds, but the program on the path."""
        os.makedirs(self.place)
        for name in os.listdir(self.project):
            if name not in ('.git', 'data') and not name.startswith('build'):
                os.symlink(os.path.join(self.project, name), os.path.join(self.place, name))
        binaries = os.path.join(self.place, 'build', 'src', 'server')
        os.makedirs(binaries)
        os.symlink(self.program, os.path.join(binaries, 'sluice'))
        with open(self.state, 'w', encoding='utf-8') as file:
            file.write(f'cd {shlex.quote(self.place)}\n'
                       f'export PATH={shlex.quote(binaries)}:"$PATH"\n')

    def close(self):
        if self.server and self.server.is_running():
            self.server.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def there(self, text):
        """The reader's text with the ports of this session."""
        for written, real in self.ports.items():
            text = re.sub(rf'(?<![\w.]){written}(?!\w)', real, text)
        return text

    def back(self, text):
        for written, real in self.ports.items():
            text = re.sub(rf'(?<![\w.]){real}(?!\w)', written, text)
        return text.replace(self.place, '~/sluice')

    def take(self, step):
        """Runs one step. Raises AssertionError when what comes back is not what is written."""
        expected = list(step.expected)
        is_interrupted = INTERRUPT in expected
        after = []
        if is_interrupted:
            at = expected.index(INTERRUPT)
            expected, after = expected[:at], expected[at + 1:]
        server = SERVER.match(step.command)
        if CLONE.match(step.command):
            return
        if server:
            self._serve(server.group('options') or '', expected)
            if is_interrupted:
                self._interrupt_server(expected, after)
        elif is_interrupted:
            self._run_until(step.command, expected)
        else:
            self._run(step.command, expected)

    def _serve(self, options, expected):
        if self.server and self.server.is_running():
            raise AssertionError('a server of this tour is running already')
        words = [word for word in shlex.split(self.there(options)) if word != '--yes']
        for option, port in (('--port', '7070'), ('--resp-port', '7071')):
            if option not in words:
                words += [option, self.ports[port]]
        if '--data' not in words:
            words += ['--data', 'data']
        self.server = lib.Child([self.program, 'serve', *words], cwd=self.place)
        wanted = expected or [ANYTHING, ANYTHING + '7070' + ANYTHING]
        wait_for(lambda: begins_with(wanted, self._server_lines()), self.server.is_running,
                 lambda: complaint(wanted, self._server_lines()))

    def _server_lines(self):
        return [self.back(line).rstrip() for line in self.server.output().split('\n')]

    def _interrupt_server(self, expected, after):
        self.server.signal(signal.SIGINT)
        code = self.server.wait()
        assert code in (0, -signal.SIGINT, 128 + signal.SIGINT), f'Ctrl-C ended it with {code}'
        wanted = (expected or [ANYTHING]) + (after or [ANYTHING])
        assert matches(wanted, self._server_lines()), complaint(wanted, self._server_lines())

    def _script(self, command):
        state = shlex.quote(self.state)
        return (f'shopt -s expand_aliases; set -a; . {state}\n'
                'trap \'{ export -p; alias -p; declare -f; printf "cd %q\\n" "$PWD"; } '
                f'>{state}\' EXIT\n'
                f'{self.there(command)}\n')

    def _start(self, command):
        return subprocess.Popen(['bash', '-c', self._script(command)], cwd=self.place,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, start_new_session=True)

    def _run(self, command, expected):
        process = self._start(command)
        try:
            output, _ = process.communicate(timeout=COMMAND_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            send(process, signal.SIGKILL)
            output, _ = process.communicate()
            raise AssertionError(f'did not end in {COMMAND_TIMEOUT_S} s; it said:\n' +
                                 output.decode('utf-8', 'replace')) from None
        got = self._lines(output)
        assert matches(expected, got), complaint(expected, got)

    def _run_until(self, command, expected):
        """A command that goes on for ever: it is ended when all that is expected has come."""
        process, chunks = self._start(command), []

        def read():
            for chunk in iter(lambda: process.stdout.read1(4096), b''):
                chunks.append(chunk)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            wait_for(lambda: begins_with(expected, self._lines(b''.join(chunks))), reader.is_alive,
                     lambda: complaint(expected, self._lines(b''.join(chunks))))
            assert not ends(process, 0.2), 'it ended by itself, before Ctrl-C'
        finally:
            send(process, signal.SIGINT)
            if not ends(process, 5):
                send(process, signal.SIGKILL)
                process.wait()

    def _lines(self, output):
        lines = [self.back(line).rstrip() for line in output.decode('utf-8', 'replace').split('\n')]
        while lines and not lines[-1]:
            lines.pop()
        return lines


def ends(process, timeout_s):
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def send(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass  # it and all that it started have ended


def wait_for(is_there, is_alive, say):
    deadline = time.monotonic() + COMMAND_TIMEOUT_S
    while not is_there():
        if not is_alive():
            time.sleep(0.1)  # what was said last may still be on its way
            assert is_there(), 'it ended\n' + say()
            return
        assert time.monotonic() < deadline, say()
        time.sleep(0.01)


def complaint(expected, got):
    return '\n'.join(['expected:', *(f'  {line}' for line in expected or ['(nothing)']),
                      'got:', *(f'  {line}' for line in got or ['(nothing)'])])


def take_tour(program, project, path):
    """All steps of a file, one case each; what follows a failed step is run all the same."""
    with open(path, encoding='utf-8') as file:
        steps = steps_of(file.read())
    with tap.case(f'{os.path.basename(path)} has a tour'):
        assert steps, 'no ```console block, or no "$ " in any'
    tour = Tour(program, project)
    try:
        for step in steps:
            with tap.case(step.name().replace('#', '')):
                tour.take(step)
        if any(SERVER.match(step.command) for step in steps) and tour.server:
            tap.note('\n'.join(['the server said:', tour.server.output()]))
    finally:
        tour.close()


def main():
    program, project, *paths = sys.argv[1:]
    if not os.access(program, os.X_OK):
        tap.skip_all(f'the server program is not built: {os.path.basename(program)}')
    for path in paths:
        if not os.path.exists(path):
            tap.skip_all(f'there is no {os.path.basename(path)}')
        take_tour(program, project, path)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
