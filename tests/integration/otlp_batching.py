#!/usr/bin/env python3
"""Merging and splitting in the sending queue: sizes as configured, no value lost or changed, dictionaries without entries twice or unused."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

# name: (batch settings, most samples or None, most bytes or None)
BATCHES = {
    "merged": ("{flush_timeout: 1s, min_size: 1000000, sizer: items}", None, None),
    "items": ("{flush_timeout: 1s, min_size: 500, max_size: 700, sizer: items}", 700, None),
    "bytes": ("{flush_timeout: 1s, min_size: 30000, max_size: 60000, sizer: bytes}", None, 60000),
    "tight": ("{flush_timeout: 200ms, min_size: 1, max_size: 7, sizer: items}", 7, None),
}


def config(port, sink):
    exporters = "\n".join(f"""  otlp_grpc/{name}:
    endpoint: 127.0.0.1:{sink.grpc}
    compression: none
    tls: {{insecure: true}}
    headers: {{x-route: {name}}}
    sending_queue:
      queue_size: 10000
      num_consumers: 2
      batch: {batch}""" for name, (batch, *_) in BATCHES.items())
    return f"""
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{port}}}}}}}
exporters:
{exporters}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    profiles: {{receivers: [otlp], exporters: [{', '.join(f'otlp_grpc/{n}' for n in BATCHES)}]}}
"""


def by_route(sink):
    routes = {name: [] for name in BATCHES}
    for request in sink.requests():
        routes[request["headers"]["x-route"][0]].append(request)
    return routes


def sizes(t, files, *flags):
    code, out = t.tool("check", "--sizes", *flags, *files, codes=(0, 1))
    lines = out.splitlines()
    return code, [json.loads(line)["samples"] for line in lines if line.startswith('{"file"')], [line for line in lines if not line.startswith('{"file"')]


def open_bytes(path):
    with open(path, "rb") as data:
        return data.read()


def check_route(t, name, requests, sent, total):
    batch, most_samples, most_bytes = BATCHES[name]
    files = [r["file"] for r in requests]
    t.same_profiles(f"{name} {batch}: every value arrives", sent, files, ())
    _, samples, _ = sizes(t, files)
    t.check(sum(samples) == total, f"{name}: {total} samples", sum(samples))
    if most_samples:
        t.check(max(samples) <= most_samples, f"{name}: at most {most_samples} samples a request (largest {max(samples)})")
    if most_bytes:
        t.check(max(r["bytes"] for r in requests) <= most_bytes, f"{name}: at most {most_bytes} bytes a request (largest {max(r['bytes'] for r in requests)})")
    code, _, faults = sizes(t, files, "--dupes")
    t.check(code == 0, f"{name}: the {len(files)} dictionaries have no entry twice", faults[:8])
    if name == "tight":  # there every message has been split but the small ones, of which one kind has its references written inline
        split = [f for f in files if b"by.reference" not in open_bytes(f)]
        code, _, faults = sizes(t, split, "--orphans")
        t.check(code == 0, f"{name}: the {len(split)} dictionaries have no entry that nothing uses", faults[:8])


def run(t):
    sink, port = t.sink(), harness.free_port()
    t.profpipe("profpipe", config(port, sink), [port])
    sent = t.gen("sent", "20k", count=30, seed=1)
    t.gen("sent", "20k", count=3, seed=100, refs=True)
    t.gen("sent", "20k", count=3, seed=200, aggregated=True)
    t.gen("sent", "300k", seed=1)
    t.gen("sent", "full", count=2, seed=1)
    t.gen("sent", "tiny", count=5, seed=1)
    _, samples, _ = sizes(t, [sent])
    total, messages = sum(samples), len(os.listdir(sent))
    report = t.send(port, sent, arguments=("--concurrency", 4))
    t.check(report["ok"] == messages, f"{messages} messages with {total} samples are taken", report)
    seen = [-1]

    def quiet():
        """No request for longer than any flush timeout."""
        time.sleep(2.5)
        before, seen[0] = seen[0], sink.stats()["requests"]
        return before == seen[0]
    harness.wait_until(quiet, 60, "the queues to be flushed")
    routes = by_route(sink)
    t.check(len(routes["merged"]) < messages // 4, f"merged: {messages} messages became {len(routes['merged'])} requests")
    for name, requests in routes.items():
        check_route(t, name, requests, sent, total)


if __name__ == "__main__":
    harness.main(run)
