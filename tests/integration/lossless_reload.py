#!/usr/bin/env python3
"""SIGHUP and SIGTERM under load lose nothing that was accepted while the sink answers; with a dead sink, SIGHUP keeps the queues of exporters that
did not change, and what SIGTERM's deadline cuts off is counted and logged."""
import json
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

MESSAGES = 1500
RATE = 100  # messages a second and transport
STOP_S = 60.0
DRAIN_S = 25.0  # the daemon's own deadline
SAMPLES = 40  # per message
TAKEN = re.compile(r"shutdown: (\d+) samples in (\d+) batches were not delivered")


class Setup:
    """The daemon's configuration in its variations; every SIGHUP of the test rewrites the file."""

    def __init__(self, t, name, sink_grpc, sink_http):
        self.t, self.name = t, name
        self.grpc, self.http, self.other, self.metrics = (harness.free_port() for _ in range(4))
        self.settings = {"sink_grpc": sink_grpc, "sink_http": sink_http, "compression": "gzip", "limit": 32, "other": None, "resource": False, "extra": ""}
        self.daemon = None

    def text(self):
        s = self.settings
        other = f"\n  otlp/other: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{s['other']}}}}}}}" if s["other"] else ""
        processors = "\nprocessors:\n  resource: {attributes: [{key: added, value: by reload, action: insert}]}" if s["resource"] else ""
        receivers = "[otlp/grpc, otlp/other]" if s["other"] else "[otlp/grpc]"
        return f"""
receivers:
  otlp/grpc: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{self.grpc}, max_recv_msg_size_mib: {s['limit']}}}}}}}
  otlp/http: {{protocols: {{http: {{endpoint: 127.0.0.1:{self.http}}}}}}}{other}{processors}
exporters:
  otlp_grpc:
    endpoint: 127.0.0.1:{s['sink_grpc']}
    compression: {s['compression']}
    tls: {{insecure: true}}
    retry_on_failure: {{initial_interval: 200ms, max_interval: 1s}}
  otlp_http:
    endpoint: http://127.0.0.1:{s['sink_http']}
    retry_on_failure: {{initial_interval: 200ms, max_interval: 1s}}
service:
  telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {self.metrics}}}}}}}}}]}}}}
  pipelines:
    profiles/grpc: {{receivers: {receivers}, processors: [{'resource' if s['resource'] else ''}], exporters: [otlp_grpc]}}
    profiles/http: {{receivers: [otlp/http], exporters: [otlp_http]}}
{s['extra']}
"""

    def start(self):
        self.daemon = self.t.profpipe(self.name, self.text(), [self.grpc, self.http])
        return self.daemon

    def reload(self, **changes):
        self.settings.update(changes)
        self.t.write(f"{self.name}.yaml", self.text())
        self.daemon.signal(signal.SIGHUP)


def senders(t, name, setup, messages):
    """Two senders in the background, one a transport, each with half of the messages."""
    files = sorted(os.path.join(messages, f) for f in os.listdir(messages))
    out = []
    for kind, port, mine in (("grpc", setup.grpc, files[::2]), ("http", setup.http, files[1::2])):
        log = t.path(f"{name}-{kind}.jsonl")
        daemon = t.start_send(f"{name}-{kind}", port, mine, to=kind, arguments=("--rate", RATE, "--concurrency", 4, "--timeout", "10s", "--log", log))
        out.append((daemon, log))
    return out


def outcome(t, running):
    """(files that were accepted, number of messages with an unknown fate, refused by status)."""
    accepted, unknown, refused = [], 0, {}
    for daemon, log in running:
        t.finish_send(daemon)
        with open(log) as lines:
            for entry in map(json.loads, lines):
                if entry["status"] == "ok":
                    accepted.append(entry["file"])
                elif entry["status"] == "no answer":
                    unknown += 1
                else:
                    refused[entry["status"]] = refused.get(entry["status"], 0) + 1
    return accepted, unknown, refused


def nothing_lost(t, what, accepted, unknown, sink):
    """Every accepted message is at the sink, whole, and none twice."""
    received = sink.requests()
    t.same_profiles(f"{what}: all {len(accepted)} accepted messages are at the sink", accepted, [r["file"] for r in received],
                    ("--subset", "--ignore-unknown"))
    t.check(len(accepted) <= len(received) <= len(accepted) + unknown,
            f"{what}: {len(received)} messages at the sink, {len(accepted)} accepted and {unknown} without an answer: none twice")


def make(t, folder, count, seed):
    return t.gen(folder, "20k", count=count, seed=seed, samples=SAMPLES)


def reload_under_load(t):
    """Every kind of change, one after the other, while two senders run."""
    sink = t.sink("sink", script="slow:delay=2ms")
    setup = Setup(t, "reloaded", sink.grpc, sink.http)
    daemon = setup.start()
    messages = make(t, "load", 2 * MESSAGES, 1)  # 15 s and more: all reloads happen under load
    running = senders(t, "load", setup, messages)
    harness.wait_until(lambda: sink.answered() > 20, 20, "the load to arrive")
    for what, changes, done in [
            ("nothing changed", {}, None),
            ("an exporter changed", {"compression": "none"}, lambda: any(r["transport"] == "grpc" and not r["encoding"] for r in sink.requests()[-20:])),
            ("a receiver added", {"other": setup.other}, lambda: harness.can_connect(setup.other)),
            ("a receiver changed", {"limit": 16}, None),
            ("a receiver removed", {"other": None}, lambda: not harness.can_connect(setup.other))]:
        before = sink.answered()
        setup.reload(**changes)
        if done:
            harness.wait_until(done, 15, f"the reload to take effect ({what})")
        harness.wait_until(lambda b=before: sink.answered() > b + 20, 20, f"messages to pass after a reload ({what})")
        t.check(daemon.running(), f"SIGHUP under load, {what}: messages go on passing")
    bad_reload(t, setup, sink)
    still = [d for d, _ in running if d.running()]
    t.check(still, "the senders ran all the time")
    accepted, unknown, refused = outcome(t, running)
    t.check(not refused and unknown == 0, f"no sender noticed the reloads ({len(accepted)} accepted)", (refused, unknown))
    sink.wait_for(len(accepted), 60)
    t.check(daemon.stop(STOP_S) == 0, "SIGTERM ends the daemon with code 0", daemon.process.returncode)
    nothing_lost(t, "SIGHUP under load", accepted, unknown, sink)


def bad_reload(t, setup, sink):
    """A configuration that is wrong, and one whose component cannot start: the old graph goes on."""
    taken = harness.free_port()
    sink_port = sink.control
    for what, changes in [("unknown key", {"extra": "nonsense: 1"}), ("no YAML", {"extra": "]]]"}), ("a port that is taken", {"extra": "", "other": sink_port})]:
        before, mark = sink.answered(), len(setup.daemon.log())
        setup.reload(**changes)
        wanted = {"unknown key": "nonsense", "no YAML": r"reloaded\.yaml", "a port that is taken": str(sink_port)}[what]
        setup.daemon.wait_for_log(wanted, 15, mark)
        harness.wait_until(lambda b=before: sink.answered() > b + 20, 20, f"messages to pass after a bad reload ({what})")
        t.check(setup.daemon.running(), f"SIGHUP with {what}: logged, and the old graph goes on")
    mark = len(setup.daemon.log())
    setup.reload(extra="", other=taken)
    harness.wait_until(lambda: harness.can_connect(taken), 15, "a good reload after bad ones")
    t.check(True, "a good configuration after bad ones takes effect")


def stop_under_load(t):
    """SIGTERM with full queues and a sink that answers slowly: they are drained."""
    sink = t.sink("slow", script="slow:delay=150ms")
    setup = Setup(t, "stopped", sink.grpc, sink.http)
    daemon = setup.start()
    running = senders(t, "stop", setup, make(t, "stopload", MESSAGES, 100000))
    harness.wait_until(lambda: sink.answered() > 200, 30, "the load to arrive")
    backlog = harness.metric_sum(setup.metrics, "otelcol_exporter_queue_size")
    code = daemon.stop(STOP_S)
    accepted, unknown, refused = outcome(t, running)
    t.check(code == 0, f"SIGTERM under load (about {backlog:g} batches queued): ends with code 0", code)
    t.check(len(accepted) > 200 and backlog > 20, "the load was real", (len(accepted), backlog, refused))
    nothing_lost(t, "SIGTERM under load", accepted, unknown, sink)
    t.check(not TAKEN.search(daemon.log()), "nothing is reported as not delivered")


def dead_sink(t):
    """Messages wait for a sink that is not there: a reload elsewhere keeps them, and they arrive when it comes."""
    ports = harness.free_port(), harness.free_port()
    setup = Setup(t, "waiting", *ports)
    daemon = setup.start()
    messages = make(t, "kept", 60, 200000)
    accepted, unknown, refused = outcome(t, senders(t, "kept", setup, messages))
    t.check(len(accepted) == 60, "60 messages are accepted with a dead sink", (unknown, refused))
    for changes in ({"other": setup.other}, {"resource": True}, {}):
        setup.reload(**changes)
        harness.wait_until(lambda: harness.can_connect(setup.other), 15, "the reload to take effect")
        time.sleep(0.5)
    t.check(daemon.running(), "three reloads with a dead sink")
    sink = t.sink("late", arguments=("--grpc", ports[0], "--http", ports[1]))
    try:
        sink.wait_for(60, 30)
    except harness.Failure as failure:
        t.check(False, str(failure))
    nothing_lost(t, "SIGHUP with a dead sink", accepted, unknown, sink)
    t.check(daemon.stop(STOP_S) == 0, "SIGTERM ends the daemon with code 0")


def dead_sink_stop(t):
    """SIGTERM with a dead sink: an end within the deadline, and every sample that is lost is in the log."""
    setup = Setup(t, "cut", harness.free_port(), harness.free_port())
    daemon = setup.start()
    accepted, _, _ = outcome(t, senders(t, "cut", setup, make(t, "lost", 60, 300000)))
    started = time.monotonic()
    code = daemon.stop(STOP_S)
    t.say(f"the end took {time.monotonic() - started:.1f} s, code {code}")
    lost = sum(int(m.group(1)) for m in TAKEN.finditer(daemon.log())) + \
        sum(int(n) for n in re.findall(r"dropped (\d+) samples", daemon.log()))
    t.check(len(accepted) == 60 and lost == 60 * SAMPLES, f"all {60 * SAMPLES} samples that were lost are in the log", lost)


def second_signal(t):
    """A second SIGTERM does not wait for the drain."""
    never = t.sink("never", script="never")
    setup = Setup(t, "impatient", never.grpc, never.http)
    daemon = setup.start()
    t.send(setup.grpc, t.path("lost", f"20k-{300000:06d}.pb"), arguments=("--count", 20))
    harness.wait_until(lambda: never.stats()["requests"] > 0, 10, "a request in flight")
    daemon.signal(signal.SIGTERM)
    time.sleep(0.5)
    was_running = daemon.running()
    daemon.signal(signal.SIGTERM)
    started = time.monotonic()
    daemon.process.wait(STOP_S)
    t.check(was_running and time.monotonic() - started < 2, "the first SIGTERM drains, a second one ends at once",
            (was_running, time.monotonic() - started))


def drain_beside(t):
    """What a reload replaced waits for a backend that never answers: the new graph works meanwhile, signals are taken, and both end within one deadline."""
    never, good = t.sink("silent", script="never"), t.sink("good")
    setup = Setup(t, "beside", never.grpc, good.http)
    daemon = setup.start()
    message = t.path("lost", f"20k-{300000:06d}.pb")
    t.send(setup.grpc, message, arguments=("--count", 20))
    harness.wait_until(lambda: never.stats()["requests"] > 0, 10, "a request in flight")
    mark = len(daemon.log())
    setup.reload(sink_grpc=good.grpc)
    daemon.wait_for_log("reloaded:", DRAIN_S / 2, mark)
    t.send(setup.grpc, message, arguments=("--count", 3))
    good.wait_for(3, DRAIN_S / 2)
    harness.wait_until(lambda: harness.metric_sum(setup.metrics, "otelcol_exporter_sent_profile_samples", exporter="otlp_grpc") == 3 * SAMPLES, DRAIN_S / 2,
                       "the metrics page to show what the new exporter has sent")
    t.check(never.stats()["requests"] <= 20, "while the replaced exporter drains, the new one sends and the metrics page answers", never.stats())
    daemon.signal(signal.SIGTERM)
    daemon.wait_for_log("stopping", DRAIN_S / 2, mark)
    started = time.monotonic()
    daemon.process.wait(STOP_S)
    took = time.monotonic() - started
    lost = sum(int(m.group(1)) for m in TAKEN.finditer(daemon.log()))
    t.check(daemon.process.returncode == 0 and took < DRAIN_S + 5, f"SIGTERM meanwhile: the end comes within one deadline ({took:.1f} s)", daemon.process.returncode)
    t.check(lost == 20 * SAMPLES, "what the replaced exporter could not deliver is in the log", (lost, daemon.log()[mark:]))


def run(t):
    for part in (reload_under_load, stop_under_load, dead_sink, dead_sink_stop, second_signal, drain_beside):
        try:
            part(t)
        except harness.Failure as failure:  # the next part is about something else
            t.check(False, f"{part.__name__}: {failure}")


if __name__ == "__main__":
    harness.main(run)
