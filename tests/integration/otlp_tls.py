#!/usr/bin/env python3
"""TLS and mTLS of the OTLP receiver and exporters over gRPC and HTTP: who is let in, who is not, and certificates that are replaced while all runs."""
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

RELOAD_S = 15  # bound for a certificate to be taken up; reload_interval is 1 s


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30)


class Authority:
    """A throw-away certificate authority in a folder."""

    def __init__(self, t, name):
        self.t, self.folder = t, t.path(name)
        os.makedirs(self.folder)
        self.ca, self.key = os.path.join(self.folder, "ca.crt"), os.path.join(self.folder, "ca.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.ca)

    def issue(self, name, san="IP:127.0.0.1,DNS:localhost"):
        """Returns (certificate file, key file)."""
        cert, key, request = (os.path.join(self.folder, f"{name}.{ext}") for ext in ("crt", "key", "csr"))
        extensions = self.t.write("extensions", f"subjectAltName={san}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.key, "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", cert)
        return cert, key


class Tls:
    def __init__(self, t):
        self.t = t
        self.good, self.other = Authority(t, "good"), Authority(t, "other")
        self.server, self.client, self.stranger = self.good.issue("server"), self.good.issue("client"), self.other.issue("stranger")
        self.message = os.path.join(t.gen("tiny", "tiny"), "tiny-000001.pb")
        self.live = [shutil.copy(f, t.path("live." + ext)) for f, ext in zip(self.server, ("crt", "key"))]

    def send(self, port, to, *arguments):
        return self.t.send(port, self.message, to=to, arguments=("--tls", "--timeout", "8s", *arguments))

    def check_sends(self, what, ports, ok, *arguments):
        for to, port in ports.items():
            report = self.send(port, to, *arguments)
            self.t.check(report["ok"] == ok, f"{to}: {what}: {'let in' if ok else 'kept out'}", report)


def receiver_block(name, ports, tls):
    return f"""
  otlp/{name}:
    protocols:
      grpc:
        endpoint: 127.0.0.1:{ports['grpc']}
        tls: {tls}
      http:
        endpoint: 127.0.0.1:{ports['http']}
        tls: {tls}"""


def receivers(x):
    """The receiver's side, in one daemon: plain TLS, mTLS, TLS 1.3 only, certificates that are reloaded."""
    sink = x.t.sink("behind")
    cert = f"cert_file: '{x.server[0]}', key_file: '{x.server[1]}'"
    kinds = {"tls": f"{{{cert}}}", "mtls": f"{{{cert}, client_ca_file: '{x.good.ca}'}}", "new": f"{{{cert}, min_version: '1.3'}}",
             "live": f"{{cert_file: '{x.live[0]}', key_file: '{x.live[1]}', reload_interval: 1s}}"}
    ports = {name: {"grpc": harness.free_port(), "http": harness.free_port()} for name in kinds}
    text = "receivers:" + "".join(receiver_block(name, ports[name], tls) for name, tls in kinds.items()) + f"""
exporters:
  otlp_grpc: {{endpoint: '127.0.0.1:{sink.grpc}', tls: {{insecure: true}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    profiles: {{receivers: [{', '.join(f'otlp/{n}' for n in kinds)}], exporters: [otlp_grpc]}}
"""
    daemon = x.t.profpipe("receiver", text, [p for both in ports.values() for p in both.values()])
    trust = ("--ca", x.good.ca)
    x.check_sends("client that trusts the server's authority", ports["tls"], 1, *trust)
    report = x.t.send(ports["tls"]["http"], x.message, to="http", arguments=("--tls", "--h2", *trust))
    x.t.check(report["ok"] == 1, "http: HTTP/2 by ALPN", report)
    x.check_sends("client that trusts another authority", ports["tls"], 0, "--ca", x.other.ca)
    for to, port in ports["tls"].items():
        report = x.t.send(port, x.message, to=to, arguments=("--timeout", "3s"))
        x.t.check(report["ok"] == 0, f"{to}: client without TLS: kept out", report)
    x.check_sends("mTLS client with a certificate", ports["mtls"], 1, *trust, "--cert", x.client[0], "--key", x.client[1])
    x.check_sends("mTLS client without a certificate", ports["mtls"], 0, *trust)
    x.check_sends("mTLS client with a stranger's certificate", ports["mtls"], 0, *trust, "--cert", x.stranger[0], "--key", x.stranger[1])
    for to, port in ports["new"].items():
        x.t.check(handshake(port, ssl.TLSVersion.TLSv1_2) is None and handshake(port, ssl.TLSVersion.TLSv1_3) == "TLSv1.3", f"{to}: min_version 1.3 refuses 1.2")
    reloads(x, ports["live"], trust)
    silent_handshake(x, ports["tls"])
    x.t.check(daemon.running(), "the daemon is still there")


def handshake(port, highest):
    """The version agreed on, None when the handshake fails."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode, context.maximum_version = False, ssl.CERT_NONE, highest
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as raw, context.wrap_socket(raw) as wrapped:
            return wrapped.version()
    except (ssl.SSLError, OSError):
        return None


def replace(x, pair):
    """New key and certificate under the old names, as a rotation tool does it: written beside, then renamed."""
    for source, target in zip(pair, x.live):
        os.replace(shutil.copy(source, target + ".new"), target)


def reloads(x, ports, trust):
    x.check_sends("before the certificate is replaced", ports, 1, *trust)
    replace(x, x.other.issue("successor"))
    fresh = ("--ca", x.other.ca)
    for to, port in ports.items():
        try:
            harness.wait_until(lambda p=port, k=to: x.send(p, k, *fresh)["ok"] == 1, RELOAD_S, f"{to}: the new certificate to be used")
            x.t.check(True, f"{to}: a replaced certificate is used for new connections")
        except harness.Failure as failure:
            x.t.check(False, str(failure))
    with open(x.live[0], "w") as broken:
        broken.write("no certificate\n")
    time.sleep(2.5)
    x.check_sends("a broken certificate file leaves the last good one in use", ports, 1, *fresh)


def silent_handshake(x, ports):
    """Clients that connect and say nothing, or nonsense, hold up nobody."""
    idle = [socket.create_connection(("127.0.0.1", p), timeout=5) for p in list(ports.values()) * 20]
    for connection in idle[::2]:
        connection.sendall(b"\x16\x03\x01\xff\xff" + os.urandom(200))
    x.check_sends("beside 40 connections that never finish a handshake", ports, 1, "--ca", x.good.ca)
    for connection in idle:
        connection.close()


def exporter(kind, name, port, tls):
    scheme = "https://" if kind == "otlp_http" else ""
    return f"  {kind}/{name}: {{endpoint: '{scheme}127.0.0.1:{port}', tls: {tls}, headers: {{x-route: '{kind}/{name}'}}, timeout: 3s, retry_on_failure: {{initial_interval: 200ms, max_interval: 1s, max_elapsed_time: 2s}}}}"


def exporters(x):
    """The exporter's side: what reaches a TLS and an mTLS sink, and what must not."""
    elsewhere = x.good.issue("elsewhere", san="DNS:elsewhere.test")
    sinks = {
        "tls": x.t.sink("tls_sink", arguments=("--tls", "--cert", x.server[0], "--key", x.server[1])),
        "mtls": x.t.sink("mtls_sink", arguments=("--tls", "--cert", x.server[0], "--key", x.server[1], "--ca", x.good.ca)),
        "named": x.t.sink("named_sink", arguments=("--tls", "--cert", elsewhere[0], "--key", elsewhere[1])),
    }
    own = f"cert_file: '{x.client[0]}', key_file: '{x.client[1]}'"
    ca = f"ca_file: '{x.good.ca}'"
    with open(x.good.ca) as pem:
        inline = pem.read().replace("\n", "\\n")
    cases = [("tls", "trusted", f"{{{ca}}}", True), ("tls", "pem", f'{{ca_pem: "{inline}"}}', True), ("tls", "untrusted", f"{{ca_file: '{x.other.ca}'}}", False),
             ("tls", "system", "{}", False), ("tls", "unverified", "{insecure_skip_verify: true}", True), ("mtls", "known", f"{{{ca}, {own}}}", True),
             ("mtls", "anonymous", f"{{{ca}}}", False), ("mtls", "stranger", f"{{{ca}, cert_file: '{x.stranger[0]}', key_file: '{x.stranger[1]}'}}", False),
             ("named", "wrong_name", f"{{{ca}}}", False), ("named", "right_name", f"{{{ca}, server_name_override: elsewhere.test}}", True)]
    port = harness.free_port()
    lines = [exporter(kind, name, getattr(sinks[sink], kind[5:]), tls) for kind in ("otlp_grpc", "otlp_http") for sink, name, tls, _ in cases]
    names = [f"{kind}/{name}" for kind in ("otlp_grpc", "otlp_http") for _, name, _, _ in cases]
    text = f"receivers:\n  otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{port}}}}}}}\nexporters:\n" + "\n".join(lines) + f"""
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    profiles: {{receivers: [otlp], exporters: [{', '.join(names)}]}}
"""
    daemon = x.t.profpipe("exporter", text, [port])
    x.t.send(port, x.message)
    wanted = {f"{kind}/{name}" for kind in ("otlp_grpc", "otlp_http") for _, name, _, ok in cases if ok}
    delivered = set()

    def all_there():
        for sink in sinks.values():
            delivered.update(v for r in sink.requests() for k, values in r["headers"].items() if k.lower() == "x-route" for v in values)
        return delivered >= wanted
    try:
        harness.wait_until(all_there, 20, "the exporters that may deliver")
    except harness.Failure:
        pass  # the checks below say which
    time.sleep(3.5)  # those that may not have had their retries by now
    all_there()
    for name in names:
        x.t.check((name in delivered) == (name in wanted), f"{name}: {'delivers' if name in wanted else 'is kept out'}")
    log = daemon.log()
    for name in sorted(set(names) - wanted):
        x.t.check(name in log, f"{name}: its failure is in the log")


def run(t):
    x = Tls(t)
    receivers(x)
    exporters(x)


if __name__ == "__main__":
    harness.main(run)
