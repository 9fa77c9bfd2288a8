#!/usr/bin/env python3
"""The stored sending queue: restarts, reloads, metadata, memory, a full and a read-only disk, damaged files, a second daemon, wrong directories. PROFPIPE_PART
names one of the functions to run it alone."""
import contextlib
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

MEBIBYTE = 1 << 20
BACKLOG_BYTES = 300 * MEBIBYTE
BACKLOG_MEMORY_KB = 120 << 10
QUEUE = "exporter_otlp_http__profiles.queue"


def files(folder):
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]


def memory_kb(daemon, what="VmHWM"):
    with open(f"/proc/{daemon.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(what + ":"))


@contextlib.contextmanager
def mounted(folder, options):
    os.makedirs(folder, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True, timeout=10, check=False)
    if done.returncode != 0:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], timeout=10, check=False)


class Scene:
    """One daemon with a stored queue, before a backend that is not there at first."""

    def __init__(self, t, name, storage="", queue="", exporter="", extensions="", folder=None):
        self.t, self.name = t, name
        self.port, self.metrics, self.sink_port = (harness.free_port() for _ in range(3))
        self.folder = folder or t.path(f"{name}-store")
        self.storage, self.queue, self.exporter, self.extensions = storage, queue, exporter, extensions
        self.starts = 0
        self.daemon = None

    def config(self):
        more = "".join(f", {name}" for name in re.findall(r"^(\w+):", self.extensions, re.M))
        return f"""
extensions:
  file_storage: {{directory: {self.folder}, create_directory: true{self.storage}}}
  {self.extensions}
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{self.port}, include_metadata: true}}}}}}}}
exporters:
  otlp_http:
    endpoint: http://127.0.0.1:{self.sink_port}
    sending_queue: {{storage: file_storage, num_consumers: 2{self.queue}}}
    retry_on_failure: {{initial_interval: 50ms, max_interval: 200ms, max_elapsed_time: 0}}
    {self.exporter}
service:
  extensions: [file_storage{more}]
  telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {self.metrics}}}}}}}}}]}}}}
  pipelines: {{profiles: {{receivers: [otlp], exporters: [otlp_http]}}}}
"""

    def start(self):
        self.starts += 1
        self.daemon = self.t.profpipe(f"{self.name}{self.starts}", self.config(), [self.port])
        self.daemon.wait_for_log("component instances")  # ports are open before the queue has been counted
        self.config_path = self.t.path(f"{self.name}{self.starts}.yaml")
        return self

    def refuses(self):
        """The log of a daemon that must not start."""
        path = self.t.write(f"{self.name}-refused.yaml", self.config())
        done = subprocess.run([harness.profpipe_binary(), "--config", path], capture_output=True, text=True, timeout=30, check=False)
        self.t.check(done.returncode not in (0, -9), f"{self.name}: the daemon does not start", done.returncode)
        return done.stderr

    def sink(self, script="ok"):
        return self.t.sink(f"{self.name}-sink", script=script, arguments=("--http", self.sink_port, "--grpc", -1))

    def send(self, inputs, *arguments):
        return self.t.send(self.port, inputs, arguments=arguments)

    def metric(self, name):
        return harness.metric_sum(self.metrics, name, exporter="otlp_http")

    def wait_empty(self):
        harness.wait_until(lambda: self.metric("otelcol_exporter_queue_size") == 0, 60, f"{self.name}: the queue to be empty")

    def arrived(self, sink, count):
        """The messages, once the queue is empty and the backend has written down what came."""
        self.wait_empty()
        harness.wait_until(lambda: len(sink.requests()) >= count, 20, f"{self.name}: {count} messages in the backend's log")
        return [r["file"] for r in sink.requests()]

    def segments(self):
        folder = os.path.join(self.folder, QUEUE)
        return [os.path.join(folder, f) for f in sorted(os.listdir(folder)) if f.endswith(".seg")]


def restart(t):
    """Ended in order, with the backend away."""
    s = Scene(t, "restart", extensions="headers_setter: {headers: [{key: X-Tenant, from_context: tenant}]}", exporter="auth: {authenticator: headers_setter}").start()
    sent = t.gen("restart-sent", "20k", count=20)
    reports = [s.send(files(sent)[i::2], "--header", f"tenant:{name}") for i, name in enumerate(("acme", "other"))]
    t.check(sum(r["ok"] for r in reports) == 20, "20 messages are accepted while the backend is away", reports)
    t.check(s.daemon.stop(10) == 0, "the daemon ends at once, with code 0, though they wait")
    t.check("20 batches stay for the next start" in s.daemon.log(), "it says that 20 batches stay", s.daemon.log()[-500:])
    t.check("not delivered" not in s.daemon.log(), "and none is called lost")
    sink = s.sink()
    s.start()
    t.check("20 batches of earlier runs are sent first" in s.daemon.log(), "the next one says that it found them")
    t.same_profiles("each value arrives", sent, s.arrived(sink, 20))
    tenants = sorted(r["headers"].get("X-Tenant", ["none"])[0] for r in sink.requests())
    t.check(tenants == ["acme"] * 10 + ["other"] * 10, "with the metadata of its request (headers_setter)", tenants)
    t.check(s.metric("profpipe_exporter_storage_recovered_batches") == 20 and s.metric("profpipe_exporter_storage_damages") == 0, "and is counted as recovered")
    harness.wait_until(lambda: not s.segments() or s.metric("profpipe_exporter_storage_bytes") < MEBIBYTE, 10, "the files to go")
    s.daemon.stop()
    t.check(s.segments() == [], "no file of records is left at the end", s.segments())


def reload(t):
    s = Scene(t, "reload").start()
    sent = t.gen("reload-sent", "20k", count=12)
    s.send(files(sent)[:4])
    before = s.daemon.log()
    s.daemon.signal(signal.SIGHUP)
    s.daemon.wait_for_log(r"reload", since=len(before))
    s.send(files(sent)[4:8])
    t.check("stay for the next start" not in s.daemon.log(), "an unchanged exporter keeps its queue over a reload", s.daemon.log()[-400:])
    s.exporter = "timeout: 7s"
    with open(s.config_path, "w") as out:
        out.write(s.config())
    s.daemon.signal(signal.SIGHUP)
    s.daemon.wait_for_log(r"8 batches of earlier runs")
    t.check("8 batches stay for the next start" in s.daemon.log(), "a changed one finds it again: 8 batches")
    harness.wait_until(lambda: harness.can_connect(s.port), 10, "the receiver")
    report = s.send(files(sent)[8:])
    t.check(report["ok"] == 4 and s.metric("otelcol_exporter_queue_size") == 12, "and goes on with it", (report, s.metric("otelcol_exporter_queue_size")))
    s.storage = ", fsync: true"
    with open(s.config_path, "w") as out:
        out.write(s.config())
    s.daemon.signal(signal.SIGHUP)
    s.daemon.wait_for_log(r"12 batches of earlier runs")
    sink = s.sink()
    t.same_profiles("also over a change of the extension; every value arrives", sent, s.arrived(sink, 12))
    t.check(s.daemon.running(), "the daemon runs on")
    s.daemon.stop()


def memory(t):
    """A queue of 300 MiB with max_bytes_mib 16."""
    s = Scene(t, "memory", queue=", queue_size: 1000000, max_bytes_mib: 16").start()
    load = t.gen("load", "300k", count=8)
    size = sum(map(os.path.getsize, files(load))) // 8
    count = BACKLOG_BYTES // size
    report = s.send(load, "--count", count, "--concurrency", 4)
    t.check(report["ok"] == count, f"{count} messages, {count * size >> 20} MiB, are accepted while the backend is away", report)
    t.check(s.metric("profpipe_exporter_storage_bytes") >= count * size, "they are on the disk", s.metric("profpipe_exporter_storage_bytes"))
    peak = memory_kb(s.daemon)
    t.check(harness.sanitized() or peak < BACKLOG_MEMORY_KB, f"in memory are {peak >> 10} MiB at most, below {BACKLOG_MEMORY_KB >> 10}")
    sink = s.t.sink("memory-sink", arguments=("--http", s.sink_port, "--grpc", -1), save=False)
    s.wait_empty()
    t.check(sink.answered() >= count, f"all {count} arrive ({sink.answered()})")
    peak = memory_kb(s.daemon)
    t.check(harness.sanitized() or peak < BACKLOG_MEMORY_KB, f"and reading them back takes no more: {peak >> 10} MiB")
    s.daemon.stop()


def full_disk(t):
    folder = t.path("small")
    with mounted(folder, "size=3m") as mount:
        if not mount:
            t.say("no mount allowed here: the full disk is left to the unit tests")
            return
        s = Scene(t, "full", folder=os.path.join(mount, "store")).start()
        sent = t.gen("full-sent", "300k", count=20)
        report = s.send(sent)
        t.check(0 < report["ok"] < 20 and report["refused"] == {"Unavailable": 20 - report["ok"]},
                f"a full disk: {report['ok']} messages are kept, the senders of the others get Unavailable", report)
        t.check(report["retry"]["seen"] == 20 - report["ok"], "with RetryInfo", report)
        lines = [line for line in s.daemon.log().splitlines() if "No space left on device" in line]
        t.check(len(lines) == 1 and "senders are asked to try again" in lines[0], "the log says so once", lines)
        sink = s.sink()
        t.check(len(s.arrived(sink, report["ok"])) >= report["ok"], "what was kept arrives")
        report = s.send(files(sent)[:3])
        t.check(report["ok"] == 3, "then there is room again", report)
        t.check("can be written again" in s.daemon.log(), "and the log says that too")
        s.wait_empty()
        s.daemon.stop()


def read_only(t):
    folder = t.path("readonly")
    with mounted(folder, "size=3m") as mount:
        if not mount:
            return
        subprocess.run(["mount", "-o", "remount,ro", mount], timeout=10, check=True)
        log = Scene(t, "read-only", folder=os.path.join(mount, "store")).refuses()
        t.check("Read-only file system" in log and "file_storage" in log, "a read-only disk: it says which directory cannot be made", log[-400:])


def damaged(t):
    s = Scene(t, "damaged", storage=", recreate: true").start()
    sent = t.gen("damaged-sent", "20k", count=10)
    s.send(sent)
    s.daemon.kill()
    segment = s.segments()[0]
    with open(segment, "r+b") as out:
        data = bytearray(out.read())
        places = [m.start() for m in re.finditer(b"PREC", data)]
        data[places[2] + 500] ^= 0xFF  # a body
        data[places[5] + 9] ^= 0xFF  # a header
        out.seek(0)
        out.write(data)
        out.truncate(places[9] + 100)
    folder = os.path.dirname(segment)
    with open(os.path.join(folder, "00000000000000000900.seg"), "w") as out:
        out.write("nothing of ours")
    with open(os.path.join(folder, "notes.txt"), "w") as out:
        out.write("neither")
    sink = s.sink()
    s.start()
    whole = [files(sent)[i] for i in (0, 1, 3, 4, 6, 7, 8)]
    t.same_profiles("damaged files: the seven whole messages of ten arrive", whole, s.arrived(sink, 7))
    log = s.daemon.log()
    wanted = [f"damaged: the record of .* at offset {places[2]} is left out", f"damaged: .* bytes from offset {places[5]} are left out",
              f"cut off within a record: the last .* bytes, from offset {places[9]}, are left out", "00900.seg: does not begin as a segment"]
    for pattern in wanted:
        t.check(len(re.findall(pattern, log)) == 1, f"one line says: {pattern}", [line for line in log.splitlines() if "stored queue" in line])
    t.check(s.metric("profpipe_exporter_storage_damages") == 4, "four places are counted", s.metric("profpipe_exporter_storage_damages"))
    t.check(s.metric("profpipe_exporter_storage_lost_samples") > 0, "and the samples of the one whose head is whole")
    s.daemon.stop()
    left = sorted(os.listdir(folder))
    t.check(left == ["00000000000000000001.backup", "00000000000000000900.seg", "lock", "notes.txt"],
            "with recreate the damaged file is kept as .backup; what is none of ours stays", left)


def second_daemon(t):
    s = Scene(t, "first").start()
    other = Scene(t, "second", folder=s.folder)
    log = other.refuses()
    t.check(re.search(rf"{QUEUE} is in use by process {s.daemon.pid}: each daemon needs a directory of its own", log), "a second daemon on the same directory says who holds it", log[-400:])
    sent = t.gen("second-sent", "20k")
    t.check(s.send(sent)["ok"] == 1, "the first one does not notice")
    s.daemon.kill()
    sink = s.sink()
    s.start()
    sink.wait_for(1)
    t.check(True, "after a SIGKILL nothing is in the way of the next start")
    s.wait_empty()
    s.daemon.stop()


def wrong_directories(t):
    missing = Scene(t, "missing", folder=t.path("nowhere", "deep"))
    text = missing.config().replace(", create_directory: true", "")
    missing.config = lambda: text
    log = missing.refuses()
    t.check("No such file or directory (the directory must exist; create_directory: true makes it)" in log, "a missing directory is named, with what to do", log[-300:])
    made = Scene(t, "made", folder=t.path("made", "a", "b"), storage=", directory_permissions: \"0700\"").start()
    t.check(os.stat(t.path("made", "a", "b")).st_mode & 0o777 == 0o700, "create_directory makes it with directory_permissions", oct(os.stat(t.path("made", "a", "b")).st_mode))
    made.daemon.stop()
    path = t.path("a-file")
    with open(path, "w"):
        pass
    log = Scene(t, "file", folder=path).refuses()
    t.check("a-file" in log and ("Not a directory" in log or "not a directory" in log), "a file in its place is named", log[-300:])
    text = Scene(t, "wrong").config().replace("extensions: [file_storage]", "extensions: []")
    config = t.write("wrong.yaml", text)
    done = subprocess.run([harness.profpipe_binary(), "validate", "--config", config], capture_output=True, text=True, timeout=30, check=False)
    line = next(i for i, l in enumerate(text.splitlines(), 1) if "sending_queue" in l)
    t.check(done.returncode != 0 and f"wrong.yaml:{line}:" in done.stderr + done.stdout and "file_storage" in done.stderr + done.stdout,
            "an extension that service.extensions does not list is an error with its place", done.stderr + done.stdout)


def run(t):
    if harness.standin():
        raise harness.Skip("the Collector under test has no storage extension")
    only = os.environ.get("PROFPIPE_PART", "")
    for part in (restart, reload, memory, full_disk, read_only, damaged, second_daemon, wrong_directories):
        if only not in ("", part.__name__):
            continue
        part(t)


if __name__ == "__main__":
    harness.main(run)
