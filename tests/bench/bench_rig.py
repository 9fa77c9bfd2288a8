"""The parts of a measurement: pinned daemons, the C load generator and sink, CPU and memory of a process."""
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "peers"))
import harness  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
REPLY_TIMEOUT_S = 120.0
DRAIN_TIMEOUT_S = 30.0


def cores():
    """(the daemon's, the generator's and sink's): different ones where the machine has two."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[-1], usable[0]


def tool_path(name):
    path = os.path.join(os.environ.get("PROFPIPE_BENCH_TOOLS") or os.path.join(ROOT, "build", "release", "tests", "bench"), name)
    if not os.access(path, os.X_OK):
        raise harness.Skip(f"no {name} at {path} (build the release preset)")
    return path


REALTIME = "realtime"


def set_nice(pid, nice):
    """Of every thread, and of the session where the kernel shares time out by session (autogroup): nice alone has no effect there. With
    REALTIME the process runs before all normal ones, as it would on a quiet machine."""
    for task in os.listdir(f"/proc/{pid}/task"):
        if nice == REALTIME:
            os.sched_setscheduler(int(task), os.SCHED_RR, os.sched_param(1))
        else:
            os.setpriority(os.PRIO_PROCESS, int(task), nice)
    if nice == REALTIME:
        return
    with contextlib.suppress(OSError), open(f"/proc/{pid}/autogroup", "w") as group:
        group.write(str(nice))


def pinned(core_list, nice):
    """What stands before a command so that it starts on these cores, and at once where that is wanted."""
    return (["chrt", "-r", "1"] if nice == REALTIME else []) + ["taskset", "-c", core_list]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mib(pid, name):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(name + ":"))


def core_busy_seconds(core):
    """Time that a core has spent on anything, and time that the host took from it."""
    with open("/proc/stat") as stat:
        fields = next(line for line in stat if line.startswith(f"cpu{core} ")).split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / TICKS


@contextlib.contextmanager
def perf(pid, path):
    """Records where the process spends its time meanwhile; nothing without a path."""
    if not path:
        yield
        return
    recorder = subprocess.Popen(["perf", "record", "-q", "-F", "997", "-g", "-p", str(pid), "-o", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.3)
    try:
        yield
    finally:
        recorder.send_signal(signal.SIGINT)
        recorder.wait(30)


class Tool:
    """otlp_load or otlp_sink: a command on its standard input, a JSON line as the answer."""

    def __init__(self, name, *arguments):
        command = [*pinned(str(cores()[1]), Program.nice), tool_path(name), *map(str, arguments)]
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True)
        set_nice(self.process.pid, Program.nice)
        self.buffer = b""
        self.hello = self.reply()

    def reply(self, timeout_s=REPLY_TIMEOUT_S):
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not chunk:
                raise harness.Failure(f"{self.name} {'ended' if ready else 'gave no answer'}")
            self.buffer += chunk
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def readable(self, timeout_s):
        return bool(select.select([self.process.stdout], [], [], timeout_s)[0])

    def ask(self, command, **options):
        self.start(command, **options)
        return self.reply()

    def start(self, command, **options):
        """As ask, but the answer is fetched later by reply()."""
        self.process.stdin.write((" ".join([command, *(f"{k}={v}" for k, v in options.items())]) + "\n").encode())

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Program:
    """What is measured: a name for the table, how to start it, which of a row's settings it gets."""

    nice = 0  # of all programs and tools, or REALTIME

    def __init__(self, name, binary=None, tuned=False, core_list=None):
        self.name, self.binary, self.tuned = name, binary, tuned
        self.is_collector = binary is None
        self.core_list = core_list or str(cores()[0])

    def start(self, t, name, config, port, arguments=()):
        path = t.write(f"{name}.yaml", config)
        if self.is_collector:
            command = [harness.peer("otelcol"), "--config", path, "--feature-gates=service.profilesSupport"]
        else:
            command = [self.binary, "--config", path, *arguments]
        daemon = t.start(name, [*pinned(self.core_list, self.nice), *command], [port])
        set_nice(daemon.pid, self.nice)
        return daemon


def wait_for_sink(sink, before, count):
    """Until the sink has `count` messages more than before, or, with count None, until nothing has come for half a second."""
    deadline = time.monotonic() + DRAIN_TIMEOUT_S
    quiet_since, last = time.monotonic(), -1
    while True:
        now = sink.ask("stats")
        if count is not None and now["messages"] - before["messages"] >= count:
            return now
        if now["messages"] != last:
            quiet_since, last = time.monotonic(), now["messages"]
        if time.monotonic() > deadline or (count is None and time.monotonic() - quiet_since > 0.5):
            return now
        time.sleep(0.01)


def run_load(load, sink, pid, port, count_arrivals=True, **options):
    """One run of the generator until everything that was accepted has arrived. CPU seconds are the daemon's, generator's and sink's."""
    sink_before, cpu_before, busy_before, started = sink.ask("stats"), cpu_seconds(pid), core_busy_seconds(cores()[0]), time.monotonic()
    sent = load.ask("run", port=port, **options)
    arrived = wait_for_sink(sink, sink_before, sent["ok"] if count_arrivals else None)
    cpu, wall = cpu_seconds(pid) - cpu_before, time.monotonic() - started
    last_ns = max(arrived["last_ns"], sent["start_ns"] + int(sent["seconds"] * 1e9))
    return {"sent": sent, "cpu_s": cpu, "load_cpu_s": sent["cpu_s"], "sink_cpu_s": arrived["cpu_s"] - sink_before["cpu_s"],
            "seconds": (last_ns - sent["start_ns"]) / 1e9,
            "foreign_share": max(0.0, core_busy_seconds(cores()[0]) - busy_before - cpu) / wall,
            **{f"arrived_{k}": arrived[k] - sink_before[k] for k in ("messages", "body_bytes", "payload_bytes")}}
