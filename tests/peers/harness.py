"""Starts real programs for an integration test, waits for them with a bound, and shows their logs when a check fails.

A test script ends with `harness.main(run)`, where run(t) gets a Test. Exit codes: 0 passed, 1 failed, 77 skipped. Environment:
PROFPIPE_BIN is the binary under test (default: build/release/profpipe of this checkout); PROFPIPE_STANDIN=otelcol puts a
Collector in its place, which tells faults of a test from faults of profpipe; PROFPIPE_KEEP=1 leaves the temporary folder.
"""
import contextlib
import functools
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
import textwrap
import time
import traceback
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 30.0
TOOL_TIMEOUT_S = 120.0
DIFF_TIMEOUT_S = 300.0  # it expands every message
BUILD_TIMEOUT_S = 590.0
LOG_LINES_SHOWN = 40
REPORT_STOP_S = 10.0
SANITIZED_SLOWER = 6
REPORT_BYTES_SHOWN = 6000
SKIPPED = 77


class Skip(Exception):
    """The test cannot run here; the text says why."""


class Failure(Exception):
    """A check that failed or a wait that ran out."""


def peer(name):
    """The path of a peer's binary, built when the cache lacks it."""
    try:
        done = subprocess.run([os.path.join(HERE, "build.sh"), name], stdout=subprocess.PIPE, text=True, timeout=BUILD_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as expired:
        raise Failure(f"building the peer {name} took over {BUILD_TIMEOUT_S:.0f} s") from expired
    if done.returncode == SKIPPED:
        raise Skip(f"the peer {name} cannot be built here (no usable Go)")
    if done.returncode != 0:
        raise Failure(f"building the peer {name} failed")
    return done.stdout.strip()


def profpipe_binary():
    path = os.environ.get("PROFPIPE_BIN") or os.path.join(ROOT, "build", "release", "profpipe")
    if not os.access(path, os.X_OK):
        raise Skip(f"no profpipe binary at {path} (build the release preset or set PROFPIPE_BIN)")
    return path


# In a log: a failed assertion, or a sanitizer that does not follow report_sanitizers_to.
FAULT_REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error: |Assertion .* failed")
SANITIZER_FILE = "sanitizer-report"


def report_sanitizers_to(folder):
    """Every program that this script starts, in whatever way, leaves its sanitizer's report in a file there. Only what -fsanitize=undefined
    finds goes to stderr (gcc's library ignores log_path beside the others): it ends the program by SIGABRT, which no check takes for a refusal."""
    common = f"log_path={os.path.join(folder, SANITIZER_FILE)}"
    os.environ["ASAN_OPTIONS"] = f"{common}:detect_stack_use_after_return=1"
    os.environ["UBSAN_OPTIONS"] = "abort_on_error=1:print_stacktrace=1"
    os.environ["TSAN_OPTIONS"] = f"{common}:second_deadlock_stack=1"


@functools.cache
def sanitized():
    """Whether the binary under test has a sanitizer in it: its memory and speed say nothing then."""
    if standin():
        return False
    with open(profpipe_binary(), "rb") as binary:
        content = binary.read()
    return b"__asan_init" in content or b"__tsan_init" in content


def patient(seconds):
    """A limit for something that a sanitizer makes slower."""
    return seconds * (SANITIZED_SLOWER if sanitized() else 1)


def standin():
    return os.environ.get("PROFPIPE_STANDIN") == "otelcol"


_given_ports = []


def reserve(port):
    """Whether the port is this script's from now on: scripts run side by side, and a port on which one of them wants nobody to listen looks free to the
    others. An abstract Unix socket of that number tells them; it goes with the process."""
    mark = socket.socket(socket.AF_UNIX)
    try:
        mark.bind(f"\0profpipe-test-port-{port}")
    except OSError:
        mark.close()
        return False
    _given_ports.append(mark)
    return True


def free_port():
    """A port below the range that the kernel gives to clients, so that nothing takes it between this check and its use."""
    for _ in range(200):
        port = random.SystemRandom().randrange(12000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if reserve(port):
            return port
    raise Failure("no free port in 200 tries")


def wait_until(condition, timeout_s, what):
    """Polls until condition() is true and returns its value; Failure names what was waited for. Waits longer for a sanitizer's binary."""
    timeout_s = patient(timeout_s)
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"waited {timeout_s:.0f} s in vain for {what}")
        time.sleep(0.02)


def can_connect(port, host="127.0.0.1"):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


class Daemon:
    """A running program whose output goes to a file."""

    def __init__(self, name, command, folder, env=None):
        self.name = name
        self.killed = False  # by the test
        self.reports_at_end = sanitized() and command[0] == profpipe_binary()
        self.log_path = os.path.join(folder, f"{name}.log")
        self.out_path = os.path.join(folder, f"{name}.out")
        with open(self.log_path, "wb") as log, open(self.out_path, "wb") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, env=env, start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        with open(self.log_path, errors="replace") as text:
            return text.read()

    def out(self):
        with open(self.out_path, errors="replace") as text:
            return text.read()

    def running(self):
        return self.process.poll() is None

    def wait_for_ports(self, ports, timeout_s=READY_TIMEOUT_S):
        def ready():
            if not self.running():
                raise Failure(f"{self.name} ended with code {self.process.returncode} before it was ready")
            return all(can_connect(p) for p in ports)
        wait_until(ready, timeout_s, f"{self.name} to listen on {ports}")

    def wait_for_log(self, pattern, timeout_s=READY_TIMEOUT_S, since=0):
        """Waits for a regular expression in the log after byte offset `since`; returns the match."""
        return wait_until(lambda: re.search(pattern, self.log()[since:]), timeout_s, f"{self.name} to log /{pattern}/")

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, timeout_s=STOP_TIMEOUT_S):
        """SIGTERM and a bounded wait; returns the exit code. A program that does not end is killed and is a failure."""
        if self.running():
            self.signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired as expired:
            self.kill()
            raise Failure(f"{self.name} did not end within {timeout_s:.0f} s of SIGTERM") from expired

    def kill(self):
        self.killed = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Sink(Daemon):
    """otlptool sink with its ports and its control endpoint."""

    def __init__(self, name, folder, arguments, script, save):
        self.folder = os.path.join(folder, name)
        self.requests_path = os.path.join(folder, f"{name}.requests.jsonl")
        command = [peer("otlptool"), "sink", "--script", script, "--log", self.requests_path, *map(str, arguments)]
        if save:
            command += ["--dir", self.folder, "--save-refused"]
        super().__init__(name, command, folder)
        ports = json.loads(wait_until(lambda: self.out().split("\n")[0] if "\n" in self.out() else None, READY_TIMEOUT_S, f"{name} to print its ports"))
        self.grpc, self.http, self.control = ports.get("grpc"), ports.get("http"), ports.get("control")

    def stats(self):
        return json.loads(http_get(f"http://127.0.0.1:{self.control}/stats"))

    def script(self, text):
        request = urllib.request.Request(f"http://127.0.0.1:{self.control}/script", data=text.encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10):
            pass

    def requests(self):
        """Every request so far, oldest first."""
        with open(self.requests_path) as lines:
            return [json.loads(line) for line in lines if line.endswith("\n")]

    def answered(self, *names):
        answers = self.stats()["answers"]
        return sum(answers.get(n, 0) for n in names or ("ok", "partial", "slow", "goaway"))

    def wait_for(self, count, timeout_s=60.0):
        wait_until(lambda: self.answered() >= count, timeout_s, f"{count} messages at {self.name} (has {self.stats()})")


def http_get(url, timeout_s=10):
    with urllib.request.urlopen(url, timeout=timeout_s) as response:
        return response.read().decode()


def metrics(port):
    """The Prometheus page as {(name, frozenset of label pairs): value}."""
    out = {}
    for line in http_get(f"http://127.0.0.1:{port}/metrics").splitlines():
        match = re.fullmatch(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?", line)
        if match and not line.startswith("#"):
            labels = frozenset(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match.group(2) or ""))
            out[(match.group(1), labels)] = float(match.group(3))
    return out


def metric_sum(port, name, **labels):
    """The sum over all series of a name that carry these labels; 0 when there is none. A _total suffix is optional."""
    wanted = set(labels.items())
    return sum(v for (n, have), v in metrics(port).items() if n in (name, name + "_total") and wanted <= have)


class Test:
    """What one test script has started and checked."""

    def __init__(self, folder):
        self.folder = folder
        self.daemons = []
        self.checks = 0
        self.failures = []

    # Checks

    def say(self, text):
        print(text + "\n", end="", flush=True)  # in one piece: tables run in threads

    def check(self, condition, what, detail=""):
        """Records and prints a check; the test goes on, so that one run shows every fault."""
        self.checks += 1
        if condition:
            self.say(f"ok: {what}")
        else:
            self.failures.append(what)
            self.say(f"FAILED: {what}{': ' + str(detail) if detail != '' else ''}")
        return bool(condition)

    def check_cost(self, condition, what, detail=""):
        """A check of time or memory, left out where a sanitizer spends both."""
        if sanitized():
            self.say(f"left out: {what}: a sanitizer's own")
            return True
        return self.check(condition, what, detail)

    # Programs

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text):
        with open(self.path(name), "w") as out:
            out.write(textwrap.dedent(text))
        return self.path(name)

    def start(self, name, command, ports=(), env=None):
        daemon = Daemon(name, command, self.folder, env)
        self.daemons.append(daemon)
        daemon.wait_for_ports(ports)
        return daemon

    def collector(self, name, config, ports):
        path = self.write(f"{name}.yaml", config)
        return self.start(name, [peer("otelcol"), "--config", path, "--feature-gates=service.profilesSupport"], ports)

    def profpipe(self, name, config, ports, arguments=()):
        """The binary under test, or a Collector where PROFPIPE_STANDIN asks for one."""
        path = self.write(f"{name}.yaml", config)
        if standin():
            return self.collector(name, config, ports)
        return self.start(name, [profpipe_binary(), "--config", path, *arguments], ports)

    def sink(self, name="sink", script="ok", arguments=(), save=True):
        sink = Sink(name, self.folder, arguments, script, save)
        self.daemons.append(sink)
        return sink

    def tool(self, *arguments, timeout_s=TOOL_TIMEOUT_S, codes=(0,)):
        """Runs otlptool to its end; returns (exit code, stdout). An exit code not in codes is a Failure."""
        try:
            done = subprocess.run([peer("otlptool"), *map(str, arguments)], capture_output=True, text=True, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired as expired:
            raise Failure(f"otlptool {arguments[0]} took over {timeout_s:.0f} s") from expired
        if done.returncode not in codes:
            raise Failure(f"otlptool {' '.join(map(str, arguments))}: exit {done.returncode}: {done.stderr.strip()} {done.stdout.strip()[-500:]}")
        return done.returncode, done.stdout

    def gen(self, folder, kind="20k", count=1, seed=1, **flags):
        out = self.path(folder)
        extra = [f"--{name.replace('_', '-')}={str(value).lower() if isinstance(value, bool) else value}" for name, value in flags.items()]
        self.tool("gen", "--out", out, "--kind", kind, "--count", count, "--seed", seed, *extra)
        return out

    def send(self, endpoint_port, inputs, to="grpc", arguments=(), timeout_s=TOOL_TIMEOUT_S):
        """Sends and returns otlptool's report."""
        inputs = [inputs] if isinstance(inputs, str) else list(inputs)
        _, out = self.tool("send", "--to", to, "--endpoint", f"127.0.0.1:{endpoint_port}", *arguments, *inputs, timeout_s=timeout_s)
        return json.loads(out)

    def start_send(self, name, endpoint_port, inputs, to="grpc", arguments=()):
        """A sender in the background; finish_send(daemon) waits for its report."""
        inputs = [inputs] if isinstance(inputs, str) else list(inputs)
        command = [peer("otlptool"), "send", "--to", to, "--endpoint", f"127.0.0.1:{endpoint_port}", *map(str, arguments), *inputs]
        return self.start(name, command)

    def finish_send(self, daemon, timeout_s=TOOL_TIMEOUT_S):
        try:
            daemon.process.wait(timeout_s)
        except subprocess.TimeoutExpired as expired:
            raise Failure(f"{daemon.name} did not end within {timeout_s:.0f} s") from expired
        return json.loads(daemon.out())

    def same_profiles(self, what, sent, received, flags=("--ignore-unknown",)):
        """Compares message files or folders value by value; unknown fields are left out by default, as a Collector drops them."""
        sent, received = ([x] if isinstance(x, str) else list(x) for x in (sent, received))
        code, out = self.tool("diff", *flags, *sent, "--", *received, codes=(0, 1), timeout_s=DIFF_TIMEOUT_S)
        return self.check(code == 0, what, "\n" + out)

    # End

    def check_ends(self):
        """No daemon may have died by a signal that the test did not send, and no program may have left a report of a fault."""
        for daemon in self.daemons:
            code = daemon.process.poll()
            if code is not None and code < 0 and not daemon.killed:
                self.check(False, f"{daemon.name} does not die by a signal", code)
            report = FAULT_REPORT.search(daemon.log())
            if report:
                self.check(False, f"{daemon.name}: no fault in the log", daemon.log()[report.start():report.start() + 2000])
        for name in sorted(os.listdir(self.folder)):
            if name.startswith(SANITIZER_FILE):
                with open(self.path(name), errors="replace") as report:
                    self.check(False, f"no sanitizer report ({name})", "\n" + report.read(REPORT_BYTES_SHOWN))

    def end_for_reports(self):
        """A sanitizer looks for leaks at a program's end: what still runs may end by itself."""
        for daemon in reversed(self.daemons):
            if daemon.reports_at_end and daemon.running():
                with contextlib.suppress(Failure):  # it may wait for a peer that never answers
                    daemon.stop(REPORT_STOP_S)

    def stop_all(self):
        for daemon in reversed(self.daemons):
            if daemon.running():
                daemon.kill()

    def show_logs(self):
        for daemon in self.daemons:
            lines = daemon.log().splitlines()
            self.say(f"--- log of {daemon.name} (exit {daemon.process.poll()}, {len(lines)} lines)")
            for line in lines[-LOG_LINES_SHOWN:]:
                self.say("    " + line[:400])


def run_guarded(run, test):
    """Runs the test and turns what stops it into an exit code."""
    try:
        run(test)
    except Skip as reason:
        print(f"skipped: {reason}")
        return SKIPPED
    except Failure as reason:
        test.check(False, str(reason))
    except Exception:  # a fault of the test itself, shown like any other
        traceback.print_exc(file=sys.stdout)
        test.check(False, "the test script ends without an exception")
    test.end_for_reports()
    test.check_ends()
    if test.failures or test.checks == 0:
        test.show_logs()
        return 1
    return 0


def end_on_sigterm(*_):
    sys.exit(1)


def main(run):
    signal.signal(signal.SIGTERM, end_on_sigterm)  # through `finally`: a script over its time stops what it started
    folder = tempfile.mkdtemp(prefix="profpipe-test-")
    report_sanitizers_to(folder)
    test = Test(folder)
    try:
        code = run_guarded(run, test)
    finally:
        test.stop_all()
        if os.environ.get("PROFPIPE_KEEP") == "1":
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if code != SKIPPED:
        print(f"{test.checks} checks, {len(test.failures)} failed")
        for failure in test.failures:
            print(f"  failed: {failure[:200]}")
    sys.exit(code)
