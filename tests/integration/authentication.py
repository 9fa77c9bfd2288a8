#!/usr/bin/env python3
"""basicauth, bearertokenauth, headers_setter and mTLS with the real Collector on the other side, over gRPC and HTTP: who is let in, who is not, files that are
replaced while all runs, refusals before the body, and headers that follow their batch."""
import base64
import hashlib
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402
import rawh2  # noqa: E402
from otlp_tls import Authority  # noqa: E402

ROTATION_S = 15  # bound for a replaced file to be used; it is looked at once a second
SETTLE_S = 4     # for what must not arrive
PATH = "/v1development/profiles"
SALT = "$2y$10$abcdefghijklmnopqrstuu"  # bcrypt, cost 10
SECRETS = ("secret-ann", "secret-bob", "token-one", "token-two", "wrong-password", "wrong-token", "abcdefghijklmnopqrstuu")
RETRY = "retry_on_failure: {initial_interval: 100ms, max_interval: 500ms, max_elapsed_time: 3s}, timeout: 5s"


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def bcrypt_hash(password):
    """By libcrypt."""
    code = "import ctypes, sys; c = ctypes.CDLL('libcrypt.so.1'); c.crypt.restype = ctypes.c_char_p; print(c.crypt(sys.argv[1].encode(), sys.argv[2].encode()).decode())"
    return subprocess.run([sys.executable, "-c", code, password, SALT], check=True, capture_output=True, text=True, timeout=30).stdout.strip()


class World:
    def __init__(self, t):
        self.t = t
        self.good, self.other = Authority(t, "good"), Authority(t, "other")
        self.server, self.client, self.stranger = self.good.issue("server"), self.good.issue("client"), self.other.issue("stranger")
        self.message = os.path.join(t.gen("tiny", "tiny"), "tiny-000001.pb")
        self.users = t.write("users", f"ann:{bcrypt_hash('secret-ann')}\nbob:{{SHA}}{base64.b64encode(hashlib.sha1(b'secret-bob').digest()).decode()}\n")
        self.server_tls = f"cert_file: '{self.server[0]}', key_file: '{self.server[1]}'"
        self.client_tls = f"ca_file: '{self.good.ca}'"

    def replace(self, path, text):
        """As rotation tools do it: written beside, then renamed."""
        with open(path + ".new", "w") as out:
            out.write(text)
        os.replace(path + ".new", path)

    def send(self, port, to, *arguments):
        return self.t.send(port, self.message, to=to, arguments=("--tls", "--ca", self.good.ca, "--timeout", "8s", *arguments))


def protocols(ports, body):
    return f"protocols: {{grpc: {{endpoint: '127.0.0.1:{ports['grpc']}', {body}}}, http: {{endpoint: '127.0.0.1:{ports['http']}', {body}}}}}"


def two_ports():
    return {"grpc": harness.free_port(), "http": harness.free_port()}


def server_config(x, kinds, sink, tokens):
    """A server, of profpipe or of the Collector, whose receivers each let in somebody else: name -> (ports, block)."""
    blocks = {"basic": f"tls: {{{x.server_tls}}}, auth: {{authenticator: basicauth/server}}, include_metadata: true",
              "bearer": f"tls: {{{x.server_tls}}}, auth: {{authenticator: bearertokenauth/server}}",
              "mtls": f"tls: {{{x.server_tls}, client_ca_file: '{x.good.ca}'}}"}
    receivers = "\n".join(f"  otlp/{name}: {{{protocols(kinds[name], blocks[name])}}}" for name in kinds)
    return f"""
extensions:
  basicauth/server: {{htpasswd: {{file: '{x.users}', inline: 'cat:secret-cat'}}}}
  bearertokenauth/server: {{filename: '{tokens}'}}
receivers:
{receivers}
exporters:
  otlp_http: {{endpoint: 'http://127.0.0.1:{sink.http}'}}
service:
  extensions: [basicauth/server, bearertokenauth/server]
  telemetry: {{metrics: TELEMETRY}}
  pipelines:
    profiles: {{receivers: [{', '.join(f'otlp/{n}' for n in kinds)}], exporters: [otlp_http]}}
"""


def telemetry(port):
    return f"{{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {port}}}}}}}}}]}}"


def client_config(x, port, targets, right, tokens, grpc, metrics="{level: none}"):
    """A client that sends each batch to every target, by every kind of credentials."""
    user = "{username: ann, password: secret-ann}" if right else "{username: ann, password: wrong-password}"
    token = f"filename: '{tokens}'" if right else "token: wrong-token"
    cert = f", cert_file: '{x.client[0]}', key_file: '{x.client[1]}'" if right else f", cert_file: '{x.stranger[0]}', key_file: '{x.stranger[1]}'"
    auth = {"basic": ", auth: {authenticator: basicauth/client}", "bearer": ", auth: {authenticator: bearertokenauth/client}", "mtls": ""}
    lines, names = [], []
    for name, ports in targets.items():
        tls = f"tls: {{{x.client_tls}{cert if name == 'mtls' else ''}}}"
        for kind in ("otlp_grpc", "otlp_http") if grpc else ("otlp_http",):
            where = f"127.0.0.1:{ports['grpc']}" if kind == "otlp_grpc" else f"https://127.0.0.1:{ports['http']}"
            lines.append(f"  {kind}/{name}: {{endpoint: '{where}', {tls}, {RETRY}{auth[name]}}}")
            names.append(f"{kind}/{name}")
    return names, f"""
extensions:
  basicauth/client: {{client_auth: {user}}}
  bearertokenauth/client: {{{token}}}
receivers:
  otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:{port}'}}}}}}
exporters:
{chr(10).join(lines)}
service:
  extensions: [basicauth/client, bearertokenauth/client]
  telemetry: {{metrics: {metrics}}}
  pipelines:
    profiles: {{receivers: [otlp], exporters: [{', '.join(names)}]}}
"""


def start(x, who, name, text, ports):
    return x.t.collector(name, text, ports) if who == "collector" else x.t.profpipe(name, text, ports)


def one_direction(x, client, server):
    """A client of one make sends to a server of the other, with right credentials, then with wrong ones."""
    what = f"{client} -> {server}"
    tokens = x.t.write(f"tokens-{server}", "token-one # the first\ntoken-spare\n")
    mine = x.t.write(f"tokens-{client}-client", "token-one\n")
    sink = x.t.sink(f"behind-{server}")
    kinds = {name: two_ports() for name in ("basic", "bearer", "mtls")}
    metrics_port = harness.free_port()
    all_ports = [p for both in kinds.values() for p in both.values()]
    daemon = start(x, server, f"{server}-server", server_config(x, kinds, sink, tokens).replace("TELEMETRY", telemetry(metrics_port)), all_ports)
    entry = harness.free_port()
    names, text = client_config(x, entry, kinds, True, mine, True)
    right = start(x, client, f"{client}-right", text, [entry])
    x.t.send(entry, x.message, to="http")
    sink.wait_for(len(names), 30)
    x.t.check(True, f"{what}: right credentials let {len(names)} exporters in: {', '.join(names)}")
    received = [r["file"] for r in sink.requests() if r.get("file")]
    x.t.same_profiles(f"{what}: what arrives is what was sent", [x.message] * len(received), received)
    rotation(x, what, sink, entry, tokens, mine, len(names))
    before = sink.answered()
    wrong_entry = harness.free_port()
    names, text = client_config(x, wrong_entry, kinds, False, None, True)
    wrong = start(x, client, f"{client}-wrong", text, [wrong_entry])
    x.t.send(wrong_entry, x.message, to="http")
    time.sleep(SETTLE_S)
    x.t.check(sink.answered() == before, f"{what}: wrong credentials let nobody in", sink.answered() - before)
    for name in names:
        x.t.check(name in wrong.log(), f"{what}: {name}: its failure is in the client's log")
    if server == "profpipe":
        for kind in ("basic", "bearer"):
            for outcome, least in (("admitted", 2), ("refused", 2)):
                n = harness.metric_sum(metrics_port, "profpipe_extension_auth_requests", component=f"otlp/{kind}", outcome=outcome)
                x.t.check(n >= least, f"{what}: metric: {kind}: {outcome}", n)
    for program in (right, wrong, daemon):
        if program.name.startswith("profpipe"):
            shown = [s for s in SECRETS if s in program.log()]
            x.t.check(not shown, f"{what}: {program.name} logs no secret", shown)
    for program in (right, wrong):
        program.stop()
    return kinds, daemon, sink, metrics_port, tokens


def rotation(x, what, sink, entry, tokens, mine, per_message):
    """Both sides change to a new token while they run; the server first takes both."""
    x.replace(tokens, "token-two\ntoken-one\n")
    time.sleep(2.5)
    x.replace(mine, "token-two\n")
    time.sleep(2.5)
    x.replace(tokens, "token-two\n")
    time.sleep(2.5)
    before = sink.answered()
    x.t.send(entry, x.message, to="http")
    harness.wait_until(lambda: sink.answered() >= before + per_message, ROTATION_S, f"{what}: deliveries with the new token")
    x.t.check(True, f"{what}: tokens are replaced on both sides while all runs")


# ---- profpipe's server, seen closely

def read_answer(connection, timeout_s=10):
    connection.settimeout(timeout_s)
    answer = b""
    while b"\r\n\r\n" not in answer:
        chunk = connection.recv(65536)
        if not chunk:
            break
        answer += chunk
    return answer.decode(errors="replace")


def before_the_body(x, kinds):
    """The answer comes although a huge body was announced and not a byte of it sent."""
    context = ssl.create_default_context(cafile=x.good.ca)
    for what, header in (("nobody", ""), ("a wrong password (bcrypt)", f"authorization: {basic('ann', 'wrong-password')}\r\n"), ("a wrong password (SHA)", f"authorization: {basic('bob', 'x')}\r\n"),
                         ("an unknown user", f"authorization: {basic('eve', 'x')}\r\n"), ("another scheme", "authorization: Bearer token-two\r\n")):
        with socket.create_connection(("127.0.0.1", kinds["basic"]["http"]), timeout=10) as raw, context.wrap_socket(raw, server_hostname="localhost") as connection:
            connection.sendall(f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n{header}expect: 100-continue\r\ncontent-length: 60000000\r\n\r\n".encode())
            answer = read_answer(connection)
            x.t.check(answer.startswith("HTTP/1.1 401") and "www-authenticate: Basic realm=" in answer and "100 Continue" not in answer, f"http: {what}: 401 before the body", answer[:300])
    for what, header in (("nobody", None), ("a wrong password (bcrypt)", basic("ann", "wrong-again")), ("a wrong password (SHA)", basic("bob", "x"))):
        x.t.check(refused_at_once(kinds["basic"]["grpc"], context, [("authorization", header)] if header else []), f"grpc: {what}: refused before the body")
        report = x.send(kinds["basic"]["grpc"], "grpc", *(("--header", f"authorization:{header}") if header else ()))
        x.t.check(report["ok"] == 0 and "Unauthenticated" in str(report), f"grpc: {what}: UNAUTHENTICATED", report)


def refused_at_once(port, context, fields):
    """Opens a call whose message never comes: whether the answer is trailers only, which ends a call that failed."""
    with rawh2.Connection(port, tls=context) as connection:
        connection.open_call(1, fields)
        while True:
            frame = connection.frame()
            if frame is None or frame.stream == 1:
                return frame is not None and frame.kind == rawh2.HEADERS and frame.flags & rawh2.END_STREAM


ATTACKERS = 8
FLOOD_S = 6


def guess(x, port, stop, number, outcomes):
    """Wrong passwords, each a new one on a new connection."""
    context = ssl.create_default_context(cafile=x.good.ca)
    i = 0
    while time.monotonic() < stop:
        i += 1
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as raw, context.wrap_socket(raw, server_hostname="localhost") as connection:
                connection.sendall(f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: {basic('ann', f'guess-{number}-{i}')}\r\ncontent-length: 1000000\r\n\r\n".encode())
                status = read_answer(connection, 20)[9:12]
        except OSError as error:
            status = type(error).__name__
        outcomes.append(status)


def flood(x, kinds):
    """Many wrong passwords at once: who is known comes in meanwhile, and quickly."""
    port, context = kinds["basic"]["http"], ssl.create_default_context(cafile=x.good.ca)
    with open(x.message, "rb") as file:
        body = file.read()
    request = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\nauthorization: {basic('ann', 'secret-ann')}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
    outcomes, took = [], []
    with socket.create_connection(("127.0.0.1", port), timeout=20) as raw, context.wrap_socket(raw, server_hostname="localhost") as connection:
        def send():
            begun = time.monotonic()
            connection.sendall(request)
            status = read_answer(connection, 20)[9:12]
            took.append(time.monotonic() - begun)
            return status
        x.t.check(send() == "200", "flood: somebody known before it")
        took.clear()
        stop = time.monotonic() + FLOOD_S
        attackers = [threading.Thread(target=guess, args=(x, port, stop, n, outcomes)) for n in range(ATTACKERS)]
        for thread in attackers:
            thread.start()
        answers = []
        while time.monotonic() < stop:
            answers.append(send())
            time.sleep(0.1)
        for thread in attackers:
            thread.join(60)
    took.sort()
    x.t.check(set(answers) == {"200"}, f"flood: {len(outcomes)} guesses beside {len(answers)} requests of somebody known, who is let in each time", set(answers))
    x.t.check(took[len(took) // 2] < 1, f"flood: half of those took at most {took[len(took) // 2] * 1000:.1f} ms, the slowest {took[-1] * 1000:.1f} ms", took[-5:])
    counts = {o: outcomes.count(o) for o in set(outcomes)}
    x.t.check(counts.get("401", 0) > 0 and "200" not in counts, "flood: no guess is let in", counts)


def authenticated_context(x):
    """What authentication found out travels with the data; the tenant's header too; what is merged keeps unlike senders apart."""
    entry, sink = harness.free_port(), x.t.sink("tenants")
    setter = "headers: [{action: upsert, key: X-Scope-OrgID, from_context: X-Tenant, default_value: nobody}, {key: X-User, from_attribute: username}]"
    common = f"endpoint: 'http://127.0.0.1:{sink.http}', auth: {{authenticator: headers_setter}}, headers: {{x-kind: KIND}}, {RETRY}"
    batch = "batch: {flush_timeout: 10s, min_size: 100000PARTITION}"
    text = f"""
extensions:
  basicauth/server: {{htpasswd: {{file: '{x.users}'}}}}
  headers_setter: {{{setter}}}
receivers:
  otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:{entry}', include_metadata: true, auth: {{authenticator: basicauth/server}}}}}}}}
exporters:
  otlp_http/single: {{{common.replace('KIND', 'single')}}}
  otlp_http/apart: {{{common.replace('KIND', 'apart')}, sending_queue: {{{batch.replace('PARTITION', ', partition: {metadata_keys: [X-Tenant]}')}}}}}
  otlp_http/merged: {{{common.replace('KIND', 'merged')}, sending_queue: {{{batch.replace('PARTITION', '')}}}}}
service:
  extensions: [basicauth/server, headers_setter]
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    profiles: {{receivers: [otlp], exporters: [otlp_http/single, otlp_http/apart, otlp_http/merged]}}
"""
    x.t.profpipe("tenants", text, [entry])
    reports = {}

    def send(number, user, password, tenant):
        reports[number] = (tenant, user, x.t.send(entry, x.message, to="http", arguments=("--header", f"authorization:{basic(user, password)}", "--header", f"x-tenant:{tenant}")))
    senders = [threading.Thread(target=send, args=(n, *who)) for n, who in enumerate((("ann", "secret-ann", "red"), ("bob", "secret-bob", "blue"), ("ann", "secret-ann", "red")))]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(60)
    for tenant, user, report in reports.values():
        x.t.check(report["ok"] == 1, f"tenant {tenant} as {user} is let in", report)

    def seen(kind):
        out = []
        for request in sink.requests():
            headers = {k.lower(): v[0] for k, v in request["headers"].items()}
            if headers.get("x-kind") == kind:
                out.append((headers.get("x-scope-orgid"), headers.get("x-user")))
        return sorted(out)
    harness.wait_until(lambda: len(seen("single")) >= 3 and len(seen("apart")) >= 2 and seen("merged"), 60, "what the tenants sent")
    x.t.check(seen("single") == [("blue", "bob"), ("red", "ann"), ("red", "ann")], "each batch goes out with its sender's tenant and user", seen("single"))
    x.t.check(seen("apart") == [("blue", "bob"), ("red", "ann")], "partition.metadata_keys: merged, with unlike tenants kept apart", seen("apart"))
    x.t.check(seen("merged") == [("nobody", "")], "without it: merged, under nobody's name", seen("merged"))


def through_the_collector(x):
    """The header that headers_setter writes is metadata to a real Collector, which copies it into the data."""
    sink, inner, entry = x.t.sink("collected"), two_ports(), harness.free_port()
    x.t.collector("metadata-collector", f"""
receivers:
  otlp: {{{protocols(inner, 'include_metadata: true')}}}
processors:
  resource: {{attributes: [{{key: tenant, from_context: metadata.x-scope-orgid, action: upsert}}]}}
exporters:
  otlp_http: {{endpoint: 'http://127.0.0.1:{sink.http}', compression: none}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    profiles: {{receivers: [otlp], processors: [resource], exporters: [otlp_http]}}
""", list(inner.values()))
    x.t.profpipe("metadata-profpipe", f"""
extensions:
  headers_setter: {{headers: [{{action: upsert, key: X-Scope-OrgID, from_context: x-tenant}}]}}
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{entry}', include_metadata: true}}}}}}
exporters:
  otlp_grpc: {{endpoint: '127.0.0.1:{inner['grpc']}', tls: {{insecure: true}}, auth: {{authenticator: headers_setter}}}}
  otlp_http: {{endpoint: 'http://127.0.0.1:{inner['http']}', auth: {{authenticator: headers_setter}}}}
service:
  extensions: [headers_setter]
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    profiles: {{receivers: [otlp], exporters: [otlp_grpc, otlp_http]}}
""", [entry])
    x.t.send(entry, x.message, to="grpc", arguments=("--header", "x-tenant:tenant-of-the-test"))
    sink.wait_for(2, 20)
    for request in sink.requests():
        with open(request["file"], "rb") as message:
            x.t.check(b"tenant-of-the-test" in message.read(), f"the Collector sees the tenant's header (request {request['n']})")


def no_secrets_are_shown(x, config):
    path = x.t.write("shown.yaml", config)
    done = subprocess.run([harness.profpipe_binary(), "print-config", "--config", path], capture_output=True, text=True, timeout=30, check=False)
    shown = [s for s in (*SECRETS, "secret-cat") if s in done.stdout + done.stderr]
    x.t.check(done.returncode == 0 and not shown and "[REDACTED]" in done.stdout, "print-config shows no secret", (done.returncode, shown, done.stderr[:300]))


def wrong_configurations(x):
    base = "receivers: {otlp: {protocols: {http: {endpoint: 'localhost:0'AUTH}}}}\nexporters: {otlp_http: {endpoint: 'http://localhost:1'CLIENT}, otlp_grpc: {endpoint: 'localhost:1', GRPC}}\n" \
           "extensions:\n  basicauth/s: {htpasswd: {inline: 'a:b'}}\n  basicauth/c: {client_auth: {username: a, password: b}}\nservice:\n  extensions: [RUNNING]\n" \
           "  pipelines: {profiles: {receivers: [otlp], exporters: [otlp_http, otlp_grpc]}}\n"
    fill = {"AUTH": "", "CLIENT": "", "GRPC": "tls: {insecure: true}", "RUNNING": "basicauth/s, basicauth/c"}
    cases = [("an authenticator that is not configured", {"AUTH": ", auth: {authenticator: basicauth/x}"}, r"w\.yaml:1:\d+: error: receivers::otlp::protocols::http::auth::authenticator: the extension \"basicauth/x\" is not configured; did you mean \"basicauth/"),
             ("one that does not run", {"AUTH": ", auth: {authenticator: basicauth/s}", "RUNNING": "basicauth/c"}, r"does not run: add it to service::extensions"),
             ("a client's at a server", {"AUTH": ", auth: {authenticator: basicauth/c}"}, r"is not a server authenticator as it is configured"),
             ("a server's at a client", {"CLIENT": ", auth: {authenticator: basicauth/s}"}, r"w\.yaml:2:\d+: .*is not a client authenticator as it is configured"),
             ("middlewares", {"AUTH": ", middlewares: [{id: x}]"}, r"is not a middleware extension: none is built in")]
    for what, change, expected in cases:
        text = base
        for key, value in {**fill, **change}.items():
            text = text.replace(key, value)
        path = x.t.write("w.yaml", text)
        done = subprocess.run([harness.profpipe_binary(), "validate", "--config", path], capture_output=True, text=True, timeout=30, check=False)
        x.t.check(done.returncode != 0 and re.search(expected, done.stderr + done.stdout), f"validate: {what}", done.stderr + done.stdout)
    text = base
    for key, value in {**fill, "GRPC": "tls: {insecure: true}, auth: {authenticator: basicauth/c}"}.items():
        text = text.replace(key, value)
    done = subprocess.run([harness.profpipe_binary(), "--config", x.t.write("clear.yaml", text)], capture_output=True, text=True, timeout=30, check=False)
    x.t.check(done.returncode != 0 and "are not sent without TLS" in done.stderr, "credentials do not go over gRPC in the clear, as with the Collector", done.stderr[-400:])


def run(t):
    if harness.standin():
        raise harness.Skip("compares profpipe with the Collector")
    x = World(t)
    kinds, daemon, _, _, tokens = one_direction(x, "collector", "profpipe")
    before_the_body(x, kinds)
    flood(x, kinds)
    t.check(daemon.running(), "the server is still there")
    one_direction(x, "profpipe", "collector")
    authenticated_context(x)
    through_the_collector(x)
    names, text = client_config(x, 4318, {"basic": two_ports()}, True, tokens, False)
    no_secrets_are_shown(x, text.replace("[basicauth/client", "[basicauth/in, basicauth/client").replace("extensions:\n", "extensions:\n  basicauth/in: {htpasswd: {inline: 'cat:secret-cat'}}\n", 1))
    wrong_configurations(x)


if __name__ == "__main__":
    harness.main(run)
