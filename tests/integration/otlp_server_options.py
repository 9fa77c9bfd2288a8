#!/usr/bin/env python3
"""The otlp receiver's server settings at work: unix sockets, ports in use, CORS, request metadata, keepalive, limits of streams, timeouts."""
import http.client
import os
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402
import rawh2  # noqa: E402

PATH = "/v1development/profiles"
PROTO = "application/x-protobuf"
EXIT_START = 3  # something did not start
HEADER_TIMEOUT_S, READ_TIMEOUT_S, IDLE_TIMEOUT_S = 0.5, 1.0, 0.7
CONNECTION_IDLE_S, CONNECTION_AGE_S = 0.4, 0.5
AGE_JITTER = 0.1
GOAWAY_NOTICE_S = 1.0
LATE_S = 3.0  # what a busy machine may add to any of these
SLOW_PEERS = 30

CONFIG = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{grpc}}}}}}}
  otlp/unix:
    protocols:
      grpc: {{endpoint: {folder}/grpc.sock, transport: unix}}
      http: {{endpoint: {folder}/http.sock, transport: unix}}
  otlp/cors:
    protocols:
      http:
        endpoint: 127.0.0.1:{cors}
        cors: {{allowed_origins: ['https://*.example.org'], allowed_headers: [x-token], exposed_headers: [x-answer, x-other], max_age: 600}}
        response_headers: {{x-answer: forty-two}}
  otlp/metadata:
    protocols:
      grpc: {{endpoint: 127.0.0.1:{metadata_grpc}, include_metadata: true}}
      http: {{endpoint: 127.0.0.1:{metadata_http}, include_metadata: true}}
  otlp/bare: {{protocols: {{http: {{endpoint: 127.0.0.1:{bare}}}}}}}
  otlp/idle: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{idle}, keepalive: {{server_parameters: {{max_connection_idle: 400ms}}}}}}}}}}
  otlp/age: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{age}, keepalive: {{server_parameters: {{max_connection_age: 500ms}}}}}}}}}}
  otlp/strict: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{strict}, keepalive: {{enforcement_policy: {{min_time: 10s, permit_without_stream: true}}}}}}}}}}
  otlp/lenient: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{lenient}, keepalive: {{enforcement_policy: {{min_time: 20ms, permit_without_stream: true}}}}}}}}}}
  otlp/pinging: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{pinging}, keepalive: {{server_parameters: {{time: 1s, timeout: 500ms}}}}}}}}}}
  otlp/streams: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{streams}, max_concurrent_streams: 2}}}}}}
  otlp/timeouts:
    protocols:
      http: {{endpoint: 127.0.0.1:{timeouts}, read_header_timeout: 500ms, read_timeout: 1s, idle_timeout: 700ms}}
processors:
  resource: {{attributes: [{{key: seen.team, from_context: metadata.x-team, action: upsert}}]}}
connectors:
  routing:
    default_pipelines: [profiles/rest]
    table: [{{context: request, condition: 'request["x-tenant"] == "acme"', pipelines: [profiles/acme]}}]
exporters:
  otlp_grpc/sink: {{endpoint: 127.0.0.1:{sink}, headers: {{x-way: plain}}, tls: {{insecure: true}}}}
  otlp_grpc/acme: {{endpoint: 127.0.0.1:{sink}, headers: {{x-way: acme}}, tls: {{insecure: true}}}}
  otlp_grpc/rest: {{endpoint: 127.0.0.1:{sink}, headers: {{x-way: rest}}, tls: {{insecure: true}}}}
  otlp_grpc/unix: {{endpoint: 'unix:{folder}/grpc.sock', tls: {{insecure: true}}}}
  otlp_grpc/aged: {{endpoint: 127.0.0.1:{aged}, tls: {{insecure: true}}}}
  otlp_grpc/slow: {{endpoint: 127.0.0.1:{slow}, tls: {{insecure: true}}, sending_queue: {{enabled: false}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    profiles: {{receivers: [otlp/unix, otlp/cors, otlp/idle, otlp/strict, otlp/lenient, otlp/pinging, otlp/timeouts], exporters: [otlp_grpc/sink]}}
    profiles/to_unix: {{receivers: [otlp], exporters: [otlp_grpc/unix]}}
    profiles/age: {{receivers: [otlp/age], exporters: [otlp_grpc/aged]}}
    profiles/streams: {{receivers: [otlp/streams], exporters: [otlp_grpc/slow]}}
    profiles/metadata: {{receivers: [otlp/metadata, otlp/bare], processors: [resource], exporters: [routing]}}
    profiles/acme: {{receivers: [routing], exporters: [otlp_grpc/acme]}}
    profiles/rest: {{receivers: [routing], exporters: [otlp_grpc/rest]}}
"""
PORTS = ("grpc", "cors", "metadata_grpc", "metadata_http", "bare", "idle", "age", "strict", "lenient", "pinging", "streams", "timeouts")


def stale_socket(path):
    """What a killed daemon leaves behind."""
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(path)
        old.listen()


class Server:
    def __init__(self, t):
        self.t = t
        self.sink, self.slow = t.sink("sink"), t.sink("slow", script="slow:delay=150ms", save=False)
        self.aged = t.sink("aged", save=False)
        self.ports = {name: harness.free_port() for name in PORTS}
        self.messages = t.gen("tiny", "tiny", count=3)
        with open(os.path.join(self.messages, sorted(os.listdir(self.messages))[0]), "rb") as data:
            self.tiny = data.read()
        stale_socket(t.path("grpc.sock"))
        stale_socket(t.path("http.sock"))
        self.config = CONFIG.format(sink=self.sink.grpc, slow=self.slow.grpc, aged=self.aged.grpc, folder=t.folder, **self.ports)
        self.daemon = t.profpipe("profpipe", self.config, self.ports.values())

    def arrived(self, *ways):
        """The requests that came one of these ways (the header x-way)."""
        return [r for r in self.sink.requests() if any(v[0] in ways for k, v in r["headers"].items() if k.lower() == "x-way")]

    def post(self, name, headers=(), method="POST", body=None):
        """Returns (status, headers as a list of lower-case names and values)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[name], timeout=20)
        body = self.tiny if body is None else body
        try:
            connection.putrequest(method, PATH, skip_accept_encoding=True)
            for key, value in [("Content-Type", PROTO), *headers, ("Content-Length", str(len(body)))]:
                connection.putheader(key, value)
            connection.endheaders(body)
            response = connection.getresponse()
            response.read()
            return response.status, [(k.lower(), v) for k, v in response.getheaders()]
        finally:
            connection.close()


def unix_sockets(s):
    t = s.t
    report = t.send(s.ports["grpc"], s.messages)
    t.check(report["ok"] == 3, "unix sockets: messages for the exporter to unix:PATH are taken", report)
    s.sink.wait_for(3, 20)
    t.same_profiles("unix sockets: over the exporter to unix:PATH and the gRPC receiver there, every value arrives", s.messages, [r["file"] for r in s.arrived("plain")])
    with rawh2.Connection(t.path("grpc.sock")) as connection:
        t.check(connection.export(1, s.tiny), "unix sockets: gRPC: OK, where a dead process had left its file")
    curl = ["curl", "-s", "-o", t.path("curl.out"), "-w", "%{http_code}", "--max-time", "10", "--unix-socket", t.path("http.sock"),
            "-H", f"Content-Type: {PROTO}", "--data-binary", "@" + os.path.join(s.messages, sorted(os.listdir(s.messages))[0]), f"http://localhost{PATH}"]
    done = subprocess.run(curl, capture_output=True, text=True, timeout=20, check=False)
    t.check(done.stdout == "200", "unix sockets: HTTP: 200, where a dead process had left its file", done)


def refused_start(s, name, config, *lists):
    """A daemon that cannot listen says so, one line for each component that cannot, and ends before anything else runs. `lists` has the addresses by line."""
    path = s.t.write(f"{name}.yaml", config)
    done = subprocess.run([harness.profpipe_binary(), "--config", path], capture_output=True, text=True, timeout=20, check=False)
    lines = done.stderr.splitlines()
    named = len(lines) == len(lists) and all(any(all(f"cannot listen on {thing}" in line for thing in things) and line.count("address already in use") == len(things)
                                                 for line in lines) for things in lists)
    s.t.check(done.returncode == EXIT_START and named, f"{name}: exit code {EXIT_START} and {len(lists)} line(s) with the addresses", f"{done.returncode}: {done.stderr}")


def in_use(s):
    second = """
        receivers: {{otlp: {{protocols: {{grpc: {{endpoint: {first}}}, http: {{endpoint: {other}}}}}}}}}
        exporters: {{nop: }}
        service: {{telemetry: {{metrics: {{level: none}}}}, pipelines: {{profiles: {{receivers: [otlp], exporters: [nop]}}}}}}
        """
    other = f"127.0.0.1:{harness.free_port()}"
    refused_start(s, "a second daemon on the port", second.format(first=f"127.0.0.1:{s.ports['grpc']}", other=other), [f"127.0.0.1:{s.ports['grpc']}:"])
    path = s.t.path("grpc.sock")
    refused_start(s, "a second daemon on the unix socket", second.format(first=f"{path}, transport: unix", other=other), [path])
    addresses = {name: f"127.0.0.1:{port}" for name, port in s.ports.items()}
    refused_start(s, "several ports", f"""
        receivers:
          otlp/tcp: {{protocols: {{grpc: {{endpoint: '{addresses['grpc']}'}}, http: {{endpoint: '{addresses['cors']}'}}}}}}
          otlp/unix: {{protocols: {{http: {{endpoint: {path}, transport: unix}}}}}}
          otlp/free: {{protocols: {{grpc: {{endpoint: '{other}'}}}}}}
        exporters: {{nop: }}
        extensions: {{health_check: {{endpoint: '{addresses['bare']}'}}}}
        service:
          telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {s.ports['idle']}}}}}}}}}]}}}}
          extensions: [health_check]
          pipelines: {{profiles: {{receivers: [otlp/tcp, otlp/unix, otlp/free], exporters: [nop]}}}}
        """, [addresses["grpc"], addresses["cors"]], [path], [addresses["bare"]], [addresses["idle"]])
    written, free = s.t.path("written.json"), harness.free_port()
    refused_start(s, "the second of two receivers", f"""
        receivers:
          otlp/a: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{free}}}}}}}
          otlp/b: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{s.ports['grpc']}}}}}}}
        exporters: {{file: {{path: {written}}}}}
        service: {{telemetry: {{metrics: {{level: none}}}}, pipelines: {{profiles: {{receivers: [otlp/a, otlp/b], exporters: [file]}}}}}}
        """, [f"127.0.0.1:{s.ports['grpc']}:"])
    taken = f"127.0.0.1:{s.ports['grpc']}"
    for what, receiver, extensions in [("health_check", "nop", f"{{health_check: {{endpoint: '{taken}'}}}}"), ("zpages", "nop", f"{{zpages: {{endpoint: '{taken}'}}}}"),
                                       ("the pprof receiver's server", f"pprof: {{server: {{endpoint: '{taken}'}}}}", "{}")]:
        refused_start(s, what, f"""
            receivers: {{{receiver if ":" in receiver else receiver + ": "}}}
            exporters: {{file: {{path: {written}}}}}
            extensions: {extensions}
            service:
              telemetry: {{metrics: {{level: none}}}}
              extensions: [{extensions.strip("{}").split(":")[0]}]
              pipelines: {{profiles: {{receivers: [{receiver.split(":")[0]}], exporters: [file]}}}}
            """, [taken])
    s.t.check(not os.path.exists(written), "and no exporter had begun its file")
    with rawh2.Connection(path) as connection:
        s.t.check(connection.export(1, s.tiny), "the first daemon still serves its unix socket")


def cors(s):
    t, origin = s.t, "https://ui.example.org"

    def preflight(what, origin, method, headers, wanted):
        asked = [("Origin", origin), ("Access-Control-Request-Method", method)] + ([("Access-Control-Request-Headers", headers)] if headers else [])
        status, got = s.post("cors", asked, "OPTIONS", b"")
        allowed = {k: v for k, v in got if k.startswith("access-control-")}
        t.check(status in (200, 204) and allowed == wanted, f"CORS: preflight {what}", f"{status} {got}")

    good = {"access-control-allow-origin": origin, "access-control-allow-credentials": "true", "access-control-allow-methods": "POST", "access-control-max-age": "600"}
    preflight("of an allowed origin is allowed, for max_age", origin, "POST", "", good)
    preflight("with allowed headers is allowed", origin, "POST", "content-type,x-token", {**good, "access-control-allow-headers": "content-type,x-token"})
    preflight("with another header is refused", origin, "POST", "x-token,x-secret", {})
    preflight("with another method is refused", origin, "DELETE", "", {})
    preflight("of another origin is refused", "https://example.org.evil.test", "POST", "", {})
    status, got = s.post("cors", [("Origin", origin)])
    got = dict(got)
    t.check(status == 200 and got.get("access-control-allow-origin") == origin and got.get("access-control-expose-headers", "").replace(" ", "") == "x-answer,x-other",
            "CORS: the request itself is answered with its origin and the exposed headers", f"{status} {got}")
    t.check(got.get("x-answer") == "forty-two" and "origin" in got.get("vary", "").lower(), "response_headers stand in the answer, and Vary names the origin", got)
    status, got = s.post("cors", [("Origin", "https://evil.test")])
    t.check(status == 200 and not any(k.startswith("access-control-") for k, _ in got), "CORS: another origin's request is answered without permission to read it", f"{status} {got}")
    status, got = s.post("cors", body=b"\xff")
    t.check(status == 400 and ("x-answer", "forty-two") in got, "response_headers stand in answers with errors too", f"{status} {got}")


def metadata(s):
    t = s.t

    def way(what, send, wanted, team):
        before = len(s.arrived("acme", "rest"))
        send()
        request = harness.wait_until(lambda: s.arrived("acme", "rest")[before:], 20, "the message to arrive")[0]
        ways = [v for k, v in request["headers"].items() if k.lower() == "x-way"]
        with open(request["file"], "rb") as data:
            content = data.read()
        t.check(ways == [[wanted]] and (team in content if team else b"seen.team" not in content), f"metadata: {what}", f"{ways} {content[-300:]!r}")

    one = os.path.join(s.messages, sorted(os.listdir(s.messages))[0])

    def grpc(*headers):
        return lambda: t.send(s.ports["metadata_grpc"], one, arguments=[a for h in headers for a in ("--header", h)])

    way("gRPC: request[\"x-tenant\"] takes the route, from_context joins several values", grpc("x-tenant:acme", "x-team:red", "x-team:blue"), "acme", b"red;blue")
    way("gRPC: another tenant goes to the default, one value stays as it is", grpc("x-tenant:other", "x-team:red"), "rest", b"\x03red")
    way("gRPC: no metadata: the default, no attribute", grpc(), "rest", b"")
    way("HTTP: headers of any case, several values", lambda: s.post("metadata_http", [("X-Tenant", "acme"), ("X-Team", "green"), ("x-team", "blue")]), "acme", b"green;blue")
    way("without include_metadata nothing of it is seen", lambda: s.post("bare", [("x-tenant", "acme"), ("x-team", "red")]), "rest", b"")


def idle_and_age(s):
    t = s.t
    with rawh2.Connection(s.ports["idle"]) as connection:
        good = connection.export(1, s.tiny)
        since = time.monotonic()
        bye = connection.until_goaway()
        waited = time.monotonic() - since
        t.check(good and bye and bye.goaway_code == rawh2.NO_ERROR and CONNECTION_IDLE_S - 0.05 <= waited <= CONNECTION_IDLE_S + LATE_S,
                f"max_connection_idle 400ms: GOAWAY without error (after {waited * 1000:.0f} ms)", bye)
        t.check(connection.wait_closed(), "and the connection is closed")
    with rawh2.Connection(s.ports["age"]) as connection:
        connection.open_call(1)
        bye = connection.until_goaway()
        age = connection.age_s()
        t.check(bye and bye.goaway_code == rawh2.NO_ERROR and CONNECTION_AGE_S * (1 - AGE_JITTER) - 0.05 <= age <= CONNECTION_AGE_S * (1 + AGE_JITTER) + LATE_S,
                f"max_connection_age 500ms: GOAWAY without error (after {age * 1000:.0f} ms)", bye)
        last = connection.until_goaway(GOAWAY_NOTICE_S + LATE_S)
        connection.finish_call(1, s.tiny)
        t.check(last and connection.accepted(1), "a request that had begun is served after the last GOAWAY")
        t.check(connection.wait_closed(), "and then the connection is closed")
    s.aged.wait_for(1, 20)
    report = t.send(s.ports["age"], s.messages, arguments=("--duration", "2500ms", "--concurrency", 4, "--rate", 300))
    t.check(report["ok"] > 300 and not report["refused"], f"max_connection_age: {report['ok']} messages of a client that lives through it, none fails", report)
    s.aged.wait_for(1 + report["ok"], 20)
    t.check(s.aged.answered() == 1 + report["ok"], "and none is lost or doubled", s.aged.stats())


def pings(s):
    t = s.t
    with rawh2.Connection(s.ports["strict"]) as connection:
        for number in range(5):
            connection.send(rawh2.PING, payload=bytes([number] * 8))
        bye = connection.until_goaway()
        t.check(bye and bye.goaway_code == rawh2.ENHANCE_YOUR_CALM and bye.payload[8:] == b"too_many_pings", "min_time 10s: five pings in a row: GOAWAY ENHANCE_YOUR_CALM", bye)
        t.check(connection.wait_closed(), "and the connection is closed")
    with rawh2.Connection(s.ports["lenient"]) as connection:
        answers = 0
        for number in range(10):
            connection.send(rawh2.PING, payload=bytes([number] * 8))
            answers += connection.until(lambda f: f.kind == rawh2.PING and f.flags & rawh2.ACK and f.payload[0] == number) is not None
            time.sleep(0.04)
        t.check(answers == 10 and connection.export(1, s.tiny), "min_time 20ms: ten pings, 40 ms apart, are answered and the connection serves on", answers)
    with rawh2.Connection(s.ports["pinging"]) as connection:
        ping = connection.until(lambda f: f.kind == rawh2.PING and not f.flags & rawh2.ACK)
        t.check(ping and 0.95 <= connection.age_s() <= 1 + LATE_S and connection.export(1, s.tiny), "time 1s: a silent client is pinged; one that answers is kept")
    with socket.create_connection(("127.0.0.1", s.ports["pinging"]), timeout=1.6 + LATE_S) as dead:
        since = time.monotonic()
        dead.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        try:
            while dead.recv(65536):
                pass
        except socket.timeout:
            pass  # the check below says so
        waited = time.monotonic() - since
        t.check(1.45 <= waited <= 1.5 + LATE_S, f"timeout 500ms: one that does not answer is cut ({waited:.1f} s)")


def streams(s):
    t = s.t
    with rawh2.Connection(s.ports["streams"]) as connection:
        settings = connection.until(lambda f: f.kind == rawh2.SETTINGS and not f.flags & rawh2.ACK)
        pairs = [(settings.payload[i:i + 2], settings.payload[i + 2:i + 6]) for i in range(0, len(settings.payload), 6)]
        value = {int.from_bytes(k, "big"): int.from_bytes(v, "big") for k, v in pairs}.get(rawh2.MAX_CONCURRENT_STREAMS)
        t.check(value == 2, "max_concurrent_streams: 2 is announced", value)
        for stream in (1, 3, 5):
            connection.open_call(stream)
        refusal = connection.until(lambda f: f.kind in (rawh2.RST_STREAM, rawh2.GOAWAY))
        t.check(refusal and (refusal.kind == rawh2.GOAWAY or refusal.stream == 5), "a third one is refused", refusal)
    since = time.monotonic()
    report = t.send(s.ports["streams"], s.messages, arguments=("--count", 8, "--concurrency", 8))
    took = time.monotonic() - since
    t.check(report["ok"] == 8 and took >= 4 * 0.15, f"eight requests of 150 ms at once go two by two ({took * 1000:.0f} ms)", report)


def dripped(port, first, drip, stop_s):
    """Seconds until the server cuts a client that sends `drip` every 50 ms; None when it does not."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as slow:
        since = time.monotonic()
        slow.sendall(first)
        slow.settimeout(0.05)
        while time.monotonic() - since < stop_s:
            try:
                while slow.recv(4096):  # what it says before it closes does not matter
                    pass
                return time.monotonic() - since
            except socket.timeout:
                pass
            except OSError:
                return time.monotonic() - since
            try:
                slow.sendall(drip)
            except OSError:
                return time.monotonic() - since
    return None


def timeouts(s):
    t, port = s.t, s.ports["timeouts"]
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTO}\r\nContent-Length: 100000\r\n\r\n".encode()
    keep = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTO}\r\nContent-Length: 0\r\n\r\n".encode()
    kinds = [("read_header_timeout 500ms", b"POST /v1", b"x", HEADER_TIMEOUT_S), ("read_timeout 1s", head, b"x", READ_TIMEOUT_S), ("idle_timeout 700ms", keep, b"", IDLE_TIMEOUT_S)]
    cut = {name: [] for name, *_ in kinds}

    def attack(name, first, drip, limit_s):
        cut[name].append(dripped(port, first, drip, limit_s + LATE_S + 1))

    attackers = [threading.Thread(target=attack, args=kind) for kind in kinds for _ in range(SLOW_PEERS)]
    for attacker in attackers:
        attacker.start()
    since = time.monotonic()
    served = [s.post("timeouts")[0] for _ in range(5)]
    took = time.monotonic() - since
    t.check(served == [200] * 5 and took < LATE_S, f"{len(attackers)} slow clients: others are served meanwhile ({took * 1000:.0f} ms for 5)", served)
    for attacker in attackers:
        attacker.join(30)
    for name, _, _, limit_s in kinds:
        ended = [seconds for seconds in cut[name] if seconds is not None]
        good = len(ended) == SLOW_PEERS and min(ended) >= limit_s - 0.05 and max(ended) <= limit_s + LATE_S
        t.check(good, f"{name}: all {SLOW_PEERS} slow clients are cut then ({min(ended, default=0):.2f} to {max(ended, default=0):.2f} s)", cut[name])


def run(t):
    if harness.standin():
        raise harness.Skip("profpipe's own texts, exit codes and jitter")
    s = Server(t)
    unix_sockets(s)
    in_use(s)
    cors(s)
    metadata(s)
    idle_and_age(s)
    pings(s)
    streams(s)
    timeouts(s)
    t.check(s.daemon.stop() == 0 and not os.path.exists(t.path("grpc.sock")) and not os.path.exists(t.path("http.sock")), "at its end it takes its unix sockets away")


if __name__ == "__main__":
    harness.main(run)
