#!/usr/bin/env python3
"""What the OTLP receiver answers: to good messages in every dress, to broken ones, over its limits, when it cannot take more, and when the
peer behind it refuses. One table per subject; the client is otlptool (gRPC, HTTP) or a plain socket."""
import http.client
import json
import os
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

PATH = "/v1development/profiles"
PROTO, JSON = "application/x-protobuf", "application/json"
VERSION = "OTLP-Profiles-Development-Version"
MIB = 1 << 20
BOMB_BYTES = 80 * MIB  # inflated; over the default limit of 64 MiB
BOMB_MEMORY_KB = 250 << 10  # the daemon may grow by the limit and what it holds beside it, not by what a bomb promises

CONFIG = """
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:{grpc}
      http:
        endpoint: 127.0.0.1:{http}
  otlp/small:
    protocols:
      grpc:
        endpoint: 127.0.0.1:{small_grpc}
        max_recv_msg_size_mib: 1
      http:
        endpoint: 127.0.0.1:{small_http}
        max_request_body_size: 1048576
  otlp/full:
    protocols:
      grpc:
        endpoint: 127.0.0.1:{full_grpc}
      http:
        endpoint: 127.0.0.1:{full_http}
  otlp/memory:
    protocols:
      grpc:
        endpoint: 127.0.0.1:{memory_grpc}
      http:
        endpoint: 127.0.0.1:{memory_http}
  otlp/through_grpc:
    protocols:
      grpc:
        endpoint: 127.0.0.1:{through_grpc_grpc}
      http:
        endpoint: 127.0.0.1:{through_grpc_http}
  otlp/through_http:
    protocols:
      grpc:
        endpoint: 127.0.0.1:{through_http_grpc}
      http:
        endpoint: 127.0.0.1:{through_http_http}
processors:
  memory_limiter:
    check_interval: 100ms
    limit_mib: 1
exporters:
  otlp_grpc/sink:
    endpoint: 127.0.0.1:{sink}
    compression: none
    tls:
      insecure: true
  otlp_grpc/stuck:
    endpoint: 127.0.0.1:{stuck}
    timeout: 300s
    tls:
      insecure: true
    sending_queue:
      queue_size: 1
      num_consumers: 1
  otlp_grpc/through:
    endpoint: 127.0.0.1:{behind_grpc}
    tls:
      insecure: true
    sending_queue:
      enabled: false
    retry_on_failure:
      enabled: false
  otlp_http/through:
    endpoint: http://127.0.0.1:{behind_http}
    sending_queue:
      enabled: false
    retry_on_failure:
      enabled: false
service:
  telemetry:
    metrics:
      level: none
  pipelines:
    profiles:
      receivers: [otlp, otlp/small]
      exporters: [otlp_grpc/sink]
    profiles/full:
      receivers: [otlp/full]
      exporters: [otlp_grpc/stuck]
    profiles/memory:
      receivers: [otlp/memory]
      processors: [memory_limiter]
      exporters: [otlp_grpc/sink]
    profiles/through_grpc:
      receivers: [otlp/through_grpc]
      exporters: [otlp_grpc/through]
    profiles/through_http:
      receivers: [otlp/through_http]
      exporters: [otlp_http/through]
"""


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.kind = headers.get("content-type", "")
        self.code, self.message = rpc_status(self.kind, body)

    def __str__(self):
        return f"{self.status} {self.kind} code {self.code} {self.message or self.body[:120]!r}"


def rpc_status(kind, body):
    """(code, message) of the google.rpc.Status in an error body; (None, "") when it is none."""
    if kind == JSON:
        try:
            status = json.loads(body)
            return status.get("code"), status.get("message", "")
        except ValueError:
            return None, ""
    if kind != PROTO or not body or body[0] != 0x08:
        return None, ""
    code, rest = body[1], body[2:]
    if len(rest) < 2 or rest[0] != 0x12:
        return code, ""
    size, at = rest[1] & 0x7f, 2
    if rest[1] & 0x80:
        size, at = size | rest[2] << 7, 3
    return code, rest[at:at + size].decode(errors="replace")


def post(port, body=b"", headers=(), method="POST", path=PATH, kind=PROTO):
    """One HTTP/1.1 request with just these headers, in this order, duplicates kept."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in ([("Content-Type", kind)] if kind else []) + list(headers) + [("Content-Length", str(len(body)))]:
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def raw(port, request, timeout_s=20):
    """Sends bytes as they are, closes the sending side, and returns all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the peer may answer and close before it has read everything
        out = b""
        try:
            while chunk := connection.recv(65536):
                out += chunk
        except OSError:
            pass
        return out


def frame(message, compressed=0):
    return bytes([compressed]) + len(message).to_bytes(4, "big") + message


class Receiver:
    """The daemon under test and what stands around it."""

    def __init__(self, t):
        self.t = t
        self.sink, self.stuck, self.behind = t.sink("sink"), t.sink("stuck", script="never"), t.sink("behind")
        names = [f"{a}{b}" for a in ("", "small_", "full_", "memory_", "through_grpc_", "through_http_") for b in ("grpc", "http")]
        self.ports = {name: harness.free_port() for name in names}
        config = CONFIG.format(sink=self.sink.grpc, stuck=self.stuck.grpc, behind_grpc=self.behind.grpc, behind_http=self.behind.http, **self.ports)
        self.daemon = t.profpipe("profpipe", config, self.ports.values())
        self.accepted = 0  # messages that the sink must get in the end

    def read(self, path):
        with open(path, "rb") as data:
            return data.read()

    def check_http(self, name, reply, status, code=None, message="", kind=None):
        good = reply.status == status and (code is None or reply.code == code) and re.search(message, reply.message or reply.body.decode(errors="replace"))
        if kind is not None:
            good = good and reply.kind == kind
        wanted = " ".join(str(x) for x in (status, kind or "", "" if code is None else f"code {code}", f"/{message}/" if message else "") if x != "")
        self.t.check(good, f"HTTP: {name}: {wanted}", reply)
        self.accepted += reply.status == 200 and name.startswith("good")

    def check_grpc(self, name, report, status, message="", retry=None):
        """retry: None does not matter, False none, True some, a number that many milliseconds."""
        answers = dict(report["refused"], **({"ok": report["ok"]} if report["ok"] else {}))
        good = list(answers) == [status] and re.search(message, report["details"].get(status, ""))
        seen = report["retry"]
        if retry is not None:
            good = good and (seen["seen"] > 0) == bool(retry)
        if retry not in (None, True, False):
            good = good and seen.get("min_ms") == retry
        wanted = "" if retry is None else " with RetryInfo" if retry else " without RetryInfo"
        self.t.check(good, f"gRPC: {name}: {status}{wanted}", report)


def good_messages(r, tiny):
    """Every dress a good message may come in."""
    json_body = r.read(os.path.join(r.t.gen("json", "tiny", json=True), "tiny-000001.json"))
    for kind, body, back in [(PROTO, tiny, PROTO), ("application/x-protobuf; charset=utf-8", tiny, PROTO), ("APPLICATION/X-Protobuf", tiny, PROTO),
                             (JSON, json_body, JSON), ("application/json; charset=utf-8", json_body, JSON)]:
        r.check_http(f"good message as {kind}", post(r.ports["http"], body, kind=kind), 200, kind=back)
    r.check_http("good message with version 1", post(r.ports["http"], tiny, [(VERSION, "1")]), 200)
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in (tiny[:7], tiny[7:100], tiny[100:])) + b"0\r\n\r\n"
    reply = raw(r.ports["http"], f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTO}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode() + chunked)
    r.t.check(reply.startswith(b"HTTP/1.1 200"), "HTTP: good message in chunks: 200", reply[:200])
    r.accepted += reply.startswith(b"HTTP/1.1 200")
    r.check_http("empty body", post(r.ports["http"]), 200)
    r.check_http("empty JSON object", post(r.ports["http"], b"{}", kind=JSON), 200, kind=JSON)
    empty = r.t.path("empty.pb")
    open(empty, "wb").close()
    r.check_grpc("empty message", r.t.send(r.ports["grpc"], empty), "ok")


def compressed_messages(r):
    messages = r.t.gen("dressed", "20k", count=2)
    for encoding in ("none", "gzip", "zstd", "zlib", "deflate", "snappy", "x-snappy-framed", "lz4"):
        for h2 in ((), ("--h2",)):
            report = r.t.send(r.ports["http"], messages, to="http", arguments=("--compression", encoding, *h2))
            r.t.check(report["ok"] == 2, f"HTTP{'/2' if h2 else ''}: good messages with {encoding}: 200", report)
            r.accepted += report["ok"]
    for encoding in ("none", "gzip", "zstd", "snappy"):
        report = r.t.send(r.ports["grpc"], messages, arguments=("--compression", encoding))
        r.check_grpc(f"good messages with {encoding}", report, "ok")
        r.accepted += report["ok"]
    # The Collector reads framed data labelled "snappy" too, by its first bytes.
    framed = r.t.path("framed")
    r.t.tool("pack", "--encoding", "x-snappy-framed", "--in", os.path.join(messages, "20k-000001.pb"), "--out", framed)
    r.check_http("good framed data labelled snappy", post(r.ports["http"], r.read(framed), [("Content-Encoding", "snappy")]), 200)


def wrong_requests(r, tiny):
    """Answers to what is no proper OTLP/HTTP request."""
    for method in ("GET", "PUT", "DELETE"):
        r.check_http(f"method {method}", post(r.ports["http"], tiny, method=method), 405, message=r"^405 method not allowed, supported: \[POST\]$", kind="text/plain")
    for kind in (None, "text/plain", "application/grpc+x", "nonsense"):
        r.check_http(f"content type {kind}", post(r.ports["http"], tiny, kind=kind), 415,
                     message=r"^415 unsupported media type, supported: \[application/json, application/x-protobuf\]$", kind="text/plain")
    r.check_http("another path", post(r.ports["http"], tiny, path="/v1/nothing"), 404)
    for encoding in ("br", "compress", "gzip, gzip"):
        r.check_http(f"content encoding {encoding}", post(r.ports["http"], tiny, [("Content-Encoding", encoding)]), 400)
    for encoding in ("gzip", "zstd", "zlib", "deflate", "snappy", "x-snappy-framed", "lz4"):
        r.check_http(f"{encoding} that is none", post(r.ports["http"], tiny, [("Content-Encoding", encoding)]), 400, 3, kind=PROTO)
        packed = r.t.path("packed")
        r.t.tool("pack", "--encoding", encoding, "--in", r.t.path("tiny", "tiny-000001.pb"), "--out", packed)
        cut = r.read(packed)[:-9]
        r.check_http(f"{encoding} cut short", post(r.ports["http"], cut, [("Content-Encoding", encoding)]), 400, 3)
    for name, body in [("no JSON", b"hello"), ("cut JSON", b'{"resourceProfiles":[{"scope'), ("JSON of the wrong shape", b'{"resourceProfiles":{"a":7}}'),
                       ("deep JSON", b"[" * 100000), ("a JSON number", b"17")]:
        r.check_http(name, post(r.ports["http"], body, kind=JSON), 400, 3, kind=JSON)
    promised = raw(r.ports["http"], f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTO}\r\nContent-Length: {len(tiny) + 50}\r\n\r\n".encode() + tiny)
    r.t.check(b" 200 " not in promised[:20], "HTTP: a body shorter than its Content-Length is not accepted", promised[:100])
    for name, head in [("nonsense", b"\x00\xff nonsense\r\n\r\n"), ("endless header", b"POST / HTTP/1.1\r\nX: " + b"x" * (2 * MIB)),
                       ("negative length", f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTO}\r\nContent-Length: -1\r\n\r\n".encode()),
                       ("two lengths", f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTO}\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde".encode())]:
        reply = raw(r.ports["http"], head)
        r.t.check(reply == b"" or re.match(rb"HTTP/1.[01] 4\d\d ", reply), f"HTTP: {name}: 4xx or a closed connection", reply[:100])


def versions(r, tiny):
    """The development version is checked before the body is looked at."""
    for value in ("2", "01", "x", "", "1,1", "-1"):
        for name, body in (("", tiny), (" and an undecodable body", b"\xff\xff\xff")):
            r.check_http(f"version {value!r}{name}", post(r.ports["http"], body, [(VERSION, value)]), 400, 3, "(?i)otlp-profiles-development-version", PROTO)
        report = r.t.send(r.ports["grpc"], r.t.path("tiny"), arguments=("--header", f"{VERSION.lower()}:{value}"))
        r.check_grpc(f"version {value!r}", report, "InvalidArgument", "otlp-profiles-development-version")
    r.check_http("version twice", post(r.ports["http"], tiny, [(VERSION, "1"), (VERSION, "1")]), 400, 3)
    report = r.t.send(r.ports["grpc"], r.t.path("tiny"), arguments=("--header", f"{VERSION.lower()}:1"))
    r.check_grpc("version '1'", report, "ok")
    r.accepted += report["ok"]


# The field that the answer must name, where the rule is about one.
OFFENDERS = {
    "stack-index": "stack_index", "negative-index": "stack_index", "link-index": "link_index", "sample-attribute": "attribute_indices",
    "profile-attribute": "attribute_indices", "sample-type": "type_strindex", "period-unit": "unit_strindex", "location-index": "location_indices",
    "mapping-index": "mapping_index", "function-index": "function_index", "location-attribute": "attribute_indices", "function-name": "name_strindex",
    "function-file": "filename_strindex", "mapping-file": "filename_strindex", "attribute-key": "key_strindex", "attribute-unit": "unit_strindex",
    "resource-key": "key_strindex", "resource-value": "string_value_strindex", "no-zero-string": r"string_table\[0\]", "no-zero-stack": r"stack_table\[0\]",
    "no-zero-function": r"function_table\[0\]", "no-zero-location": r"location_table\[0\]", "profile-id": "profile_id", "trace-id": "trace_id",
}


def broken_messages(r):
    folder = r.t.gen("broken", "broken")
    log = r.t.path("broken.jsonl")
    for name in sorted(os.listdir(folder)):
        kind = name.removesuffix(".pb")
        body = r.read(os.path.join(folder, name))
        status, code = (413, 8) if kind == "deep" else (400, 3)  # the depth is a limit of ours, not a rule of the format
        r.check_http(f"broken message {kind}", post(r.ports["http"], body), status, code, OFFENDERS.get(kind, "."), PROTO)
    r.t.send(r.ports["grpc"], folder, arguments=("--log", log))
    with open(log) as lines:
        for entry in map(json.loads, lines):
            kind = os.path.basename(entry["file"]).removesuffix(".pb")
            wanted = "ResourceExhausted" if kind == "deep" else "InvalidArgument"
            good = entry["status"] == wanted and re.search(OFFENDERS.get(kind, "."), entry["detail"])
            r.t.check(good, f"gRPC: broken message {kind}: {wanted} naming {OFFENDERS.get(kind, 'the fault')}", entry)


def grpc_call(r, body, *headers, port="grpc", path=None, method="POST", kind="application/grpc"):
    """A hand-made gRPC request; returns (HTTP status, grpc-status, answer)."""
    file = r.t.path("call")
    with open(file, "wb") as out:
        out.write(body)
    arguments = [x for h in (f"content-type:{kind}", "te:trailers", *headers) for x in ("--header", h)]
    path = path or "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
    _, out = r.t.tool("req", "--h2", "--endpoint", f"127.0.0.1:{r.ports[port]}", "--path", path, "--method", method, "--body", file, "--timeout", "20s", *arguments)
    answer = json.loads(out)
    both = {**(answer.get("headers") or {}), **(answer.get("trailers") or {})}
    return answer.get("status"), both.get("Grpc-Status", [None])[0], answer


INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED = "3", "8", "12"


def wrong_calls(r, tiny):
    """gRPC below the level at which a client library lets one err."""
    service = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/"
    for name, call, wanted in [
            ("another method", lambda: grpc_call(r, frame(tiny), path=service + "Nothing"), {UNIMPLEMENTED}),
            ("another service", lambda: grpc_call(r, frame(tiny), path="/a.B/C"), {UNIMPLEMENTED}),
            ("unknown grpc-encoding", lambda: grpc_call(r, frame(tiny, 1), "grpc-encoding:br"), {UNIMPLEMENTED}),
            ("compressed without grpc-encoding", lambda: grpc_call(r, frame(tiny, 1)), {"13", UNIMPLEMENTED, INVALID_ARGUMENT}),
            ("gzip that is none", lambda: grpc_call(r, frame(tiny, 1), "grpc-encoding:gzip"), {"13", INVALID_ARGUMENT}),
            ("length of 4 GiB", lambda: grpc_call(r, b"\x00\xff\xff\xff\xff"), {RESOURCE_EXHAUSTED}),
            ("frame cut short", lambda: grpc_call(r, frame(tiny)[:-5]), {"13", INVALID_ARGUMENT}),
            ("header cut short", lambda: grpc_call(r, b"\x00\x00"), {"13", INVALID_ARGUMENT}),
            ("no message", lambda: grpc_call(r, b""), {"13", INVALID_ARGUMENT, UNIMPLEMENTED}),
            ("two messages", lambda: grpc_call(r, frame(tiny) * 2), {"13", INVALID_ARGUMENT, UNIMPLEMENTED}),
            ("reserved flag", lambda: grpc_call(r, frame(tiny, 2)), {"13", INVALID_ARGUMENT, UNIMPLEMENTED})]:
        status, code, answer = call()
        r.t.check(status == 200 and code in wanted, f"gRPC: {name}: grpc-status {' or '.join(sorted(wanted))}", answer)
    for name, status, answer in [("content type text/plain", *grpc_call(r, frame(tiny), kind="text/plain")[::2]), ("GET", *grpc_call(r, b"", method="GET")[::2])]:
        r.t.check(status in (404, 405, 415), f"gRPC: {name}: refused by HTTP status", answer)


def peak_kb(pid):
    with open(f"/proc/{pid}/status") as text:
        return int(re.search(r"VmHWM:\s+(\d+)", text.read()).group(1))


def limits(r):
    """Wire and inflated sizes; 413 and RESOURCE_EXHAUSTED without RetryInfo, since waiting does not cure it."""
    big = r.t.gen("big", "zeros", bytes=2 * MIB)
    fits = r.t.gen("fits", "zeros", bytes=MIB - 4096)
    report = r.t.send(r.ports["small_http"], fits, to="http")
    r.t.check(report["ok"] == 1, "HTTP: just under max_request_body_size: 200", report)
    r.accepted += report["ok"]
    report = r.t.send(r.ports["small_grpc"], fits)
    r.check_grpc("just under max_recv_msg_size_mib", report, "ok")
    r.accepted += report["ok"]
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTO}\r\n"
    announced = raw(r.ports["small_http"], f"{head}Content-Length: 99999999999\r\n\r\nabc".encode())
    r.t.check(announced.startswith(b"HTTP/1.1 413 "), "HTTP: a Content-Length of 100 GB: 413 before the body comes", announced[:100])
    chunks = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    endless = raw(r.ports["small_http"], f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks * 40)
    r.t.check(endless.startswith(b"HTTP/1.1 413 "), "HTTP: chunks over the limit: 413", endless[:100])
    for encoding in ("gzip", "zstd", "zlib", "deflate", "snappy", "x-snappy-framed", "lz4"):
        over_http(r, "small_http", big, encoding, "2 MiB inflated at a limit of 1 MiB")
    for encoding in ("none", "gzip", "zstd", "snappy"):
        report = r.t.send(r.ports["small_grpc"], big, arguments=("--compression", encoding))
        r.check_grpc(f"2 MiB with {encoding} at a limit of 1 MiB", report, "ResourceExhausted", retry=False)


def over_http(r, port, messages, encoding, what):
    report = r.t.send(r.ports[port], messages, to="http", arguments=("--compression", encoding))
    r.t.check(report["refused"] == {"http 413": 1} and report["retry"]["seen"] == 0, f"HTTP: {what}, {encoding}: 413 without Retry-After", report)


def bombs(r):
    before = peak_kb(r.daemon.pid)
    bomb = r.t.gen("bomb", "zeros", bytes=BOMB_BYTES)
    for encoding in ("gzip", "zstd", "snappy"):
        over_http(r, "http", bomb, encoding, "80 MiB inflated at the default limit")
        report = r.t.send(r.ports["grpc"], bomb, arguments=("--compression", encoding))
        r.check_grpc(f"80 MiB inflated at the default limit, {encoding}", report, "ResourceExhausted", retry=False)
    grown = peak_kb(r.daemon.pid) - before
    r.t.check_cost(grown < BOMB_MEMORY_KB, f"memory grew by {grown >> 10} MiB under bombs (at most {BOMB_MEMORY_KB >> 10})")


def cannot_take_more(r):
    """A full queue and the memory limiter: the sender is told to come back, and when."""
    tiny = r.t.path("tiny")
    report = r.t.send(r.ports["full_grpc"], tiny, arguments=("--count", 6))
    r.t.check(1 <= report["ok"] <= 3 and report["refused"] == {"Unavailable": 6 - report["ok"]} and report["retry"]["seen"] == 6 - report["ok"],
              "gRPC: queue full: Unavailable with RetryInfo", report)
    report = r.t.send(r.ports["full_http"], tiny, to="http", arguments=("--count", 2))
    r.t.check(report["refused"] == {"http 503": 2} and report["retry"]["seen"] == 2, "HTTP: queue full: 503 with Retry-After", report)
    harness.wait_until(lambda: r.t.send(r.ports["memory_http"], tiny, to="http")["ok"] == 0, 10, "the memory limiter to notice")
    report = r.t.send(r.ports["memory_http"], tiny, to="http")
    r.t.check(report["refused"] == {"http 503": 1} and report["retry"]["seen"] == 1, "HTTP: over the memory limit: 503 with Retry-After", report)
    r.check_grpc("over the memory limit", r.t.send(r.ports["memory_grpc"], tiny), "Unavailable", retry=True)



# (scripted answer of the peer behind, gRPC status to the sender, RetryInfo in ms or None, HTTP status, Retry-After in ms or None)
THROUGH_GRPC = [
    ("unavailable:retry=7s", "Unavailable", 7000, 503, 7000),
    ("unavailable", "Unavailable", None, 503, None),
    ("resource_exhausted:retry=3s", "ResourceExhausted", 3000, 429, 3000),
    ("resource_exhausted", "ResourceExhausted", False, 429, False),
    ("cancelled", "Canceled", None, 503, None),
    ("deadline_exceeded", "DeadlineExceeded", None, 503, None),
    ("aborted", "Aborted", None, 503, None),
    ("out_of_range", "OutOfRange", None, 503, None),
    ("data_loss", "DataLoss", None, 503, None),
    ("invalid_argument", "InvalidArgument", False, 400, False),
    ("unauthenticated", "Unauthenticated", False, 401, False),
    ("permission_denied", "PermissionDenied", False, 403, False),
    ("unimplemented", "Unimplemented", False, 404, False),
    ("internal", "Internal", False, 500, False),
    ("not_found", "NotFound", False, 500, False),
    ("failed_precondition", "FailedPrecondition", False, 500, False),
    ("unknown", "Unknown", False, 500, False),
    ("ok", "ok", False, 200, False),
]
THROUGH_HTTP = [
    ("http503:after=5", "Unavailable", 5000, 503, 5000),
    ("http502", "Unavailable", None, 503, None),
    ("http504", "Unavailable", None, 503, None),
    ("http429:after=3", "ResourceExhausted", 3000, 429, 3000),
    ("http400", "InvalidArgument", False, 400, False),
    ("http401", "Unauthenticated", False, 401, False),
    ("http403", "PermissionDenied", False, 403, False),
    ("ok", "ok", False, 200, False),
]


def through(r, port, table):
    """Without queue and retry, the answer of the peer behind is the sender's answer."""
    tiny = r.t.path("tiny")
    for script, grpc_status, info, http_status, after in table:
        r.behind.script(script)
        r.check_grpc(f"peer behind says {script}", r.t.send(r.ports[f"{port}_grpc"], tiny), grpc_status, retry=info)
        report = r.t.send(r.ports[f"{port}_http"], tiny, to="http")
        wanted = "ok" if http_status == 200 else f"http {http_status}"
        seen = report["retry"]
        good = (report["ok"] == 1 if wanted == "ok" else report["refused"] == {wanted: 1}) and (after is None or bool(seen["seen"]) == bool(after))
        good = good and (not after or seen.get("min_ms") == after)
        r.t.check(good, f"HTTP: peer behind says {script}: {wanted}{f', Retry-After {after} ms' if after else ''}", report)


def peer_gone(r):
    r.behind.kill()
    tiny = r.t.path("tiny")
    r.check_grpc("peer behind is gone", r.t.send(r.ports["through_grpc_grpc"], tiny), "Unavailable")
    report = r.t.send(r.ports["through_http_http"], tiny, to="http")
    r.t.check(report["refused"] == {"http 503": 1}, "HTTP: peer behind is gone: 503", report)


def run(t):
    r = Receiver(t)
    tiny = r.read(os.path.join(t.gen("tiny", "tiny"), "tiny-000001.pb"))
    good_messages(r, tiny)
    compressed_messages(r)
    wrong_requests(r, tiny)
    versions(r, tiny)
    broken_messages(r)
    wrong_calls(r, tiny)
    limits(r)
    bombs(r)
    r.sink.wait_for(r.accepted, 20)
    t.check(r.sink.answered() == r.accepted, f"the sink got the {r.accepted} accepted messages and nothing else", r.sink.stats())
    cannot_take_more(r)
    through(r, "through_grpc", THROUGH_GRPC)
    through(r, "through_http", THROUGH_HTTP)
    peer_gone(r)
    t.check(r.daemon.running(), "the daemon is still there")
    report = t.send(r.ports["grpc"], t.path("tiny"))
    r.check_grpc("and takes messages", report, "ok")


if __name__ == "__main__":
    harness.main(run)
