#!/usr/bin/env python3
"""What the OTLP exporters do with every answer: which are tried again, after how long, which are given up, and how it is counted. The servers are a
scripted sink and a real Collector; a real Collector is also the client whose retries are steered by profpipe's answers."""
import concurrent.futures
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

SAMPLES = 2  # in the tiny message
SETTLE_S = 0.6  # several retry intervals: long enough for a retry that must not come
RETRY = """
    timeout: 1s
    retry_on_failure:
      initial_interval: 100ms
      randomization_factor: 0
      multiplier: 1
      max_interval: 100ms
      max_elapsed_time: 30s
    sending_queue:
      num_consumers: 1"""
NEITHER = """
    timeout: 1s
    retry_on_failure:
      enabled: false
    sending_queue:
      enabled: false"""


class Row:
    """A script of answers to one message and what must come of it."""

    def __init__(self, script, requests, delivered, wait_s=0.0):
        self.script, self.requests, self.delivered, self.wait_s = script, requests, delivered, wait_s

    def __str__(self):
        return f"{self.script}: {self.requests} request{'s' * (self.requests > 1)}, {'delivered' if self.delivered else 'given up'}" + \
               (f", at least {self.wait_s:g} s apart" if self.wait_s else "")


RETRYABLE = ("cancelled", "deadline_exceeded", "aborted", "out_of_range", "unavailable", "data_loss")
FINAL = ("invalid_argument", "unknown", "not_found", "already_exists", "permission_denied", "failed_precondition", "unimplemented", "internal",
         "unauthenticated")
GRPC = [Row("ok", 1, True)] + [Row(f"{code},ok", 2, True, 0.08) for code in RETRYABLE] + [Row(f"{code},ok", 1, False) for code in FINAL] + [
    Row("3*unavailable,ok", 4, True, 0.08),
    Row("unavailable:retry=1s,ok", 2, True, 1.0),
    Row("resource_exhausted,ok", 1, False),
    Row("resource_exhausted:retry=1s,ok", 2, True, 1.0),
    Row("partial:rejected=1:message=no,ok", 1, True),
    Row("never,ok", 2, True, 1.0),
    Row("reset,ok", 2, True),
    Row("goaway,ok", 1, True),
    Row("ok", 1, True),
    Row("garbage,ok", 1, False),
]
HTTP = [Row("ok", 1, True)] + [Row(f"http{n},ok", 2, True, 0.08) for n in (429, 502, 503, 504)] + \
       [Row(f"http{n},ok", 1, False) for n in (400, 401, 403, 404, 405, 408, 413, 415, 500, 501, 505)] + [
    Row("http503:after=1,ok", 2, True, 1.0),
    Row("http429:after=1,ok", 2, True, 1.0),
    Row("http503:after=date+2s,ok", 2, True, 0.9),  # a date has no fractions of a second
    Row("http204,ok", 1, True),
    Row("partial:rejected=1:message=no,ok", 1, True),
    Row("never,ok", 2, True, 1.0),
    Row("reset,ok", 2, True),
    Row("goaway,ok", 1, True),
    Row("ok", 1, True),
    Row("garbage,ok", 1, False),
]
# A Collector sends through profpipe, which hands on the sink's answer: the Collector must understand it as the sink meant it.
CLIENT_GRPC = [r for r in GRPC if not r.script.startswith(("goaway", "garbage"))]
# Over HTTP, 429 is tried again with and without a Retry-After.
CLIENT_HTTP = [r for r in CLIENT_GRPC if r.script != "resource_exhausted,ok"] + [Row("resource_exhausted,ok", 2, True, 0.08)]


def otlp_receiver(name, port, transport):
    return f"""
  otlp/{name}:
    protocols:
      {transport}:
        endpoint: 127.0.0.1:{port}
        {"max_recv_msg_size_mib: 64" if transport == "grpc" else ""}"""


def otlp_exporter(name, port, transport, rest):
    if transport == "grpc":
        return f"""
  otlp_grpc/{name}:
    endpoint: 127.0.0.1:{port}
    tls:
      insecure: true{rest}"""
    return f"""
  otlp_http/{name}:
    endpoint: http://127.0.0.1:{port}{rest}"""


def config(paths, metrics_port=None):
    """paths: (name, receiver transport, receiver port, exporter transport, exporter port, exporter settings)."""
    receivers = "".join(otlp_receiver(n, port, kind) for n, kind, port, *_ in paths)
    exporters = "".join(otlp_exporter(n, port, kind, rest) for n, _, _, kind, port, rest in paths)
    pipelines = "".join(f"\n    profiles/{n}:\n      receivers: [otlp/{n}]\n      exporters: [otlp_{kind}/{n}]" for n, _, _, kind, *_ in paths)
    telemetry = "metrics: {level: none}"
    if metrics_port:
        telemetry = f"metrics: {{level: normal, readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {metrics_port}}}}}}}}}]}}"
    return f"receivers:{receivers}\nexporters:{exporters}\nservice:\n  telemetry:\n    {telemetry}\n  pipelines:{pipelines}\n"


class Table:
    """Sends one message per row into `port` and watches what reaches its own sink."""

    def __init__(self, t, what, port, sink, rows):
        self.t, self.what, self.port, self.sink, self.rows = t, what, port, sink, rows
        self.message = t.path("tiny")

    def run(self):
        for row in self.rows:
            self.row(row)

    def row(self, row):
        self.sink.script(row.script)
        before = len(self.sink.requests())
        report = self.t.send(self.port, self.message, arguments=("--timeout", "20s"))
        if report["ok"] != 1:
            self.t.check(False, f"{self.what}: takes the message for {row.script}", report)
            return
        try:
            harness.wait_until(lambda: len(self.sink.requests()) - before >= row.requests, 10, f"{row.requests} requests at the sink")
        except harness.Failure:
            pass  # the check below says it better
        time.sleep(SETTLE_S)
        seen = self.sink.requests()[before:]
        gaps = [b["time"] - a["time"] for a, b in zip(seen, seen[1:])]
        delivered = any(r["answer"] in ("ok", "partial", "goaway", "http204") for r in seen)
        good = len(seen) == row.requests and delivered == row.delivered and all(g >= row.wait_s * 0.99 for g in gaps)
        self.t.check(good, f"{self.what}: {row}", [(r["answer"], round(r["time"], 2)) for r in seen])


class Paths:
    """The scripted sinks and the ways to them."""

    def __init__(self, t):
        self.metrics = harness.free_port()
        self.sinks = {n: t.sink(n) for n in ("grpc", "http", "client_grpc", "client_http", "short", "once")}
        self.entry = {n: harness.free_port() for n in self.sinks}
        self.middle = {n: harness.free_port() for n in ("client_grpc", "client_http")}
        s = self.sinks
        short = RETRY.replace("30s", "1s")
        once = RETRY.replace("retry_on_failure:", "retry_on_failure:\n      enabled: false")
        t.profpipe("profpipe", config([
            ("grpc", "grpc", self.entry["grpc"], "grpc", s["grpc"].grpc, RETRY),
            ("http", "grpc", self.entry["http"], "http", s["http"].http, RETRY),
            ("client_grpc", "grpc", self.middle["client_grpc"], "grpc", s["client_grpc"].grpc, NEITHER),
            ("client_http", "http", self.middle["client_http"], "grpc", s["client_http"].grpc, NEITHER),
            ("short", "grpc", self.entry["short"], "grpc", s["short"].grpc, short),
            ("once", "grpc", self.entry["once"], "http", s["once"].http, once),
        ], self.metrics), [self.entry[n] for n in ("grpc", "http", "short", "once")] + list(self.middle.values()))
        # The Collector's timeout is above profpipe's, so that it hears profpipe's answer to a peer that never answers.
        patient = RETRY.replace("timeout: 1s", "timeout: 5s")
        t.collector("client", config([
            ("client_grpc", "grpc", self.entry["client_grpc"], "grpc", self.middle["client_grpc"], patient),
            ("client_http", "grpc", self.entry["client_http"], "http", self.middle["client_http"], patient),
        ]), [self.entry["client_grpc"], self.entry["client_http"]])


def counted(t, p):
    """sent and send_failed must add up to what the tables delivered and gave up."""
    for name, rows in (("grpc", GRPC), ("http", HTTP)):
        wanted = [SAMPLES * sum(r.delivered for r in rows), SAMPLES * sum(not r.delivered for r in rows)]
        have = [harness.metric_sum(p.metrics, f"otelcol_exporter_{what}_profile_samples", exporter=f"otlp_{name}/{name}") for what in ("sent", "send_failed")]
        t.check(have == wanted, f"metrics of otlp_{name}/{name}: {wanted[0]} samples sent, {wanted[1]} failed", have)


def gives_up(t, p):
    """max_elapsed_time and retry_on_failure: enabled: false."""
    failed = {"exporter": "otlp_grpc/short"}
    p.sinks["short"].script("unavailable")
    t.send(p.entry["short"], t.path("tiny"))
    harness.wait_until(lambda: harness.metric_sum(p.metrics, "otelcol_exporter_send_failed_profile_samples", **failed) == SAMPLES, 15, "the exporter to give up")
    times = [r["time"] for r in p.sinks["short"].requests()]
    t.check(4 <= len(times) <= 12 and times[-1] - times[0] < 1.3, "max_elapsed_time of 1 s ends the retries", times)
    p.sinks["once"].script("http503,ok")
    t.send(p.entry["once"], t.path("tiny"))
    harness.wait_until(lambda: p.sinks["once"].requests(), 10, "the one request")
    time.sleep(SETTLE_S)
    t.check(len(p.sinks["once"].requests()) == 1, "with retries disabled there is one request", len(p.sinks["once"].requests()))


def large_answer(t, p):
    """A peer that answers with megabytes is read up to a limit; the daemon goes on."""
    for name in ("grpc", "http"):
        p.sinks[name].script("big:bytes=8000000,ok")
        before = len(p.sinks[name].requests())
        t.send(p.entry[name], t.path("tiny"))
        harness.wait_until(lambda n=name, b=before: len(p.sinks[n].requests()) > b, 10, "the request")
        time.sleep(SETTLE_S)
        t.send(p.entry[name], t.path("tiny"))
        harness.wait_until(lambda n=name: p.sinks[n].requests()[-1]["answer"] == "ok", 10, f"a message after an answer of 8 MB ({name})")
        t.check(len(p.sinks[name].requests()) == before + 2, f"{name}: an answer of 8 MB is neither tried again nor fatal", p.sinks[name].requests()[before:])


def collector_config(grpc_port, http_port, sink, limited):
    limiter = "memory_limiter: {check_interval: 50ms, limit_mib: 1}"
    return f"""
        receivers:
          otlp:
            protocols:
              grpc:
                endpoint: 127.0.0.1:{grpc_port}
              http:
                endpoint: 127.0.0.1:{http_port}
                max_request_body_size: 1048576
        processors: {{{limiter if limited else ""}}}
        exporters:
          otlp_grpc:
            endpoint: 127.0.0.1:{sink.grpc}
            tls:
              insecure: true
        service:
          telemetry: {{metrics: {{level: none}}}}
          pipelines:
            profiles:
              receivers: [otlp]
              processors: [{"memory_limiter" if limited else ""}]
              exporters: [otlp_grpc]
        """


def collector_as_server(t):
    """A Collector over its memory limit refuses; profpipe keeps the messages and delivers them to the one that follows it."""
    sink, metrics = t.sink("behind_collector"), harness.free_port()
    grpc_port, http_port = harness.free_port(), harness.free_port()
    entry = {n: harness.free_port() for n in ("grpc", "http")}
    limited = t.collector("limited", collector_config(grpc_port, http_port, sink, True), [grpc_port, http_port])
    harness.wait_until(lambda: t.send(grpc_port, t.path("tiny"))["ok"] == 0, 10, "the Collector's memory limiter to refuse")
    before = sink.answered()
    t.profpipe("to_collector", config([("grpc", "grpc", entry["grpc"], "grpc", grpc_port, RETRY), ("http", "grpc", entry["http"], "http", http_port, RETRY)],
                                      metrics), entry.values())
    sent = t.gen("kept", "20k", count=4, seed=50)
    files = sorted(os.path.join(sent, f) for f in os.listdir(sent))
    for i, name in enumerate(entry):
        report = t.send(entry[name], files[2 * i:2 * i + 2])
        t.check(report["ok"] == 2, f"{name}: profpipe takes messages while the Collector refuses", report)
    time.sleep(SETTLE_S)
    t.check(sink.answered() == before, "nothing passes the Collector that refuses", sink.stats())
    limited.stop()
    t.collector("healthy", collector_config(grpc_port, http_port, sink, False), [grpc_port, http_port])
    sink.wait_for(before + 4, 30)
    t.same_profiles("what the Collector refused arrives once it takes again", sent, [r["file"] for r in sink.requests()[before:]])
    too_large(t, sink, entry, metrics)


def too_large(t, sink, entry, metrics):
    """The Collector refuses over 4 MiB (gRPC: RESOURCE_EXHAUSTED without RetryInfo) and over its body limit (HTTP 400): given up at once and counted."""
    big = t.gen("too_large", "zeros", bytes=5 << 20)
    before = sink.answered()
    for name, port in entry.items():
        labels = {"exporter": f"otlp_{name}/{name}"}
        t.send(port, big)
        t.send(port, t.path("tiny"))
        harness.wait_until(lambda l=labels: harness.metric_sum(metrics, "otelcol_exporter_send_failed_profile_samples", **l) == SAMPLES, 15,
                           f"{name}: the message that is too large for the Collector to be counted as failed")
        t.check(True, f"{name}: a message too large for the Collector is given up and counted")
    sink.wait_for(before + 2, 15)
    t.check(sink.answered() == before + 2, "the next messages pass", sink.stats())


def run(t):
    t.gen("tiny", "tiny")
    p = Paths(t)
    tables = [Table(t, "exporter otlp_grpc", p.entry["grpc"], p.sinks["grpc"], GRPC),
              Table(t, "exporter otlp_http", p.entry["http"], p.sinks["http"], HTTP),
              Table(t, "Collector -gRPC-> profpipe", p.entry["client_grpc"], p.sinks["client_grpc"], CLIENT_GRPC),
              Table(t, "Collector -HTTP-> profpipe", p.entry["client_http"], p.sinks["client_http"], CLIENT_HTTP)]
    with concurrent.futures.ThreadPoolExecutor(len(tables)) as pool:
        for done in [pool.submit(table.run) for table in tables]:
            done.result()
    counted(t, p)
    gives_up(t, p)
    large_answer(t, p)
    collector_as_server(t)


if __name__ == "__main__":
    harness.main(run)
