"""What integration tests share: servers as children, HTTP and RESP as a stranger would speak them.

    import lib
    from lib import case

    with lib.Server() as server:
        with case('a booking is accepted'):
            reply = server.http.post('/desks/BookDesk', {'desk': 'A4'})
            assert reply.status == 201, reply
        with case('and survives a crash'):
            server.kill()
            server.start()
            assert server.http.get('/desks/bookings/…').status == 200
    lib.done()

The program under test is the path in SLUICE (Meson sets it). Every server gets ports of its own
choice (--port 0) and a temporary folder, both kept over kill() and start(), so that clients find it
again. Whatever a test leaves running is killed when the test ends, however it ends; folders go too,
unless SLUICE_KEEP is set.
"""
import atexit
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, 'tests', 'tap'))

from tap import Skip, case, note, skip_all  # noqa: E402,F401 (tests import them from here)
import tap  # noqa: E402

# A sanitized or busy build may take long to start; a healthy one takes milliseconds.
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 30

IS_LONG = os.environ.get('SLUICE_LONG') == '1'

children = set()
folders = []


def done():
    """Prints the TAP plan and ends the program with its exit code."""
    sys.exit(tap.done())


def program():
    """The path of the binary under test; skips the whole test where there is none."""
    path = os.environ.get('SLUICE', '')
    if not path:
        skip_all('the environment names no server program (SLUICE)')
    if not os.access(path, os.X_OK):
        skip_all(f'there is no server program at {path}')
    return os.path.abspath(path)


def temp_folder():
    """A fresh folder, removed when the test ends."""
    path = tempfile.mkdtemp(prefix='sluice-test-')
    folders.append(path)
    return path


def free_port():
    """A port for a server that must find it again after a restart: below the range from which the
    kernel gives ports to clients, so that none of those takes it meanwhile."""
    for _ in range(1000):
        port = random.randint(12000, 32767)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(('127.0.0.1', port))
            except OSError:
                continue
        return port
    raise RuntimeError('no free port between 12000 and 32767')


def wait_until(condition, timeout_s=10, what='the condition'):
    """Calls until it returns something true, and returns that. Only for what can not be waited for
    by a reply: the time it takes is the world's, not the test's."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f'{what} did not come true in {timeout_s} s')
        time.sleep(0.01)


class Child:
    """A process of this test, its output kept line by line; killed with its group at the end."""

    def __init__(self, command, env=None, cwd=None):
        self.lines = []
        self.changed = threading.Condition()
        self.is_eof = False
        self.process = subprocess.Popen(
            command, cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        children.add(self)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.decode('utf-8', 'replace').rstrip('\n'))
                self.changed.notify_all()
        with self.changed:
            self.is_eof = True
            self.changed.notify_all()

    @property
    def pid(self):
        return self.process.pid

    def output(self):
        with self.changed:
            return '\n'.join(self.lines)

    def wait_for_line(self, pattern, timeout_s=START_TIMEOUT_S):
        """Waits until a line of the output matches; returns the match."""
        deadline, at = time.monotonic() + timeout_s, 0
        with self.changed:
            while True:
                for line in self.lines[at:]:
                    match = re.search(pattern, line)
                    if match:
                        return match
                at = len(self.lines)
                left = deadline - time.monotonic()
                if self.is_eof or left <= 0:
                    why = 'the process ended' if self.is_eof else f'{timeout_s} s passed'
                    raise RuntimeError(f'no line like {pattern!r}: {why}; output:\n' +
                                       '\n'.join(self.lines))
                self.changed.wait(left)

    def is_running(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout_s=STOP_TIMEOUT_S):
        """Waits for its end; returns the exit code (negative: the signal)."""
        code = self.process.wait(timeout_s)
        children.discard(self)
        with self.changed:
            self.changed.wait_for(lambda: self.is_eof, timeout=1)
        return code

    def kill(self):
        """SIGKILL to the process and all that it started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.wait()


class Server:
    """`sluice serve` as a child. The first start takes any free ports; later ones the same."""

    def __init__(self, *arguments, config=None, data=None, env=None, start=True):
        """Arguments are added to the command line; config is the text of a configuration file."""
        self.program = program()
        self.folder = temp_folder()
        self.data = data or os.path.join(self.folder, 'data')
        self.arguments = list(arguments)
        self.env = env
        self.port = self.resp_port = 0
        self.child = None
        self.http = None
        if config is not None:
            path = os.path.join(self.folder, 'sluice.conf')
            with open(path, 'w', encoding='utf-8') as file:
                file.write(config)
            self.arguments += ['--config', path]
        if start:
            self.start()

    def start(self):
        """Starts and waits until it answers. Raises with its output when it does not come up."""
        if not self.port:
            self.port, self.resp_port = free_port(), free_port()
        self.child = Child([self.program, 'serve', '--port', str(self.port),
                            '--resp-port', str(self.resp_port), '--data', self.data,
                            *self.arguments], env=self.env, cwd=self.folder)
        self.child.wait_for_line(rf'http://127\.0\.0\.1:{self.port}\b')
        self.http = Http(self.port)
        wait_until(self._is_ready, START_TIMEOUT_S, '/readyz')
        return self

    def _is_ready(self):
        if not self.child.is_running():
            raise RuntimeError('the server ended:\n' + self.child.output())
        try:
            return self.http.get('/readyz').status == 200
        except OSError:
            return False

    def stop(self):
        """SIGTERM, and waits for its end; returns the exit code."""
        self.child.signal(signal.SIGTERM)
        try:
            return self.child.wait()
        except subprocess.TimeoutExpired:
            note('SIGTERM did not end the server; its output:')
            note(self.child.output())
            self.child.kill()
            raise

    def kill(self):
        """kill -9, as a crash; the data folder stays as the crash left it."""
        self.child.kill()

    def restart(self):
        self.stop()
        return self.start()

    def resp(self):
        """A new RESP connection."""
        return Resp(self.resp_port)

    def run(self, *arguments, timeout_s=60):
        """Another verb of the program, on this server's data folder: (exit code, output)."""
        result = subprocess.run([self.program, *arguments, '--data', self.data], cwd=self.folder,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=timeout_s, check=False)
        return result.returncode, result.stdout.decode('utf-8', 'replace')

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.child and self.child.is_running():
            if exception[0]:
                note(self.child.output())
            self.child.kill()


class Reply:
    """An HTTP reply: status, headers (names in lower case), body as bytes, text or JSON."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    @property
    def text(self):
        return self.body.decode('utf-8')

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def position(self):
        return self.headers.get('sluice-position')

    def __repr__(self):
        return f'{self.status} {self.headers} {self.body[:2000]!r}'


def all_events(http, domain):
    """The events of a domain's log, from its start."""
    found, after = [], ''
    while True:
        page = http.get(f'/{domain}/events?limit=500' + after).json['events']
        found += page
        if not page:
            return found
        after = f'&after={page[-1]["position"]}'


class Http:
    """One keep-alive connection to a server on this machine. Not for use by two threads at once."""

    def __init__(self, port, headers=None, timeout_s=30):
        self.port = port
        self.headers = headers or {}
        self.timeout_s = timeout_s
        self.connection = None

    def request(self, method, path, body=None, headers=None):
        """Sends a request and reads the whole reply. A body that is no text or bytes goes as JSON.
        A kept connection that the server has closed meanwhile is opened anew, once, as long as
        nothing of a reply was read."""
        headers = {**self.headers, **(headers or {})}
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault('Content-Type', 'application/json')
        if isinstance(body, str):
            body = body.encode('utf-8')
        is_reused = self.connection is not None
        try:
            return self._exchange(method, path, body, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self.close()
            if not is_reused:
                raise
            return self._exchange(method, path, body, headers)
        except Exception:
            self.close()
            raise

    def _exchange(self, method, path, body, headers):
        if self.connection is None:
            self.connection = http.client.HTTPConnection('127.0.0.1', self.port,
                                                         timeout=self.timeout_s)
            self.connection.connect()
            # A small request must not wait for the acknowledgement of the one before.
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        reply = Reply(response.status, response.getheaders(), response.read())
        if response.will_close:
            self.close()
        return reply

    def get(self, path, headers=None):
        return self.request('GET', path, None, headers)

    def post(self, path, body, headers=None):
        return self.request('POST', path, body, headers)

    def events(self, path, headers=None):
        """Server-sent events of a URL, on a connection of its own: an iterator of dictionaries
        {event, data, id}. Ends when the server closes, raises TimeoutError when it is silent."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=self.timeout_s)
        try:
            connection.request('GET', path, None, {**self.headers, **(headers or {}),
                                                   'Accept': 'text/event-stream'})
            response = connection.getresponse()
            if response.status != 200:
                raise RuntimeError(f'GET {path}: {response.status} {response.read()!r}')
            yield from _server_sent(response)
        finally:
            connection.close()

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None


def _server_sent(response):
    event = {}
    for line in response:
        line = line.decode('utf-8').rstrip('\r\n')
        if not line:
            if event:
                yield event
            event = {}
        elif not line.startswith(':'):
            name, _, value = line.partition(':')
            value = value[1:] if value.startswith(' ') else value
            event[name] = event[name] + '\n' + value if name in event else value


class RespError(Exception):
    """An error reply: -NAME message."""


class Resp:
    """One RESP connection: redis.call('GET', 'bank:balance:7') → bytes, int, list, dict or None.
    An error raises RespError; errors inside arrays stand there as RespError objects."""

    def __init__(self, port, timeout_s=30):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile('rb')

    def send(self, *words):
        """Sends a command without reading its reply: for pipelines and subscriptions."""
        parts = [word if isinstance(word, bytes) else str(word).encode('utf-8') for word in words]
        self.socket.sendall(b'*%d\r\n' % len(parts) +
                            b''.join(b'$%d\r\n%s\r\n' % (len(part), part) for part in parts))

    def call(self, *words):
        self.send(*words)
        value = self.read()
        if isinstance(value, RespError):
            raise value
        return value

    def read(self):
        """The next reply or push message."""
        line = self.file.readline()
        if not line.endswith(b'\r\n'):
            raise ConnectionError(f'the connection ended in a reply: {line!r}')
        kind, rest = line[:1], line[1:-2]
        if kind == b'+':
            return rest.decode('utf-8')
        if kind in b'-!':
            return RespError((rest if kind == b'-' else self._bulk(rest)).decode('utf-8'))
        if kind in b':(':
            return int(rest)
        if kind == b',':
            return float(rest)
        if kind == b'_':
            return None
        if kind == b'#':
            return rest == b't'
        if kind in b'$=':
            return self._bulk(rest)
        if kind in b'*~>':
            return None if rest == b'-1' else [self.read() for _ in range(int(rest))]
        if kind == b'%':
            return {_key(self.read()): self.read() for _ in range(int(rest))}
        raise ValueError(f'not RESP: {line!r}')

    def _bulk(self, length):
        if length == b'-1':
            return None
        value = self.file.read(int(length) + 2)
        if len(value) != int(length) + 2 or value[-2:] != b'\r\n':
            raise ConnectionError('the connection ended in a value')
        return value[:-2]

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def _key(value):
    return value.decode('utf-8') if isinstance(value, bytes) else value


def clean_up():
    for child in list(children):
        try:
            child.kill()
        except Exception as error:  # the others must be killed all the same
            note(f'child {child.pid}: {error}')
    if not os.environ.get('SLUICE_KEEP'):
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def _end(number, _frame):
    # Meson ends a test that runs out of time by SIGTERM: leave in order, so that atexit runs.
    sys.exit(128 + number)


atexit.register(clean_up)
signal.signal(signal.SIGTERM, _end)
