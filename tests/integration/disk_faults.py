#!/usr/bin/env python3
"""The file exporter on a disk that is full, read-only or gone for a while, and under rotation by others: what was accepted is in the files exactly once,
what was not was refused, and the log says each change once. The disk is a small tmpfs in a mount namespace of the daemon's own."""
import contextlib
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

DISK_MIB = 2
EXIT_OK = 0

CONFIG = """
receivers:
  otlp: {{protocols: {{http: {{endpoint: 127.0.0.1:{port}}}}}}}
exporters:
  file: {{path: {path}, {keys}}}
service:
  telemetry: {{metrics: {{level: normal, readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {metrics}}}}}}}}}]}}}}
  pipelines: {{profiles: {{receivers: [otlp], exporters: [file]}}}}
"""


class Disk:
    """A daemon whose folder is a tmpfs of its own."""

    def __init__(self, t, name, keys):
        self.t, self.folder = t, t.path(name)
        os.makedirs(self.folder)
        self.port, self.metrics = harness.free_port(), harness.free_port()
        self.accepted = 0
        config = t.write(f"{name}.yaml", CONFIG.format(port=self.port, metrics=self.metrics, path=os.path.join(self.folder, "out.json"), keys=keys))
        inside = f"mount -t tmpfs -o size={DISK_MIB}m none {self.folder} && exec {harness.profpipe_binary()} --config {config}"
        self.daemon = t.start(name, ["unshare", *namespace(), "sh", "-c", inside], [self.port, self.metrics])

    def path(self, name=""):
        return f"/proc/{self.daemon.pid}/root{self.folder}/{name}"

    def mount(self, *arguments):
        """In the daemon's namespace."""
        user = ["-U", "--preserve-credentials"] if os.geteuid() else []
        subprocess.run(["nsenter", "-t", str(self.daemon.pid), *user, "-m", *arguments], check=True, capture_output=True, timeout=10)

    def send(self, messages):
        report = self.t.send(self.port, messages, to="http")
        self.accepted += report["ok"]
        return report

    def written(self, *names):
        """The messages in the files; a line that is no JSON is a failure of the test."""
        out = []
        for name in names:
            with open(self.path(name)) as lines:
                out += [json.loads(line) for line in lines]
        return out

    def wait_written(self, count, *names):
        harness.wait_until(lambda: len(self.written(*names)) >= count, 10, f"{count} messages in {names} (there are {len(self.written(*names))})")
        self.t.check(len(self.written(*names)) == count, f"every message that was accepted is in the files once ({count})")

    def told(self, pattern):
        return [line for line in self.daemon.log().splitlines() if pattern in line]


def namespace():
    """Arguments of unshare for a mount namespace, with a user namespace where we are not root."""
    arguments = ["-m"] if os.geteuid() == 0 else ["-r", "-m"]
    if subprocess.run(["unshare", *arguments, "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, timeout=10, check=False).returncode != 0:
        raise harness.Skip("no mount namespaces here")
    return arguments


def full_disk(t, messages, keys, what):
    disk = Disk(t, what.replace(" ", "_"), keys)
    with open(disk.path("ballast"), "wb") as ballast:
        ballast.write(bytes((DISK_MIB << 20) - (600 << 10)))
    report = {"refused": {}}
    for _ in range(12):  # 20 KB of protobuf are more of JSON: these are too many for 600 KiB
        report = disk.send(messages)
        if report["refused"]:
            break
    t.check(set(report["refused"]) == {"http 503"} and report["retry"]["seen"] > 0, f"{what}: senders are asked to come back (503, Retry-After)", report)
    disk.daemon.wait_for_log("No space left on device", 10)
    time.sleep(1.5)
    t.check(len(disk.told("No space left")) <= 2, f"{what}: the log says it once, not for each message", disk.told("No space left")[:5])
    lines = disk.written("out.json")
    t.check(0 < len(lines) <= disk.accepted, f"{what}: the file ends with a whole message ({len(lines)} of {disk.accepted} accepted)")
    os.unlink(disk.path("ballast"))
    harness.wait_until(lambda: disk.send(messages)["ok"] > 0, 10, f"{what}: messages to be taken again")
    disk.wait_written(disk.accepted, "out.json")
    t.check(harness.metric_sum(disk.metrics, "otelcol_receiver_refused_profile_samples") > 0, f"{what}: what was refused is counted")
    t.check(disk.daemon.stop() == EXIT_OK, f"{what}: the daemon ends well")


def read_only(t, messages):
    """A read-only disk is mounted over the folder: the path is there no more, and nothing can be made at it."""
    disk = Disk(t, "read_only", "flush_interval: 200ms")
    disk.send(messages)
    disk.wait_written(disk.accepted, "out.json")
    disk.mount("mount", "-t", "tmpfs", "-o", "ro", "none", disk.folder)
    disk.send(messages)
    disk.daemon.wait_for_log("Read-only file system; keeps what it has", 10)
    time.sleep(1)
    t.check(len(disk.told("Read-only")) == 1, "read-only disk: the log says it once", disk.told("Read-only")[:5])
    disk.mount("umount", disk.folder)
    disk.daemon.wait_for_log("writes to .* again", 10)
    disk.send(messages)
    disk.wait_written(disk.accepted, "out.json")
    t.check(disk.daemon.stop() == EXIT_OK, "read-only disk: the daemon ends well")


def rotated_away(t, messages):
    """As logrotate does it: renamed, renamed with the folder removed, copied and cut short; and a cleaner's rm."""
    disk = Disk(t, "rotated_away", "flush_interval: 100ms")
    count = disk.send(messages)["ok"]
    disk.wait_written(count, "out.json")
    os.rename(disk.path("out.json"), disk.path("out.json.1"))
    disk.send(messages)
    harness.wait_until(lambda: os.path.exists(disk.path("out.json")), 10, "a new file at the path")
    disk.wait_written(2 * count, "out.json", "out.json.1")
    t.check(len(disk.written("out.json.1")) == count, "rotated away: the renamed file stays as it was")
    os.unlink(disk.path("out.json"))
    disk.send(messages)
    harness.wait_until(lambda: os.path.exists(disk.path("out.json")), 10, "a new file in the place of a removed one")
    disk.wait_written(count, "out.json")
    os.truncate(disk.path("out.json"), 0)
    disk.send(messages)
    disk.wait_written(count, "out.json")
    t.check(disk.daemon.stop() == EXIT_OK, "rotated away: the daemon ends well")


def lost_at_the_end(t, messages):
    """Accepted into the buffer, and the disk stays full to the end: said once, with how much it is."""
    disk = Disk(t, "lost", "flush_interval: 60s")
    with contextlib.suppress(OSError), open(disk.path("ballast"), "wb", buffering=0) as ballast:
        while ballast.write(bytes(4096)):
            pass
    report = disk.send([messages])
    disk.daemon.stop()
    lines = disk.told("is lost")
    t.check(report["ok"] > 0 and len(lines) == 1 and "bytes)" in lines[0], "a disk that is full to the end: the log says once how much is lost", lines)


def run(t):
    messages = t.gen("sent", "20k", count=4)
    full_disk(t, messages, "flush_interval: 200ms", "full disk")
    full_disk(t, messages, "flush_interval: 0s", "full disk without buffer")
    read_only(t, messages)
    rotated_away(t, messages)
    lost_at_the_end(t, t.gen("tiny", "tiny"))


if __name__ == "__main__":
    harness.main(run)
