#!/usr/bin/env python3
"""The pprof receiver's remote and server blocks over TLS, with client certificates and with credentials: who is fetched from, who may push."""
import base64
import http.server
import os
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402
from otlp_tls import Authority  # noqa: E402

PROFILE = os.path.join(harness.ROOT, "config", "examples", "go-compiler.pb.gz")


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Target:
    """Serves the profile over TLS; asks for what `wants` names; /elsewhere redirects to a stranger, who notes what he is sent."""

    def __init__(self, certificate, client_ca=None, wants=None):
        self.seen, self.wants = [], wants
        target = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802
                target.seen.append(dict(self.headers))
                if self.path.startswith("/elsewhere"):
                    self.send_response(302)
                    self.send_header("location", target.elsewhere)
                    self.send_header("content-length", "0")
                    self.end_headers()
                    return
                ok = target.wants is None or self.headers.get("authorization") == target.wants
                body = open(PROFILE, "rb").read() if ok else b"who are you"
                self.send_response(200 if ok else 401)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.elsewhere = ""
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # handshakes that fail are what some cases are about
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        if client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server.server_address[1]


def remote(t, good, other):
    """What is fetched, by what the client has to show."""
    server, client, stranger = good.issue("server"), good.issue("client"), other.issue("stranger")
    plain, mutual, private = Target(server), Target(server, client_ca=good.ca), Target(server, wants=basic("ann", "secret-ann"))
    lost = Target(server)
    away = Target(server)
    lost.elsewhere = f"https://127.0.0.1:{away.port}/"
    ca = f"ca_file: '{good.ca}'"
    cases = {  # name: (target, keys, whether it is fetched)
        "trusted": (plain, f"tls: {{{ca}}}", True), "untrusted": (plain, f"tls: {{ca_file: '{other.ca}'}}", False), "unverified": (plain, "tls: {insecure_skip_verify: true}", True),
        "system": (plain, "", False), "newest": (plain, f"tls: {{{ca}, min_version: '1.3'}}", True),
        "mtls": (mutual, f"tls: {{{ca}, cert_file: '{client[0]}', key_file: '{client[1]}'}}", True), "mtls_none": (mutual, f"tls: {{{ca}}}", False),
        "mtls_stranger": (mutual, f"tls: {{{ca}, cert_file: '{stranger[0]}', key_file: '{stranger[1]}'}}", False),
        "known": (private, f"tls: {{{ca}}}, auth: {{authenticator: basicauth/ann}}", True), "unknown": (private, f"tls: {{{ca}}}", False),
        "wrong": (private, f"tls: {{{ca}}}, auth: {{authenticator: basicauth/eve}}", False),
        "led_away": (lost, f"tls: {{{ca}}}, auth: {{authenticator: basicauth/ann}}", False)}
    receivers = "\n".join(f"  pprof/{n}: {{remote: {{endpoint: 'https://127.0.0.1:{target.port}/{'elsewhere' if target is lost else 'profile'}', initial_delay: 0s, collection_interval: 1s, {keys}}}}}"
                          for n, (target, keys, _) in cases.items())
    exporters = "\n".join(f"  file/{n}: {{path: '{t.path(n + '.json')}'}}" for n in cases)
    pipelines = "\n".join(f"    profiles/{n}: {{receivers: [pprof/{n}], exporters: [file/{n}]}}" for n in cases)
    daemon = t.profpipe("remote", f"""
extensions:
  basicauth/ann: {{client_auth: {{username: ann, password: secret-ann}}}}
  basicauth/eve: {{client_auth: {{username: eve, password: secret-eve}}}}
receivers:
{receivers}
exporters:
{exporters}
service:
  extensions: [basicauth/ann, basicauth/eve]
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
{pipelines}
""", [])
    wanted = {n for n, (_, _, ok) in cases.items() if ok}

    def fetched():
        return {n for n in cases if os.path.exists(t.path(n + ".json")) and os.path.getsize(t.path(n + ".json")) > 1000}
    try:
        harness.wait_until(lambda: fetched() >= wanted, 30, "what may be fetched")
    except harness.Failure:
        pass  # the checks say which
    time.sleep(2)
    there = fetched()
    for name in cases:
        t.check((name in there) == (name in wanted), f"remote: {name}: {'fetched' if name in wanted else 'not fetched'}")
    log = daemon.log()
    for name in set(cases) - wanted:
        t.check(f"receiver pprof/{name}" in log, f"remote: {name}: its failure is in the log")
    t.check(not away.seen, "remote: credentials follow no redirect", away.seen)
    t.check("secret-" not in log, "remote: no password in the log")


def push(port, *arguments):
    """The status of a push of the profile; "000" when there is no answer."""
    command = ["curl", "-sS", "-o", os.devnull, "-w", "%{http_code}", "--max-time", "10", "--data-binary", f"@{PROFILE}", *arguments, f"https://127.0.0.1:{port}/v1/pprof"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout


def server(t, good, other):
    """Who may push."""
    certificate, client, stranger = good.issue("server2"), good.issue("client2"), other.issue("stranger2")
    ports = {n: harness.free_port() for n in ("tls", "mtls", "basic")}
    tls = f"cert_file: '{certificate[0]}', key_file: '{certificate[1]}'"
    t.profpipe("server", f"""
extensions:
  basicauth: {{htpasswd: {{inline: 'ann:secret-ann'}}}}
receivers:
  pprof/tls: {{server: {{endpoint: '127.0.0.1:{ports['tls']}', tls: {{{tls}}}}}}}
  pprof/mtls: {{server: {{endpoint: '127.0.0.1:{ports['mtls']}', tls: {{{tls}, client_ca_file: '{good.ca}'}}}}}}
  pprof/basic: {{server: {{endpoint: '127.0.0.1:{ports['basic']}', tls: {{{tls}}}, auth: {{authenticator: basicauth}}}}}}
exporters:
  file: {{path: '{t.path('pushed.json')}'}}
service:
  extensions: [basicauth]
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    profiles: {{receivers: [pprof/tls, pprof/mtls, pprof/basic], exporters: [file]}}
""", list(ports.values()))
    ca = ("--cacert", good.ca)
    rows = [("TLS", "tls", ca, "204"), ("a client that trusts another authority", "tls", ("--cacert", other.ca), "000"), ("mTLS with a certificate", "mtls", (*ca, "--cert", client[0], "--key", client[1]), "204"),
            ("mTLS without one", "mtls", ca, "000"), ("mTLS with a stranger's", "mtls", (*ca, "--cert", stranger[0], "--key", stranger[1]), "000"),
            ("user and password", "basic", (*ca, "-u", "ann:secret-ann"), "204"), ("a wrong password", "basic", (*ca, "-u", "ann:other"), "401"), ("nobody", "basic", ca, "401")]
    for what, name, arguments, expected in rows:
        status = push(ports[name], *arguments)
        t.check(status == expected, f"server: {what}: {expected}", status)
    harness.wait_until(lambda: os.path.exists(t.path("pushed.json")) and open(t.path("pushed.json")).read().count("\n") >= 3, 20, "what was pushed")
    with open(t.path("pushed.json")) as lines:
        n = sum(1 for _ in lines)
    t.check(n == 3, "server: what three were let in for arrives, and no more", n)


def run(t):
    good, other = Authority(t, "good"), Authority(t, "other")
    remote(t, good, other)
    server(t, good, other)


if __name__ == "__main__":
    harness.main(run)
