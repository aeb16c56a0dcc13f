"""What a result depends on: the machine, the versions, and what else was running."""
import os
import re
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
TICK_S = 1 / os.sysconf('SC_CLK_TCK')


def read(path, default=''):
    try:
        with open(path, encoding='utf-8') as file:
            return file.read().strip()
    except OSError:
        return default


def said(*command):
    """The first line that a program prints, or 'not there'."""
    try:
        result = subprocess.run(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, check=False)
    except OSError:
        return 'not there'
    lines = result.stdout.decode('utf-8', 'replace').strip().split('\n')
    return lines[0].strip()


def mount_of(folder):
    """(type of file system, its options, device as major:minor)"""
    device = os.stat(folder).st_dev
    wanted = f'{os.major(device)}:{os.minor(device)}'
    for line in read('/proc/self/mountinfo').split('\n'):
        words = line.split()
        if len(words) > 9 and words[2] == wanted:
            rest = words[words.index('-') + 1:]
            return rest[0], words[5], wanted
    return 'unknown', '', wanted


def disk(device):
    block = f'/sys/dev/block/{device}'
    if os.path.exists(f'{block}/partition'):
        block = os.path.dirname(os.path.realpath(block))
    name = os.path.basename(os.path.realpath(block))
    size = int(read(f'{block}/size', '0')) * 512 / 2**30
    driver = os.path.basename(os.path.realpath(f'{block}/device/driver'))
    model = read(f'{block}/device/model') or (f'{driver} disk' if driver != 'driver' else name)
    scheduler = re.search(r'\[(.+)\]', read(f'{block}/queue/scheduler'))
    cache = read(f'{block}/queue/write_cache', 'unknown')
    return (f'{model}, {size:.0f} GiB, {cache} cache, '
            f'scheduler {scheduler.group(1) if scheduler else "none"}')


def describe(folder):
    """[(what, value)] of the machine."""
    model = re.search(r'model name\s*:\s*(.+)', read('/proc/cpuinfo'))
    memory = re.search(r'MemTotal:\s*(\d+)', read('/proc/meminfo'))
    system = re.search(r'PRETTY_NAME="(.+)"', read('/etc/os-release'))
    virtual = said('systemd-detect-virt')
    kind, options, device = mount_of(folder)
    return [
        ('processor', f'{model.group(1) if model else "unknown"}, {os.cpu_count()} cores'
                      f' (virtualisation: {virtual})'),
        ('memory', f'{int(memory.group(1)) / 2**20:.1f} GiB' if memory else 'unknown'),
        ('system', f'{system.group(1) if system else "unknown"}, Linux {os.uname().release}'),
        ('file system', f'{kind} ({options})'),
        ('disk', disk(device)),
    ]


def commit():
    """The commit, and whether what is built from differs from it."""
    changed = subprocess.run(['git', 'status', '--porcelain', '--', 'src', 'include', 'domains',
                              'meson.build'], cwd=TOP, stdout=subprocess.PIPE, check=False).stdout
    return said('git', 'rev-parse', '--short=12', 'HEAD') + \
        (', with changes that are not committed' if changed.strip() else '')


# ---- What a process uses ------------------------------------------------------------------------

def tree(pid):
    """A process and all below it."""
    found = [pid]
    for task in _tasks(pid):
        for child in read(f'/proc/{pid}/task/{task}/children').split():
            found += tree(int(child))
    return found


def _tasks(pid):
    try:
        return os.listdir(f'/proc/{pid}/task')
    except OSError:
        return []


def _number(text, name):
    match = re.search(rf'^{name}:\s+(\d+)', text, re.M)
    return int(match.group(1)) if match else 0


def switches(pid):
    """How often any thread of these processes was woken, so far."""
    total = 0
    for one in tree(pid):
        for task in _tasks(one):
            total += _number(read(f'/proc/{one}/task/{task}/status'), 'voluntary_ctxt_switches')
    return total


def memory_mib(pid):
    """Resident memory. Of several processes: each one's share of what they share."""
    pids = tree(pid)
    if len(pids) == 1:
        return _number(read(f'/proc/{pid}/status'), 'VmRSS') / 1024
    return sum(_number(read(f'/proc/{one}/smaps_rollup'), 'Pss') for one in pids) / 1024


def cpu_s(pid):
    """Seconds of processor time of a process and those below it, those that ended included."""
    total = 0
    for one in tree(pid):
        fields = read(f'/proc/{one}/stat').rpartition(')')[2].split()
        total += sum(int(word) for word in fields[11:15])
    return total * TICK_S


# ---- Who else is there --------------------------------------------------------------------------

class Others:
    """How much of the processors others took, sampled while we and our servers do nothing."""

    def __init__(self):
        self.begun = _ticks()
        self.shares = []
        self.names = {}
        self.load = read('/proc/loadavg').split()[:3]

    def sample(self, pids, seconds=0.3):
        """Waits; pids are our servers, whose own work is taken off."""
        ours, busy = self._ours(pids), _busy()
        time.sleep(seconds)
        taken = (_busy() - busy) * TICK_S - (self._ours(pids) - ours)
        self.shares.append(max(0.0, taken / seconds / os.cpu_count()))
        self._running(pids)

    @staticmethod
    def _ours(pids):
        return sum(cpu_s(pid) for pid in pids)

    def _running(self, pids):
        ours = {os.getpid(), *(one for pid in pids for one in tree(pid))}
        for name in os.listdir('/proc'):
            if name.isdigit() and int(name) not in ours:
                stat = read(f'/proc/{name}/stat')
                if stat.rpartition(')')[2].split()[:1] == ['R']:
                    comm = stat[stat.find('(') + 1:stat.rfind(')')]
                    self.names[comm] = self.names.get(comm, 0) + 1

    def describe(self):
        shares = sorted(self.shares) or [0]
        seen = sorted(self.names, key=self.names.get, reverse=True)[:6]
        return (f'load average {" ".join(self.load)} at the start; before each measurement others '
                f'took {100 * shares[len(shares) // 2]:.0f} % of the processors (median of '
                f'{len(shares)} samples), at most {100 * shares[-1]:.0f} %; the host of a virtual '
                f'machine withheld {100 * self._stolen():.1f} % of the time of the processors '
                'throughout' +
                (f'; seen running: {", ".join(seen)}' if seen else ''))

    def _stolen(self):
        """The share of all time in which a processor was wanted here and used elsewhere."""
        since = [after - before for after, before in zip(_ticks(), self.begun)]
        return since[7] / max(1, sum(since))

    def median(self):
        shares = sorted(self.shares) or [0]
        return shares[len(shares) // 2]


def _ticks():
    """Of all processors since the start: user, nice, system, idle, waiting, irq, softirq, steal."""
    return [int(word) for word in read('/proc/stat').split('\n', 1)[0].split()[1:9]]


def _busy():
    """Ticks in which the processors did something, or were taken away by the host."""
    fields = _ticks()
    return sum(fields) - fields[3] - fields[4]
