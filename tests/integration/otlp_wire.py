#!/usr/bin/env python3
"""What the OTLP exporters put on the wire: every compression and encoding as configured, headers, the version header, attributes written inline,
unknown fields kept; and what the OTLP receiver understands: old layouts, references, JSON."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

# (exporter, compression, encoding, what stands in grpc-encoding or Content-Encoding)
EXPORTERS = [("otlp_grpc", "none", "proto", ("", "identity")), ("otlp_grpc", "gzip", "proto", ("gzip",)),
             ("otlp_grpc", "snappy", "proto", ("snappy",)), ("otlp_grpc", "zstd", "proto", ("zstd",))] + \
            [("otlp_http", c, "proto", (c,)) for c in ("gzip", "zstd", "snappy", "x-snappy-framed", "zlib", "deflate", "lz4")] + \
            [("otlp_http", "none", e, ("",)) for e in ("proto", "json")] + [("otlp_http", "gzip", "json", ("gzip",))]


def exporter_text(sink, kind, compression, encoding):
    name = f"{kind}/{compression}_{encoding}"
    if kind == "otlp_grpc":
        where, more = f"127.0.0.1:{sink.grpc}", "tls: {insecure: true}"
    else:
        where, more = f"http://127.0.0.1:{sink.http}", f"encoding: {encoding}"
    return name, f"  {name}: {{endpoint: '{where}', compression: {compression}, headers: {{x-route: '{name}'}}, {more}}}"


def config(ports, sink):
    exporters = [exporter_text(sink, kind, compression, encoding) for kind, compression, encoding, _ in EXPORTERS]
    names = ", ".join(name for name, _ in exporters)
    text = "\n".join(line for _, line in exporters)
    layout = "" if harness.standin() else ", layout: 1.8"
    return f"""
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{ports['grpc']}}}, http: {{endpoint: 127.0.0.1:{ports['http']}}}}}}}
  otlp/old: {{protocols: {{http: {{endpoint: 127.0.0.1:{ports['old']}}}}}{layout}}}
  otlp/edited: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{ports['edited']}}}}}}}
processors:
  resource: {{attributes: [{{key: test.seed, value: changed, action: upsert}}]}}
exporters:
{text}
  otlp_grpc/edited: {{endpoint: '127.0.0.1:{sink.grpc}', headers: {{x-route: edited}}, tls: {{insecure: true}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    profiles: {{receivers: [otlp, otlp/old], exporters: [{names}]}}
    profiles/edited: {{receivers: [otlp/edited], processors: [resource], exporters: [otlp_grpc/edited]}}
"""


def header(request, name):
    """The values of a header, whatever the case of its name."""
    return [v for key, values in request["headers"].items() if key.lower() == name for v in values]


def json_references(path):
    """Keys of references in the resources and scopes of an OTLP JSON file."""
    def walk(node):
        if isinstance(node, dict):
            yield from (k for k, v in node.items() if k in ("keyStrindex", "stringValueStrindex") and v)
            node = node.values()
        if not isinstance(node, (str, int, float, type(None))):
            for inner in node:
                yield from walk(inner)
    with open(path) as text:
        return list(walk(json.load(text)["resourceProfiles"]))


class Wire:
    def __init__(self, t):
        self.t, self.sink = t, t.sink()
        self.ports = {n: harness.free_port() for n in ("grpc", "http", "old", "edited")}
        self.daemon = t.profpipe("profpipe", config(self.ports, self.sink), self.ports.values())

    def arrivals(self, before, count):
        self.sink.wait_for(before + count, 30)
        routes = {}
        for request in self.sink.requests()[before:]:
            routes.setdefault((header(request, "x-route") or ["?"])[0], []).append(request)
        return routes

    def all_ways(self, what, sent, port, to="grpc", expected=None, arguments=()):
        """Sends messages and compares what each exporter made of them with `expected` (default: with what was sent)."""
        count, before = len(os.listdir(sent)), self.sink.answered()
        report = self.t.send(port, sent, to=to, arguments=arguments)
        if not self.t.check(report["ok"] == count, f"{what}: {count} messages are taken", report):
            return
        routes = self.arrivals(before, count * len(EXPORTERS))
        for kind, compression, encoding, wire in EXPORTERS:
            name = f"{kind}/{compression}_{encoding}"
            requests = routes.get(name, [])
            lossy = encoding == "json" or "--json" in arguments  # JSON has no place for unknown fields
            flags = (["--ignore-unknown"] if lossy else []) + (["--inline"] if encoding == "proto" else [])
            self.t.same_profiles(f"{what}: {name} sends every value, inline", expected or sent, [r["file"] for r in requests], flags)
            if encoding == "json":
                used = [reference for r in requests for reference in json_references(r["file"])]
                self.t.check(not used, f"{what}: {name} uses no references outside of the dictionary", used[:5])
            self.t.check(len(requests) == count and all(r["encoding"] in wire for r in requests), f"{what}: {name} has {wire[0] or 'no encoding'} on the wire",
                         [r["encoding"] for r in requests])


def headers(w):
    """Every request names the version and the format; names and case as OTLP has them."""
    for request in w.sink.requests():
        if header(request, "otlp-profiles-development-version") != ["1"]:
            w.t.check(False, "every request carries the development version 1", request)
            break
    else:
        w.t.check(True, "every request carries the development version 1")
    wanted = {"grpc": ("application/grpc", "application/grpc+proto"), "http": ("application/x-protobuf", "application/json")}
    wrong = [r for r in w.sink.requests() if header(r, "content-type")[0] not in wanted[r["transport"]] or not header(r, "user-agent")]
    w.t.check(not wrong, "every request has a content type of OTLP and a user agent", wrong[:1])
    w.t.say(f"user agents: {sorted({header(r, 'user-agent')[0] for r in w.sink.requests()})}")


def edited(w):
    """A processor changes one attribute: everything else stays, unknown fields too."""
    sent = w.t.gen("edited", "full", seed=70)
    w.t.gen("edited", "20k", seed=70, refs=True)
    before = w.sink.answered()
    w.t.send(w.ports["edited"], sent)
    got = [r["file"] for r in w.arrivals(before, 2).get("edited", [])]
    code, out = w.t.tool("diff", "--max", "20", sent, "--", *got, codes=(0, 1))
    lines = [line for line in out.splitlines() if "nearest on the other side" in line]
    good = code == 1 and len(lines) == 2 and all(
        line.split("differs in ")[-1] == 'resource.attribute "test.seed": int 70 became "changed"' for line in lines)
    w.t.check(good, "the resource processor changes its attribute and nothing else (unknown fields stay)", out)


def run(t):
    w = Wire(t)
    plain = t.gen("plain", "full", seed=10)
    w.t.gen("plain", "20k", count=2, seed=10)
    t.gen("plain", "300k", seed=10)
    t.gen("plain", "tiny", seed=10)
    w.all_ways("proto over gRPC", plain, w.ports["grpc"])
    w.all_ways("proto over HTTP, zstd", plain, w.ports["http"], "http", arguments=("--compression", "zstd"))
    w.all_ways("proto over gRPC, gzip", plain, w.ports["grpc"], arguments=("--compression", "gzip"))
    refs = t.gen("refs", "20k", count=2, seed=20, refs=True)
    w.all_ways("attributes by reference", refs, w.ports["grpc"])
    as_json = t.gen("json", "full", seed=30, json=True)
    t.gen("json", "20k", seed=30, json=True)
    w.all_ways("JSON", as_json, w.ports["http"], "http", arguments=("--json",))
    now, then = t.gen("now", "20k", count=2, seed=40), t.gen("1.9", "20k", count=2, seed=40, layout="1.9")
    w.all_ways("layout 1.9, told by its fields", then, w.ports["grpc"], expected=now)
    w.all_ways("layout 1.8, by the receiver's setting", t.gen("1.8", "20k", count=2, seed=40, layout="1.8"), w.ports["old"], "http", expected=now)
    headers(w)
    edited(w)


if __name__ == "__main__":
    harness.main(run)
