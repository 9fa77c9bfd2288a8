#!/usr/bin/env python3
"""SIGKILL at random moments under load, the backend going up and down: all that was accepted arrives after a restart. Duplicates are allowed, and counted.

PROFPIPE_KILLS is how often (default 15), PROFPIPE_SEED what makes a run repeatable in its choices (not in its timing). The last line is the figures as JSON."""
import collections
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

KILLS = int(os.environ.get("PROFPIPE_KILLS", "15"))
SEED = int(os.environ.get("PROFPIPE_SEED", str(random.SystemRandom().randrange(1 << 30))))
LIFE_S = 1.0  # a kill comes at most so long after the start
RATE = 150  # messages a second
DRAIN_TIMEOUT_S = 120
# Field 1000, bytes: nobody knows it, so that it stays in a message that is passed on as it came, and tells messages apart.
MARK_TAG = b"\xc2\x3e\x10"
MARK_BYTES = 16


def marked(message, number):
    return message + MARK_TAG + f"{number:016d}".encode()


def mark_of(path):
    with open(path, "rb") as data:
        data.seek(-MARK_BYTES - len(MARK_TAG), os.SEEK_END)
        tail = data.read()
    return int(tail[len(MARK_TAG):]) if tail.startswith(MARK_TAG) else None


class Kills:
    def __init__(self, t):
        self.t = t
        self.random = random.Random(SEED)
        self.port, self.http, self.metrics, self.sink_port = (harness.free_port() for _ in range(4))
        self.messages = []
        for kind, count in (("tiny", 4), ("20k", 4), ("300k", 1)):
            folder = t.gen(kind, kind, count=count)
            for name in sorted(os.listdir(folder)):
                with open(os.path.join(folder, name), "rb") as data:
                    self.messages.append(data.read())
        self.next = 0
        self.accepted, self.offered = set(), 0
        self.sinks, self.sink = [], None
        self.kills_before_ready = self.sink_restarts = self.sink_refusals = 0
        self.starts_s = []
        self.log = ""

    def config(self, fsync):
        return f"""
            extensions: {{file_storage: {{directory: {self.t.path("store")}, create_directory: true, fsync: {str(fsync).lower()}}}}}
            receivers: {{otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{self.port}}}, http: {{endpoint: 127.0.0.1:{self.http}}}}}}}}}
            exporters:
              otlp_grpc:
                endpoint: 127.0.0.1:{self.sink_port}
                tls: {{insecure: true}}
                sending_queue: {{storage: file_storage, queue_size: 100000, max_bytes_mib: 4, num_consumers: 4}}
                retry_on_failure: {{initial_interval: 50ms, max_interval: 300ms, max_elapsed_time: 0}}
            service:
              extensions: [file_storage]
              telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {self.metrics}}}}}}}}}]}}}}
              pipelines: {{profiles: {{receivers: [otlp], exporters: [otlp_grpc]}}}}
            """

    def start_sink(self, script):
        self.sink = self.t.sink(f"sink{len(self.sinks)}", script=script, arguments=("--grpc", self.sink_port, "--http", -1))
        self.sinks.append(self.sink)

    def disturb_sink(self):
        """Up, down, refusing or slow, by chance."""
        choice = self.random.randrange(6)
        if choice == 0 and self.sink.running():
            self.sink.kill()
            self.sink_restarts += 1
        elif not self.sink.running():
            self.start_sink("ok")
        elif choice == 1:
            self.sink_refusals += 1
            self.sink.script("unavailable")
        elif choice == 2:
            self.sink.script("slow:delay=100ms")
        else:
            self.sink.script("ok")

    def write_messages(self, count):
        folder = self.t.path("input")
        os.makedirs(folder, exist_ok=True)
        paths = []
        for _ in range(count):
            path = os.path.join(folder, f"{self.next:08d}.pb")
            with open(path, "wb") as out:
                out.write(marked(self.random.choice(self.messages), self.next))
            paths.append(path)
            self.next += 1
        return paths

    def note_answers(self, log, paths):
        with open(log) as lines:
            for line in lines:
                if line.endswith("\n"):
                    entry = json.loads(line)
                    self.offered += 1
                    if entry["status"] in ("ok", "OK", "200"):
                        self.accepted.add(int(os.path.basename(entry["file"]).split(".")[0]))
        for path in paths:
            os.unlink(path)

    def start_daemon(self, cycle, wait):
        path = self.t.write("profpipe.yaml", self.config(self.random.random() < 0.3))
        started = time.monotonic()
        daemon = self.t.start(f"profpipe{cycle}", [harness.profpipe_binary(), "--config", path], [self.port, self.http] if wait else [])
        if wait:
            self.starts_s.append(time.monotonic() - started)
        return daemon

    def cycle(self, cycle):
        self.disturb_sink()
        wait = self.random.random() < 0.85
        daemon = self.start_daemon(cycle, wait)
        paths = self.write_messages(round(RATE * LIFE_S))
        log = self.t.path("send.log")
        to = self.random.choice(["grpc", "grpc", "http"])
        sender = self.t.start_send("sender", self.http if to == "http" else self.port, paths, to=to, arguments=(
            "--concurrency", 8, "--rate", RATE, "--timeout", "3s", "--log", log, "--compression", self.random.choice(["none", "gzip", "zstd"])))
        life = self.random.uniform(0, LIFE_S)
        time.sleep(life / 2)
        if self.random.random() < 0.3:
            self.disturb_sink()
        time.sleep(life / 2)
        self.kills_before_ready += not wait
        daemon.kill()
        sender.process.wait(60)
        self.note_answers(log, paths)
        self.log += daemon.log()
        self.t.daemons = [d for d in self.t.daemons if d not in (daemon, sender)]
        if cycle % 20 == 19:
            self.t.say(f"{cycle + 1} kills, {len(self.accepted)} of {self.offered} messages accepted")

    def received(self):
        """How often each message has come and been answered with success."""
        counts = collections.Counter()
        for sink in self.sinks:
            for request in sink.requests():
                if request["answer"] in ("ok", "slow"):
                    counts[mark_of(request["file"])] += 1
        return counts

    def settled(self):
        """The same once the backends' logs have all lines."""
        wanted = sum(s.answered() for s in self.sinks if s.running())
        harness.wait_until(lambda: sum(len(s.requests()) for s in self.sinks if s.running()) >= wanted, 20, "the backend's log")
        return self.received()

    def drain(self):
        if not self.sink.running():
            self.start_sink("ok")
        self.sink.script("ok")
        daemon = self.start_daemon("-last", True)
        daemon.wait_for_log("component instances")  # ports are open before the queue has been counted
        harness.wait_until(lambda: harness.metric_sum(self.metrics, "otelcol_exporter_queue_size") == 0, DRAIN_TIMEOUT_S, "the queue to be empty")
        self.t.check(daemon.stop() == 0, "the last daemon ends by itself")
        self.log += daemon.log()


def run(t):
    if harness.standin():
        raise harness.Skip("the Collector under test has no storage extension")
    t.say(f"seed {SEED}, {KILLS} kills")
    k = Kills(t)
    k.start_sink("ok")
    started = time.monotonic()
    for cycle in range(KILLS):
        k.cycle(cycle)
    k.drain()
    counts = k.settled()
    lost = sorted(k.accepted - set(counts))
    duplicates = sum(counts.values()) - len(counts)
    store = os.path.join(t.path("store"), os.listdir(t.path("store"))[0])
    figures = {
        "kills": KILLS, "seed": SEED, "kills_before_ready": k.kills_before_ready, "backend_deaths": k.sink_restarts, "backend_refusals": k.sink_refusals,
        "offered": k.offered, "accepted": len(k.accepted), "arrived": len(counts), "duplicates": duplicates, "lost": len(lost),
        "cut_off": k.log.count("cut off within a record"), "damaged": k.log.count("damaged:"), "seconds": round(time.monotonic() - started),
        "slowest_start_ms": round(max(k.starts_s) * 1000),
    }
    t.check(len(k.accepted) > KILLS * 10, f"{len(k.accepted)} of {k.offered} messages were accepted", figures)
    t.check(not lost, f"after {KILLS} kills each of them has arrived", f"lost: {lost[:20]}")
    t.check(None not in counts and set(counts) <= set(range(k.next)), "and nothing that was not sent", list(counts)[:5])
    t.check("damaged:" not in k.log, "no record is found damaged", [line for line in k.log.splitlines() if "damaged:" in line][:3])
    t.check(os.listdir(store) == ["lock"], "nothing is left on the disk", os.listdir(store))
    t.say(json.dumps(figures))


if __name__ == "__main__":
    harness.main(run)
