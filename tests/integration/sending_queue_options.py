#!/usr/bin/env python3
"""The settings of the sending queue at work: who waits, who is refused, what the metrics say; and memory before a backend that is gone."""
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

SLOW_S = 0.05
SETTLED_S = 0.5  # a fourth request would have come by then
MEBIBYTE = 1 << 20
DEAD_LOAD_BYTES = 400 * MEBIBYTE
DEAD_MEMORY_KB = 200 << 10
TAKEN_BYTES_LEAST = 90 * MEBIBYTE  # of 128: memory is counted as it is allocated, not as it was on the wire

# name: (sink's script, sending_queue and what stands beside it)
ROUTES = {
    "blocking": (f"slow:delay={SLOW_S * 1000:.0f}ms", "sending_queue: {queue_size: 2, num_consumers: 1, block_on_overflow: true}"),
    "waiting": ("ok", "sending_queue: {wait_for_result: true}, retry_on_failure: {enabled: false}"),
    "requests": ("never", "sending_queue: {queue_size: 5, num_consumers: 1}, timeout: 300s"),
    "items": ("never", "sending_queue: {queue_size: ITEMS, num_consumers: 1, sizer: items}, timeout: 300s"),
    "bytes": ("never", "sending_queue: {queue_size: BYTES, num_consumers: 1, sizer: bytes}, timeout: 300s"),
    "memory": ("never", "sending_queue: {max_bytes_mib: 2}, timeout: 300s"),
    "consumers": ("never", "sending_queue: {num_consumers: 3}, timeout: 300s"),
}
FIT = 3  # messages that fit into the queues of items and of bytes


def files(folder):
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]


class Queues:
    def __init__(self, t):
        self.t = t
        self.sent = t.gen("sent", "20k", count=30)
        self.one = files(self.sent)[0]
        self.samples = json.loads(t.tool("check", "--sizes", self.one)[1].splitlines()[0])["samples"]  # counted by another program than profpipe
        self.bytes = os.path.getsize(self.one)
        self.sinks = {name: t.sink(name, script=script, save=name == "blocking") for name, (script, _) in ROUTES.items()}
        self.ports = {name: harness.free_port() for name in ROUTES}
        self.metrics = harness.free_port()
        self.daemon = t.profpipe("profpipe", self.config(), [*self.ports.values(), self.metrics])

    def config(self):
        receivers = "\n".join(f"  otlp/{n}: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{p}}}}}}}" for n, p in self.ports.items())
        sizes = {"ITEMS": str(FIT * self.samples), "BYTES": str(FIT * self.bytes)}
        exporters = "\n".join(f"  otlp_grpc/{n}: {{endpoint: 127.0.0.1:{self.sinks[n].grpc}, tls: {{insecure: true}}, {more}}}" for n, (_, more) in ROUTES.items())
        for name, size in sizes.items():
            exporters = exporters.replace(name, size)
        pipelines = "\n".join(f"    profiles/{n}: {{receivers: [otlp/{n}], exporters: [otlp_grpc/{n}]}}" for n in ROUTES)
        return f"""
receivers:
{receivers}
exporters:
{exporters}
service:
  telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {self.metrics}}}}}}}}}]}}}}
  pipelines:
{pipelines}
"""

    def metric(self, name, route):
        return harness.metric_sum(self.metrics, f"otelcol_exporter_{name}", exporter=f"otlp_grpc/{route}")

    def refused(self, route):
        return harness.metric_sum(self.metrics, "otelcol_receiver_refused_profile_samples", receiver=f"otlp/{route}")

    def send(self, route, inputs, *arguments):
        return self.t.send(self.ports[route], inputs, arguments=arguments)


def blocking(q):
    t = q.t
    peak, ended = [0], threading.Event()

    def watch():
        while not ended.wait(0.02):
            peak[0] = max(peak[0], q.metric("queue_size", "blocking"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        report = q.send("blocking", q.sent, "--concurrency", 10)
    finally:
        ended.set()
        watcher.join(20)
    t.check(report["ok"] == 30 and not report["refused"], "block_on_overflow: 30 messages for a queue of 2 are all taken", report)
    t.check(report["seconds"] >= (30 - 2 - 1) * SLOW_S, f"its senders wait meanwhile ({report['seconds']:.1f} s for 30 answers of {SLOW_S * 1000:.0f} ms)", report)
    sink = q.sinks["blocking"]
    sink.wait_for(30, 20)
    t.same_profiles("and every value arrives", q.sent, [r["file"] for r in sink.requests()])
    t.check(len(sink.requests()) == 30 and q.metric("enqueue_failed_profile_samples", "blocking") == 0 and q.refused("blocking") == 0, "once; nothing counts as refused", sink.stats())
    t.check(1 <= peak[0] <= 2 == q.metric("queue_capacity", "blocking"), "otelcol_exporter_queue_size never exceeds otelcol_exporter_queue_capacity, 2", peak[0])
    harness.wait_until(lambda: q.metric("queue_size", "blocking") == 0, 10, "the queue's size to be 0 again")


def waiting(q):
    for script, status in [("invalid_argument", "InvalidArgument"), ("permission_denied", "PermissionDenied"), ("unavailable", "Unavailable"), ("ok", "ok")]:
        q.sinks["waiting"].script(script)
        report = q.send("waiting", q.one)
        got = dict(report["refused"], **({"ok": 1} if report["ok"] else {}))
        q.t.check(got == {status: 1}, f"wait_for_result: the sink says {script}: the sender gets {status}", report)
    q.sinks["waiting"].script("slow:delay=400ms")
    report = q.send("waiting", q.one)
    q.t.check(report["ok"] == 1 and report["seconds"] >= 0.4, "wait_for_result: the sender waits as long as the sink takes", report)


def full(q, route, fit, size, unit):
    """Takes what fits, counted in the sizer's unit, refuses the next one, and shows both."""
    t = q.t
    report = q.send(route, q.one, "--count", fit)
    t.check(report["ok"] == fit, f"{route}: {fit} messages fit", report)
    report = q.send(route, q.one)
    t.check(report["refused"] == {"Unavailable": 1} and report["retry"]["seen"] == 1, f"{route}: the next one is Unavailable with RetryInfo", report)
    shown, capacity = q.metric("queue_size", route), q.metric("queue_capacity", route)
    t.check(shown == capacity == fit * size, f"{route}: otelcol_exporter_queue_size and _capacity say {fit * size} {unit}", (shown, capacity))
    t.check(q.metric("enqueue_failed_profile_samples", route) == q.samples == q.refused(route), f"{route}: the {q.samples} samples of the refused one are counted",
            (q.metric("enqueue_failed_profile_samples", route), q.refused(route)))


def memory(q):
    """What waits is counted as it lies in memory: at least its bytes on the wire, so 2 MiB hold no more than five messages of 350 KB."""
    t = q.t
    large = t.gen("large", "300k")
    most = 2 * MEBIBYTE // os.path.getsize(files(large)[0])
    report = q.send("memory", large, "--count", 20)
    t.check(1 <= report["ok"] <= most and report["refused"] == {"Unavailable": 20 - report["ok"]},
            f"max_bytes_mib 2: {report['ok']} messages of 350 KB (at most {most}) are taken, the others Unavailable", report)
    t.check(q.metric("queue_size", "memory") == report["ok"] and q.metric("queue_capacity", "memory") == 1000, "long before queue_size, 1000", q.metric("queue_size", "memory"))


def consumers(q):
    t = q.t
    report = q.send("consumers", q.sent, "--count", 8)
    t.check(report["ok"] == 8, "num_consumers 3: 8 messages are taken", report)
    harness.wait_until(lambda: q.metric("in_flight_requests", "consumers") == 3, 10, "three requests in flight")
    harness.wait_until(lambda: q.sinks["consumers"].stats()["requests"] >= 3, 10, "three requests at the sink")
    time.sleep(SETTLED_S)
    t.check(q.metric("in_flight_requests", "consumers") == q.sinks["consumers"].stats()["requests"] == 3, "three reach a sink that never answers, the others wait", q.sinks["consumers"].stats())


def peak_memory_kb(daemon):
    with open(f"/proc/{daemon.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def dead_backend(t):
    """All defaults, and nobody listens at the endpoint."""
    port, dead = harness.free_port(), harness.free_port()
    daemon = t.profpipe("dead", f"""
        receivers: {{otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{port}}}}}}}}}
        exporters: {{otlp_grpc: {{endpoint: 127.0.0.1:{dead}, tls: {{insecure: true}}}}}}
        service:
          telemetry: {{metrics: {{level: none}}}}
          pipelines: {{profiles: {{receivers: [otlp], exporters: [otlp_grpc]}}}}
        """, [port])
    messages = t.gen("load", "300k", count=8)
    size = sum(map(os.path.getsize, files(messages))) // 8
    count = DEAD_LOAD_BYTES // size
    report = t.send(port, messages, arguments=("--count", count, "--concurrency", 8))
    t.check(report["ok"] + report["refused"].get("Unavailable", 0) == count and list(report["refused"]) == ["Unavailable"],
            f"a dead backend: {report['ok']} of {count} messages wait, the senders of the others get Unavailable", report)
    t.check(report["retry"]["seen"] == count - report["ok"], "with RetryInfo", report)
    t.check(TAKEN_BYTES_LEAST <= report["ok"] * size <= 128 * MEBIBYTE, f"what waits is near the default of 128 MiB ({report['ok'] * size >> 20} MiB on the wire)", report)
    peak = peak_memory_kb(daemon)
    t.check_cost(peak < DEAD_MEMORY_KB, f"and after {count * size >> 20} MiB the daemon's peak is {peak >> 10} MiB, at most {DEAD_MEMORY_KB >> 10} MiB")
    t.check(daemon.running(), "it still runs")


def run(t):
    if harness.standin():
        raise harness.Skip("the limit in bytes and parked senders are profpipe's own")
    q = Queues(t)
    blocking(q)
    waiting(q)
    full(q, "requests", 5, 1, "requests")
    full(q, "items", FIT, q.samples, "samples")
    full(q, "bytes", FIT, q.bytes, "bytes")
    memory(q)
    consumers(q)
    dead_backend(t)


if __name__ == "__main__":
    harness.main(run)
