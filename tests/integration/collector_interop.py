#!/usr/bin/env python3
"""Profiles go from a real Collector through profpipe to a real Collector, over every transport and compression that both have;
at the end every value is compared with what was sent."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

# (transport, compression, encoding) as the Collector's exporters name them.
INBOUND = [("grpc", c, "proto") for c in ("none", "gzip", "snappy", "zstd")] + \
          [("http", c, "proto") for c in ("none", "gzip", "zstd", "snappy", "x-snappy-framed", "zlib", "deflate", "lz4")] + \
          [("http", "none", "json"), ("http", "gzip", "json")]
OUTBOUND = [("grpc", c, "proto") for c in ("gzip", "none", "snappy", "zstd")] + \
           [("http", c, "proto") for c in ("none", "gzip", "zstd", "snappy", "x-snappy-framed", "zlib", "deflate", "lz4")] + \
           [("http", "none", "json"), ("http", "zstd", "json")]
QUIET = "telemetry: {metrics: {level: none}}"


class Route:
    """One way through: its own receiver and exporter in the first Collector and in profpipe, its own messages."""

    def __init__(self, number, inbound, outbound):
        self.number, self.inbound, self.outbound = number, inbound, outbound
        self.first_port, self.grpc_port, self.http_port = (harness.free_port() for _ in range(3))

    def __str__(self):
        return f"Collector -{'/'.join(self.inbound)}-> profpipe -{'/'.join(self.outbound)}-> Collector"


def exporter(number, kind, grpc_port, http_port):
    transport, compression, encoding = kind
    if transport == "grpc":
        return f"""
  otlp_grpc/{number}:
    endpoint: 127.0.0.1:{grpc_port}
    compression: {compression}
    tls:
      insecure: true"""
    return f"""
  otlp_http/{number}:
    endpoint: http://127.0.0.1:{http_port}
    compression: {compression}
    encoding: {encoding}"""


def pipelines(routes, kind_of):
    return "".join(f"""
    profiles/{r.number}:
      receivers: [otlp/{r.number}]
      exporters: [otlp_{kind_of(r)[0]}/{r.number}]""" for r in routes)


def first_collector(routes):
    receivers = "".join(f"""
  otlp/{r.number}:
    protocols:
      http:
        endpoint: 127.0.0.1:{r.first_port}""" for r in routes)
    exporters = "".join(exporter(r.number, r.inbound, r.grpc_port, r.http_port) for r in routes)
    return f"receivers:{receivers}\nexporters:{exporters}\nservice:\n  {QUIET}\n  pipelines:{pipelines(routes, lambda r: r.inbound)}\n"


def middle(routes, last_grpc, last_http):
    receivers = "".join(f"""
  otlp/{r.number}:
    protocols:
      grpc:
        endpoint: 127.0.0.1:{r.grpc_port}
      http:
        endpoint: 127.0.0.1:{r.http_port}""" for r in routes)
    exporters = "".join(exporter(r.number, r.outbound, last_grpc, last_http) for r in routes)
    return f"receivers:{receivers}\nexporters:{exporters}\nservice:\n  {QUIET}\n  pipelines:{pipelines(routes, lambda r: r.outbound)}\n"


def last_collector(grpc_port, http_port, sink):
    return f"""
        receivers:
          otlp:
            protocols:
              grpc:
                endpoint: 127.0.0.1:{grpc_port}
              http:
                endpoint: 127.0.0.1:{http_port}
        exporters:
          otlp_grpc:
            endpoint: 127.0.0.1:{sink.grpc}
            compression: none
            tls:
              insecure: true
        service:
          {QUIET}
          pipelines:
            profiles:
              receivers: [otlp]
              exporters: [otlp_grpc]
        """


def messages(t, route):
    """Every route gets messages of its own, told apart by their seeds, so that a mix-up of routes is a difference."""
    folder, seed = f"sent-{route.number}", 1000 * (route.number + 1)
    t.gen(folder, "tiny", seed=seed)
    t.gen(folder, "full", seed=seed)
    t.gen(folder, "20k", count=2, seed=seed)
    t.gen(folder, "20k", seed=seed + 10, refs=True)
    t.gen(folder, "20k", seed=seed + 20, aggregated=True)
    t.gen(folder, "300k", seed=seed)
    if route.number % 5 == 0:
        t.gen(folder, "2m", seed=seed)
    return t.path(folder)


def run(t):
    sink = t.sink()
    last_grpc, last_http = harness.free_port(), harness.free_port()
    count = max(len(INBOUND), len(OUTBOUND))
    routes = [Route(i, INBOUND[i % len(INBOUND)], OUTBOUND[i % len(OUTBOUND)]) for i in range(count)]
    t.collector("last", last_collector(last_grpc, last_http, sink), [last_grpc, last_http])
    t.profpipe("profpipe", middle(routes, last_grpc, last_http), [p for r in routes for p in (r.grpc_port, r.http_port)])
    t.collector("first", first_collector(routes), [r.first_port for r in routes])
    for route in routes:
        check_route(t, sink, route)


def check_route(t, sink, route):
    sent = messages(t, route)
    before = sink.answered()
    expected = len(os.listdir(sent))
    report = t.send(route.first_port, sent, to="http")
    t.check(report["ok"] == expected, f"the first Collector takes {expected} messages for {route}", report)
    try:
        sink.wait_for(before + expected)
    except harness.Failure as failure:
        t.check(False, f"{route}: {failure}")
        return
    received = [r["file"] for r in sink.requests()[before:]]
    t.same_profiles(f"{route}: {expected} messages arrive with every value as it was", sent, received)


if __name__ == "__main__":
    harness.main(run)
