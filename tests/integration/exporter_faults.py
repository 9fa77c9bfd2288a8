#!/usr/bin/env python3
"""Backends and senders that fail in mid-request, names that do not resolve for a while, certificates that are replaced, memory that runs short: what was
accepted arrives exactly once where the protocol can tell, and what is lost is counted and logged with its reason."""
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

SAMPLES = 2  # in a tiny message
KINDS = ("grpc", "http")
MESSAGES = 40  # for the chaos: enough to meet every answer several times
DELIVERED = ("ok", "partial", "slow", "goaway")
RETRY = "retry_on_failure: {initial_interval: 50ms, max_interval: 200ms, max_elapsed_time: 60s}"
MEMORY_LIMIT_MIB = 160
NAME = "backend.test"


def config(entry, exporters, metrics, processors="{}"):
    """`exporters`: {kind: the keys of otlp_<kind>}, one pipeline each from the port entry[kind]."""
    receivers = "\n".join(f"  otlp/{k}: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{entry[k]}}}}}}}" for k in exporters)
    lines = "\n".join(f"  otlp_{k}: {{{keys}}}" for k, keys in exporters.items())
    used = "[memory_limiter]" if "memory_limiter" in processors else "[]"
    pipelines = "\n".join(f"    profiles/{k}: {{receivers: [otlp/{k}], processors: {used}, exporters: [otlp_{k}]}}" for k in exporters)
    return f"""
receivers:
{receivers}
processors: {processors}
exporters:
{lines}
service:
  telemetry: {{metrics: {{level: normal, readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {metrics}}}}}}}}}]}}}}
  pipelines:
{pipelines}
"""


def endpoint(kind, host, port, more=RETRY):
    return f"endpoint: '{'http://' if kind == 'http' else ''}{host}:{port}', {'tls: {insecure: true}, ' if kind == 'grpc' else ''}{more}"


class Setup:
    """A daemon with both exporters, each behind a receiver of its own."""

    def __init__(self, t, name, exporters, processors="{}", command=()):
        self.t, self.metrics = t, harness.free_port()
        self.entry = {k: harness.free_port() for k in exporters}
        text = config(self.entry, exporters, self.metrics, processors)
        ports = [*self.entry.values(), self.metrics]
        if command:
            self.daemon = t.start(name, [*command, harness.profpipe_binary(), "--config", t.write(f"{name}.yaml", text)], ports)
        else:
            self.daemon = t.profpipe(name, text, ports)

    def samples(self, kind, what):
        name = f"otelcol_exporter_{what}_profile_samples"
        return harness.metric_sum(self.metrics, name, exporter=f"otlp_{kind}")

    def send(self, kind, messages, *arguments):
        return self.t.send(self.entry[kind], messages, arguments=("--concurrency", 4, *arguments))


def arrived(sink):
    return [r["file"] for r in sink.requests() if r["answer"] in DELIVERED]


def exactly_once(x, kind, sink, messages, what):
    count = len(os.listdir(messages))
    sink.wait_for(count, 40)
    harness.wait_until(lambda: x.samples(kind, "sent") >= count * SAMPLES, 10, f"{what}: {count} messages to be counted as sent")
    time.sleep(0.3)  # a copy too many would come now
    x.t.check(sink.answered() == count, f"{what}: each of {count} messages is accepted by the backend exactly once", sink.stats())
    x.t.same_profiles(f"{what}: with every value", messages, arrived(sink))
    have = [x.samples(kind, "sent"), x.samples(kind, "send_failed")]
    x.t.check(have == [count * SAMPLES, 0], f"{what}: counted as sent, none as failed", have)


def chaos(t):
    """A backend that does everything wrong in turn. Over gRPC one request at a time: a connection that is cut takes the answers of all its calls with it, and
    nobody can tell then what the backend has taken."""
    bad = {"grpc": "ok,reset,2*ok,goaway,unavailable:retry=50ms,slow:delay=100ms,resource_exhausted:retry=60ms,never,ok,aborted",
           "http": "ok,reset,2*ok,goaway,http503:after=1,slow:delay=100ms,http429,never,ok,http502"}
    sinks = {k: t.sink(f"chaos_{k}", script=",".join([bad[k]] * 4) + ",ok") for k in KINDS}
    more = {"grpc": f"timeout: 700ms, sending_queue: {{num_consumers: 1}}, {RETRY}", "http": f"timeout: 700ms, {RETRY}"}
    x = Setup(t, "chaos", {k: endpoint(k, "127.0.0.1", getattr(sinks[k], k), more[k]) for k in KINDS})
    messages = {k: t.gen(f"chaos-{k}", "tiny", count=MESSAGES, seed=seed) for k, seed in (("grpc", 1000), ("http", 2000))}
    for kind in KINDS:
        report = x.send(kind, messages[kind])
        t.check(report["ok"] == MESSAGES, f"chaos, {kind}: the messages are accepted", report)
    for kind in KINDS:
        exactly_once(x, kind, sinks[kind], messages[kind], f"chaos, {kind}")


def killed_sink(t):
    """SIGKILL while requests are under way; another backend comes up at the same address."""
    ports = {k: harness.free_port() for k in KINDS}
    arguments = ("--grpc", ports["grpc"], "--http", ports["http"])
    first = t.sink("killed", script="never", arguments=arguments)
    x = Setup(t, "killed_sink", {k: endpoint(k, "127.0.0.1", ports[k]) for k in KINDS})
    messages = {k: t.gen(f"killed-{k}", "tiny", count=10, seed=seed) for k, seed in (("grpc", 3000), ("http", 4000))}
    for kind in KINDS:
        x.send(kind, messages[kind])
    harness.wait_until(lambda: first.stats()["requests"] >= 2, 10, "requests under way")
    first.kill()
    second = t.sink("successor", arguments=arguments)
    second.wait_for(20, 30)
    time.sleep(0.3)
    t.check(second.answered() == 20, "killed sink: each message arrives at its successor once", second.stats())
    t.same_profiles("killed sink: with every value", list(messages.values()), arrived(second))
    have = [x.samples(k, w) for k in KINDS for w in ("sent", "send_failed")]
    t.check(have == [10 * SAMPLES, 0] * 2, "killed sink: counted as sent, none as failed", have)


def killed_client(t):
    """SIGKILL of senders in mid-message: what they had not finished is nothing, what was accepted is delivered."""
    sink = t.sink("behind_killed", save=False)
    x = Setup(t, "killed_client", {"grpc": endpoint("grpc", "127.0.0.1", sink.grpc)})
    big = t.gen("big", "300k", count=3)
    for round_number in range(4):
        client = t.start_send(f"client{round_number}", x.entry["grpc"], big, arguments=("--duration", "20s", "--concurrency", 8))
        time.sleep(0.4)
        client.kill()

    def settled():
        accepted = harness.metric_sum(x.metrics, "otelcol_receiver_accepted_profile_samples")
        return accepted > 0 and accepted == x.samples("grpc", "sent")
    harness.wait_until(settled, 20, "what was accepted of killed clients to be delivered")
    t.check(x.samples("grpc", "send_failed") == 0, "killed clients: everything that was accepted is delivered, nothing fails")
    t.check(x.send("grpc", big)["ok"] == 3, "killed clients: the next one is served")
    t.check(harness.metric_sum(x.metrics, "profpipe_receiver_otlp_rejected_requests") <= 32, "killed clients: at most their requests under way count as rejected")


def namespace():
    """Arguments of unshare for a mount namespace, with a user namespace where we are not root."""
    arguments = ["-m"] if os.geteuid() == 0 else ["-r", "-m"]
    if subprocess.run(["unshare", *arguments, "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, timeout=10, check=False).returncode != 0:
        raise harness.Skip("no mount namespaces here")
    return arguments


def names(t):
    """A name that does not resolve, then does: no message is lost. Names come from files of the daemon's own; the name server it is told of refuses."""
    sinks = {k: t.sink(f"named_{k}") for k in KINDS}
    hosts, resolv = t.write("hosts", "127.0.0.1 localhost\n"), t.write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    inside = f'mount --bind {hosts} /etc/hosts && mount --bind {resolv} /etc/resolv.conf && exec "$@"'
    x = Setup(t, "names", {k: endpoint(k, NAME, getattr(sinks[k], k)) for k in KINDS}, command=["unshare", *namespace(), "sh", "-c", inside, "sh"])
    messages = {k: t.gen(f"names-{k}", "tiny", count=10, seed=seed) for k, seed in (("grpc", 5000), ("http", 6000))}
    for kind in KINDS:
        report = x.send(kind, messages[kind])
        t.check(report["ok"] == 10, f"unknown name, {kind}: messages are accepted and kept", report)
        x.daemon.wait_for_log(f"otlp_{kind}\\W.*{NAME}", 15)
    time.sleep(1)
    t.check(sum(sink.stats()["requests"] for sink in sinks.values()) == 0, "unknown name: nothing has arrived")
    with open(hosts, "a") as known:
        known.write(f"127.0.0.1 {NAME}\n")
    for kind in KINDS:
        exactly_once(x, kind, sinks[kind], messages[kind], f"a name that is known again, {kind}")


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30)


def certificate(t, name):
    """Signed by itself; its file is its own authority."""
    cert, key = t.path(f"{name}.crt"), t.path(f"{name}.key")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
            "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert)
    return cert, key


def client_certificate(t):
    """The exporters' own certificate is one that the backend does not trust; it is replaced while they run."""
    server, stranger, known = (certificate(t, n) for n in ("server", "stranger", "known"))
    live = [shutil.copy(f, t.path("live." + ext)) for f, ext in zip(stranger, ("crt", "key"))]
    sinks = {k: t.sink(f"mtls_{k}", arguments=("--tls", "--cert", server[0], "--key", server[1], "--ca", known[0])) for k in KINDS}
    tls = f"tls: {{ca_file: '{server[0]}', cert_file: '{live[0]}', key_file: '{live[1]}', reload_interval: 500ms}}, {RETRY}"
    x = Setup(t, "client_certificate", {k: f"endpoint: '{'https://' if k == 'http' else ''}127.0.0.1:{getattr(sinks[k], k)}', {tls}" for k in KINDS})
    messages = {k: t.gen(f"mtls-{k}", "tiny", count=5, seed=seed) for k, seed in (("grpc", 7000), ("http", 8000))}
    for kind in KINDS:
        x.send(kind, messages[kind])
    time.sleep(1)
    t.check(sum(sink.answered() for sink in sinks.values()) == 0, "client certificate that is not trusted: nothing passes")
    for source, target in zip(known, live):
        os.replace(shutil.copy(source, target + ".new"), target)
    for kind in KINDS:
        exactly_once(x, kind, sinks[kind], messages[kind], f"client certificate replaced, {kind}")


def losses(t):
    """A backend that is not there for longer than max_elapsed_time: every sample that is given up is counted, and in the log with the reason."""
    gone = {k: harness.free_port() for k in KINDS}
    short = "retry_on_failure: {initial_interval: 50ms, max_interval: 100ms, max_elapsed_time: 500ms}"
    x = Setup(t, "losses", {k: endpoint(k, "127.0.0.1", gone[k], short) for k in KINDS})
    messages = t.gen("lost", "tiny", count=20, seed=9000)
    for kind in KINDS:
        x.send(kind, messages)
    for kind in KINDS:
        harness.wait_until(lambda k=kind: x.samples(k, "send_failed") == 20 * SAMPLES, 20, f"{kind}: 40 samples to be counted as lost")
        lines = [line for line in x.daemon.log().splitlines() if f"otlp_{kind}\t" in line and "dropped" in line]
        reason = all(re.search(r"dropped 2 samples, no more retries: .*(refused|connect)", line, re.I) for line in lines)
        t.check(0 < len(lines) <= 20 and reason, f"losses, {kind}: they are in the log with the reason, at most once each ({len(lines)} lines for 20)", lines[:3])


def memory(t):
    """More load than a dead backend takes, and queues without a bound worth the name: the limiter holds the process under its limit."""
    if harness.sanitized():
        return
    dead = "timeout: 60s, sending_queue: {queue_size: 1000000, max_bytes_mib: 4096}, retry_on_failure: {max_elapsed_time: 0s}"
    x = Setup(t, "memory", {"grpc": endpoint("grpc", "127.0.0.1", harness.free_port(), dead)},
              processors=f"{{memory_limiter: {{check_interval: 20ms, limit_mib: {MEMORY_LIMIT_MIB}}}}}")
    big = t.gen("memory", "2m", count=2)
    peak, stop = [0], threading.Event()

    def watch():
        while not stop.wait(0.01):
            with open(f"/proc/{x.daemon.pid}/status") as text:
                peak[0] = max(peak[0], next(int(line.split()[1]) for line in text if line.startswith("VmHWM:")))
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: x.send("grpc", big, "--duration", "4s"), range(2)))
    stop.set()
    watcher.join()
    sent, refused = sum(r["ok"] for r in reports), sum(sum(r["refused"].values()) for r in reports)
    offered = (sent + refused) * 2
    t.check(sent > 0 and refused > 0 and offered > MEMORY_LIMIT_MIB, f"memory_limiter: {offered} MB offered, {sent} messages of 2 MB taken, {refused} refused")
    t.check(peak[0] <= MEMORY_LIMIT_MIB << 10, f"memory_limiter: at most {peak[0] >> 10} MiB at a limit of {MEMORY_LIMIT_MIB}")
    counted = harness.metric_sum(x.metrics, "profpipe_processor_memory_limiter_refused_samples")
    t.check(counted > 0, f"memory_limiter: what it refuses is counted ({counted:g} samples)")
    x.daemon.signal(signal.SIGKILL)  # what it holds is meant to be stuck
    x.daemon.kill()


PARTS = (names, killed_sink, chaos, memory, killed_client, client_certificate, losses)


def run_part(t, part):
    since = time.monotonic()
    try:
        part(t)
    except harness.Failure as failure:
        t.check(False, f"{part.__name__}: {failure}")
    except harness.Skip as reason:
        t.say(f"skipped: {part.__name__}: {reason}")
    t.say(f"({part.__name__}: {time.monotonic() - since:.1f} s)")


def run(t):
    """The parts have nothing to do with each other, and wait most of the time: side by side."""
    harness.peer("otlptool")  # all of them need it: skips the script where it cannot be built
    with concurrent.futures.ThreadPoolExecutor(len(PARTS)) as pool:
        for done in [pool.submit(run_part, t, part) for part in PARTS]:
            done.result()


if __name__ == "__main__":
    harness.main(run)
