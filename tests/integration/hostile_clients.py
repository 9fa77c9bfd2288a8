#!/usr/bin/env python3
"""Clients that mean harm: bombs, slow-loris, header and frame floods, resets, idle crowds, half-closed peers, TLS garbage. Through each of them the daemon
stays within its limits (memory, descriptors, CPU) and a well-behaved client beside gets the right answers."""
import contextlib
import gzip
import http.client
import os
import random
import resource
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import warnings
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402
import rawh2  # noqa: E402

PATH = "/v1development/profiles"
PROTO = "application/x-protobuf"
MIB = 1 << 20
# Limits of the daemon, as documented in docs/threat-model.md.
CONNECTIONS_MAX = 4096
HEADER_TIMEOUT_S, READ_TIMEOUT_S = 1.0, 2.0  # configured below
LATE_S = 6.0  # what a busy machine may add
# What the daemon may grow by through all of this. One inflated body of the default limit (64 MiB), which the allocator may keep, connections, TLS sessions.
GROWTH_KB_MAX = 200 << 10
DESCRIPTORS_BESIDE = 100  # of loops, listeners, exporters
QUIET_S, QUIET_CPU_S = 0.6, 0.4  # an attack that is over costs nothing any more
CROWD = 5000
MANY = 300

CONFIG = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{grpc}}}, http: {{endpoint: 127.0.0.1:{http}, read_header_timeout: 1s, read_timeout: 2s}}}}}}
  otlp/tls:
    protocols:
      grpc: {{endpoint: 127.0.0.1:{tls_grpc}, tls: {{cert_file: '{cert}', key_file: '{key}'}}}}
      http: {{endpoint: 127.0.0.1:{tls_http}, read_header_timeout: 1s, tls: {{cert_file: '{cert}', key_file: '{key}'}}}}
exporters:
  otlp_grpc: {{endpoint: 127.0.0.1:{sink}, tls: {{insecure: true}}}}
service:
  telemetry: {{metrics: {{level: normal, readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {metrics}}}}}}}}}]}}}}
  pipelines: {{profiles: {{receivers: [otlp, otlp/tls], exporters: [otlp_grpc]}}}}
"""
PORTS = ("grpc", "http", "tls_grpc", "tls_http", "metrics")


class Neighbour(threading.Thread):
    """A well-behaved client: a message over a gRPC connection that it keeps, and one over a new HTTP connection, again and again."""

    def __init__(self, x):
        super().__init__(daemon=True)
        self.x, self.stop = x, threading.Event()
        self.sent, self.failures, self.slowest_s = 0, [], 0.0

    def over_grpc(self):
        """A connection that was closed before it took the call is opened anew, as every gRPC client does."""
        for _ in range(3):
            with contextlib.suppress(OSError):
                if not self.connection:
                    self.connection, self.stream = rawh2.Connection(self.x.ports["grpc"]), 1
                good = self.connection.export(self.stream, self.x.tiny)
                self.stream += 2
                if good:
                    return True
            if self.connection:
                self.connection.socket.close()
            self.connection = None
        return False

    def run(self):
        self.connection = None
        while not self.stop.is_set():
            for what, send in (("gRPC", self.over_grpc), ("HTTP", lambda: self.x.post("http", self.x.tiny)[0] == 200)):
                since = time.monotonic()
                try:
                    good = send()
                except OSError as error:
                    good = error
                self.slowest_s = max(self.slowest_s, time.monotonic() - since)
                if good is True:
                    self.sent += 1
                else:
                    self.failures.append(f"{what}: {good}")
            self.stop.wait(0.02)


class Hostile:
    def __init__(self, t):
        self.t = t
        self.ports = {name: harness.free_port() for name in PORTS}
        self.sink = t.sink("sink", save=False)
        self.cert, self.key = t.path("server.crt"), t.path("server.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.key, "-out", self.cert], check=True, capture_output=True, timeout=30)
        with open(os.path.join(t.gen("tiny", "tiny"), "tiny-000001.pb"), "rb") as data:
            self.tiny = data.read()
        self.daemon = t.profpipe("profpipe", CONFIG.format(sink=self.sink.grpc, cert=self.cert, key=self.key, **self.ports), self.ports.values())
        self.accepted = 0
        self.post("http", self.tiny)
        self.accepted += 1
        self.rss_kb = self.status("VmRSS")

    # What the daemon uses

    def status(self, name):
        with open(f"/proc/{self.daemon.pid}/status") as text:
            return next(int(line.split()[1]) for line in text if line.startswith(name + ":"))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.daemon.pid}/fd"))

    def cpu_s(self):
        with open(f"/proc/{self.daemon.pid}/stat") as text:
            fields = text.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def protections(self, reason):
        return harness.metric_sum(self.ports["metrics"], "profpipe_receiver_otlp_protections", reason=reason)

    # Clients

    def post(self, port, body, headers=(), path=PATH):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[port], timeout=20)
        try:
            connection.request("POST", path, body, {"Content-Type": PROTO, **dict(headers)})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def connect(self, port, data=b""):
        connection = socket.create_connection(("127.0.0.1", self.ports[port]), timeout=10)
        if data:
            connection.sendall(data)
        return connection

    def quiet(self, what):
        """After an attack: nothing goes on, nothing is kept."""
        limit = DESCRIPTORS_BESIDE
        harness.wait_until(lambda: self.descriptors() <= limit, 10 + LATE_S, f"{what}: the connections to be closed ({self.descriptors()} descriptors)")
        before = self.cpu_s()
        time.sleep(QUIET_S)
        used = self.cpu_s() - before
        self.t.check(used < QUIET_CPU_S, f"{what}: over, it costs nothing any more ({used:.2f} s CPU in {QUIET_S} s)")


@contextlib.contextmanager
def attack(x, what):
    neighbour = Neighbour(x)
    neighbour.start()
    since = time.monotonic()
    try:
        yield
    finally:
        x_time = time.monotonic() - since
        neighbour.stop.set()
        neighbour.join(30)
    x.accepted += neighbour.sent
    x.t.check(neighbour.sent > 0 and not neighbour.failures, f"{what} ({x_time:.1f} s): the client beside is served {neighbour.sent} times", neighbour.failures[:5])
    x.t.check(neighbour.slowest_s < LATE_S or harness.sanitized(), f"{what}: and never waits long (at most {neighbour.slowest_s * 1000:.0f} ms)")
    if not harness.sanitized():
        x.t.check(x.status("VmHWM") - x.rss_kb < GROWTH_KB_MAX, f"{what}: memory has grown by {(x.status('VmHWM') - x.rss_kb) >> 10} MiB at most (limit {GROWTH_KB_MAX >> 10})")
    x.quiet(what)


def closed(connection, timeout_s):
    """What comes until the peer closes; None when it does not."""
    connection.settimeout(timeout_s)
    out = b""
    with contextlib.suppress(ConnectionError):
        try:
            while data := connection.recv(65536):
                out += data
        except socket.timeout:
            return None
    return out


def bombs(x):
    """80 MiB of zeros, as they inflate, eight at a time; and compressed bytes within compressed bytes, which are inflated once."""
    zeros = bytes(80 * MIB)
    packed = {"gzip": gzip.compress(zeros, 6), "deflate": zlib.compress(zeros, 6)}
    members = gzip.compress(bytes(MIB), 6) * 80
    nested = gzip.compress(gzip.compress(gzip.compress(zeros, 6)))
    crowd_of_bombs = [*packed.items()] * 3 + [("gzip", members)] * 2
    if harness.sanitized():  # which inflates many times slower
        crowd_of_bombs = [*packed.items()]
    answers = []

    def send(encoding, body):
        answers.append((encoding, x.post("http", body, {"Content-Encoding": encoding})[0]))

    with attack(x, "bombs"):
        threads = [threading.Thread(target=send, args=one) for one in crowd_of_bombs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        status = x.post("http", nested, {"Content-Encoding": "gzip"})[0]
    x.t.check(len(answers) == len(threads) and all(status == 413 for _, status in answers), "bombs: each one is refused with 413", answers)
    x.t.check(status == 400, "bombs: gzip in gzip in gzip is one message that is none: 400", status)


def dribble(x, connections, byte, until_s):
    """A byte on each from time to time; returns how many were closed by the daemon, and when the last one was."""
    since, left, last = time.monotonic(), set(connections), 0.0
    for connection in left:
        connection.setblocking(False)
    while left and time.monotonic() - since < until_s:
        for connection in list(left):
            try:
                connection.send(byte)
                if connection.recv(4096) == b"":
                    raise ConnectionResetError
            except BlockingIOError:
                continue
            except OSError:
                left.discard(connection)
                last = time.monotonic() - since
        time.sleep(0.1)
    return len(connections) - len(left), last


def slow_loris(x):
    half_head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-Slow: ".encode()
    half_body = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTO}\r\nContent-Length: 100000\r\n\r\n".encode()
    for what, start, limit_s in (("headers", half_head, HEADER_TIMEOUT_S), ("bodies", half_body, READ_TIMEOUT_S)):
        before = x.protections("slow")
        with attack(x, f"slow {what}"):
            connections = [x.connect("http", start) for _ in range(MANY)]
            gone, last = dribble(x, connections, b"x", limit_s + LATE_S)
            for connection in connections:
                connection.close()
        x.t.check(gone == MANY, f"slow {what}: all {MANY} connections are cut after {last:.1f} s (limit {limit_s} s)", gone)
        x.t.check(x.protections("slow") - before >= MANY, f"slow {what}: each is counted", x.protections("slow") - before)
    with attack(x, "slow HTTP/2 headers"):
        connections = [rawh2.Connection(x.ports["http"]) for _ in range(50)]
        for connection in connections:
            connection.send(rawh2.HEADERS, 0, 1, b"\x83\x86")  # and no END_HEADERS
        ends = [connection.until(lambda f: f.kind in (rawh2.RST_STREAM, rawh2.GOAWAY), HEADER_TIMEOUT_S + LATE_S) for connection in connections]
        for connection in connections:
            connection.socket.close()
    x.t.check(all(ends), "slow HTTP/2 headers: each stream is ended", ends.count(None))


def header_floods(x):
    with attack(x, "header floods"):
        many = "".join(f"x-{i}: y\r\n" for i in range(10000))
        answers = {}
        for name, headers in (("10,000 headers", many), ("a header of 1 MiB", f"x: {'y' * MIB}\r\n"), ("a header without end", "x: " + "y" * MIB)):
            with x.connect("http") as connection:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\n{headers}".encode())
                answers[name] = closed(connection, 10)
        ends = {}
        for name, fill in (("CONTINUATION frames without end", lambda c: c.send(9, 0, 1, b"\0\x01a\x01b")),
                           ("CONTINUATION frames that are empty", lambda c: c.send(9, 0, 1)),
                           ("HPACK references to a large entry", lambda c: c.send(9, 0, 1, b"\xbe" * 10000))):
            with rawh2.Connection(x.ports["grpc"]) as connection, contextlib.suppress(ConnectionError):
                connection.send(rawh2.HEADERS, 0, 1, b"\x83\x86\x84\x40\x01a\x7f\x81\x1e" + b"v" * 4000)
                for _ in range(1000):
                    fill(connection)
                ends[name] = connection.wait_closed()
            ends.setdefault(name, True)
    for name, answer in answers.items():
        x.t.check(answer is not None and answer.startswith(b"HTTP/1.1 431 "), f"header floods: {name}: 431, closed", (answer or b"")[:60])
    for name, end in ends.items():
        x.t.check(end, f"header floods: {name}: the connection is closed")


def flood(x, port, frames, name):
    """Sends until the daemon closes; how many bytes it took."""
    sent = 0
    with rawh2.Connection(x.ports[port]) as connection:
        reader = threading.Thread(target=lambda: connection.wait_closed(15), daemon=True)
        reader.start()
        with contextlib.suppress(OSError):
            for part in frames:
                connection.socket.sendall(part)
                sent += len(part)
        reader.join(20)
        x.t.check(not reader.is_alive(), f"{name}: the connection is closed (after {sent >> 10} KiB)")


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def frame_floods(x):
    """Rapid resets (CVE-2023-44487), and frames that make work without a request."""
    fields = [(":method", "POST"), (":scheme", "http"), (":path", rawh2.GRPC_PATH), (":authority", "x"), ("content-type", "application/grpc")]
    block = b"".join(b"\0" + bytes([len(n)]) + n.encode() + bytes([len(v)]) + v.encode() for n, v in fields)
    call = rawh2.DATA, rawh2.END_STREAM
    message = b"\0" + struct.pack(">I", len(x.tiny)) + x.tiny
    reset = struct.pack(">I", 8)

    def resets():
        for first in range(1, 40001, 200):
            yield b"".join(frame(rawh2.HEADERS, rawh2.END_HEADERS, s, block) + frame(rawh2.RST_STREAM, 0, s, reset) for s in range(first, first + 200, 2))

    def resets_of_whole_calls():
        for first in range(1, 40001, 200):
            yield b"".join(frame(rawh2.HEADERS, rawh2.END_HEADERS, s, block) + frame(*call, s, b"\xff" + message[1:]) + frame(rawh2.RST_STREAM, 0, s, reset) for s in range(first, first + 200, 2))

    kinds = {
        "rapid resets": ("grpc", resets()), "rapid resets of whole calls": ("grpc", resets_of_whole_calls()),
        "PING": ("http", [frame(rawh2.PING, 0, 0, b"12345678") * 500] * 400), "PING on the gRPC port": ("grpc", [frame(rawh2.PING, 0, 0, b"12345678") * 500] * 400),
        "SETTINGS": ("http", [frame(rawh2.SETTINGS, 0, 0, b"\0\4\0\0\1\0") * 500] * 400), "WINDOW_UPDATE": ("grpc", [frame(8, 0, 0, b"\0\0\0\1") * 500] * 400),
        "PRIORITY": ("grpc", [frame(2, 0, 1, b"\0\0\0\3\1") * 500] * 400)}
    before = x.protections("flooded")
    with attack(x, "frame floods"):
        for name, (port, frames) in kinds.items():
            flood(x, port, frames, name)
    x.t.check(x.protections("flooded") - before >= len(kinds), f"frame floods: each is counted ({len(kinds)})", x.protections("flooded") - before)


def stalled_readers(x):
    """Peers that open no window for the answers, or do not read their socket at all."""
    with attack(x, "stalling readers"):
        connections = []
        for _ in range(40):
            connection = rawh2.Connection(x.ports["grpc"])
            connection.send(rawh2.SETTINGS, 0, 0, b"\0\4\0\0\0\0")  # no window for any stream
            for stream in range(1, 41, 2):
                connection.open_call(stream)
                connection.finish_call(stream, x.tiny)
            connections.append(connection)
        harness.wait_until(lambda: x.sink.answered() >= 40 * 20, 20, "the calls of readers that stall to reach the backend")
        time.sleep(0.5)
        for connection in connections:
            connection.socket.close()
    x.accepted += 40 * 20
    with attack(x, "readers of nothing"):
        silent = []
        for _ in range(20):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", x.ports["http"]))
            connection.setblocking(False)
            with contextlib.suppress(OSError):
                while connection.send(f"GET /{'x' * 500} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 50):
                    pass
            silent.append(connection)
        time.sleep(0.5)
        for connection in silent:
            connection.close()


def crowd(x):
    """More idle connections than the daemon takes: the oldest go, and who has something to send is let in."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < CROWD + 200:
        x.t.say(f"skipped: a crowd of {CROWD} needs more descriptors than {hard}")
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, CROWD + 200), hard))
    before = x.protections("evicted")
    with attack(x, "a crowd of idle connections"):
        connections = [x.connect("grpc", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(rawh2.SETTINGS, 0, 0) if i % 2 else b"") for i in range(CROWD)]
        harness.wait_until(lambda: x.protections("evicted") - before >= CROWD - CONNECTIONS_MAX, 10, "idle connections to be let go")
        x.t.check(x.descriptors() <= CONNECTIONS_MAX + DESCRIPTORS_BESIDE, f"a crowd: {x.descriptors()} descriptors at the limit of {CONNECTIONS_MAX} connections")
        x.t.check(x.post("http", x.tiny)[0] == 200, "a crowd: a new client is served")
        x.accepted += 1
        time.sleep(0.5)
        for connection in connections:
            connection.close()


def half_closed(x):
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTO}\r\nContent-Length: {len(x.tiny)}\r\n\r\n".encode()
    with attack(x, "half-closed peers"):
        with x.connect("http", head + x.tiny) as connection:
            connection.shutdown(socket.SHUT_WR)
            whole = closed(connection, 10)
        with x.connect("http", head + x.tiny[:-1]) as connection:
            connection.shutdown(socket.SHUT_WR)
            short = closed(connection, 10)
        many = [x.connect(port, data) for port, data in [("http", head[:20]), ("grpc", b"PRI * HTTP"), ("grpc", b"")] * 50]
        for connection in many:
            connection.shutdown(socket.SHUT_WR)
        ends = [closed(connection, 5) is not None for connection in many]
        for connection in many:
            connection.close()
        resets = [x.connect("http", head) for _ in range(100)]
        for connection in resets:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
    x.accepted += 1
    x.t.check(whole and whole.startswith(b"HTTP/1.1 200 "), "half-closed peers: a whole request is answered", whole)
    x.t.check(short and short.startswith(b"HTTP/1.1 400 "), "half-closed peers: one cut short is refused with 400", short)
    x.t.check(all(ends), "half-closed peers: others are closed at once", ends.count(False))


def oversize(x):
    with attack(x, "oversize"):
        ends = []
        for prefix in (b"\0\xff\xff\xff\xff", b"\1\x7f\xff\xff\xff"):
            with rawh2.Connection(x.ports["grpc"]) as connection:
                connection.open_call(1)
                connection.send(rawh2.DATA, 0, 1, prefix + b"x")
                ends.append(connection.until(lambda f: f.stream == 1 and f.kind in (rawh2.HEADERS, rawh2.RST_STREAM)))
        with x.connect("http", f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTO}\r\nContent-Length: 99999999999999\r\n\r\n".encode()) as connection:
            answer = closed(connection, 10)
    x.t.check(all(end and end.kind == rawh2.HEADERS for end in ends), "oversize: messages of 2 and 4 GiB are refused when their length is there", ends)
    x.t.check(answer and answer.startswith(b"HTTP/1.1 413 "), "oversize: so is a body of 100 TB", answer)


def tls_context(x):
    context = ssl.create_default_context(cafile=x.cert)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    return context


def handshake(x, port, alpn, version=None):
    """The protocol agreed on, or the error."""
    context = tls_context(x)
    if version:
        context.maximum_version = version
    if alpn:
        context.set_alpn_protocols(alpn)
    with x.connect(port) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
                return connection.selected_alpn_protocol() or "none"
        except (ssl.SSLError, OSError) as error:
            return error


def tls_garbage(x):
    noise = random.Random(1)
    with attack(x, "TLS garbage"):
        ends = []
        for data in [noise.randbytes(2000) for _ in range(30)] + [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x40\x00" + noise.randbytes(0x4000), b"\x16\x03\x01\xff\xff" + bytes(70000)]:
            for port in ("tls_grpc", "tls_http"):
                with x.connect(port) as connection:
                    with contextlib.suppress(OSError):
                        connection.sendall(data)
                        connection.shutdown(socket.SHUT_WR)
                    with contextlib.suppress(OSError):
                        ends.append(closed(connection, 10) is not None)
        half = [x.connect("tls_http", b"\x16\x03\x01\x02\x00\x01") for _ in range(50)]
        cut = [closed(connection, HEADER_TIMEOUT_S + LATE_S) is not None for connection in half]
        for connection in half:
            connection.close()
        good = {p: handshake(x, "tls_grpc" if p == "h2" else "tls_http", [p]) for p in ("h2", "http/1.1")}
        wrong = {port: handshake(x, port, ["smtp"]) for port in ("tls_grpc", "tls_http")}
        with x.connect("tls_grpc") as plain, tls_context(x).wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            http1 = connection.recv(4096)
        with warnings.catch_warnings():  # that of using so old a version
            warnings.simplefilter("ignore")
            old = handshake(x, "tls_http", [], ssl.TLSVersion.TLSv1_1)
    x.t.check(all(ends), "TLS garbage: each connection is closed", ends.count(False))
    x.t.check(all(cut), "TLS garbage: handshakes that stop are cut", cut.count(False))
    x.t.check(good == {"h2": "h2", "http/1.1": "http/1.1"}, "TLS: the right ALPN is agreed on", good)
    x.t.check(all(isinstance(w, ssl.SSLError) for w in wrong.values()), "wrong ALPN: refused in the handshake", wrong)
    x.t.check(http1.startswith(b"HTTP/1.1 505 "), "HTTP/1.1 without ALPN on the gRPC port is told so: 505", http1[:60])
    x.t.check(isinstance(old, Exception), "TLS 1.1 is refused", old)


def run(t):
    x = Hostile(t)
    for part in (bombs, slow_loris, header_floods, frame_floods, stalled_readers, crowd, half_closed, oversize, tls_garbage):
        since = time.monotonic()
        part(x)
        t.say(f"({part.__name__}: {time.monotonic() - since:.1f} s)")
    t.check(x.daemon.running(), "the daemon is still there")
    harness.wait_until(lambda: x.sink.answered() >= x.accepted, 20, f"the {x.accepted} accepted messages at the sink ({x.sink.stats()})")
    told = [line for line in x.daemon.log().splitlines() if "closed a connection" in line or "idle ones are closed" in line]
    reasons = [[line for line in told if reason in line] for reason in ("too slow", "flood", "idle ones")]
    t.check(all(1 <= len(lines) <= 4 for lines in reasons), f"slow peers, floods and crowds are told of, a line a minute for each port ({len(told)} lines)", told[:12])


if __name__ == "__main__":
    harness.main(run)
