#!/usr/bin/env python3
"""Wrong configurations and a machine that does not cooperate: every problem is reported in one run with its place, quickly and in bounded memory, and nothing
is left running."""
import itertools
import os
import re
import resource
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

GOOD = """
receivers:
  otlp: {protocols: {grpc: {endpoint: 127.0.0.1:PORT}}}
exporters:
  nop:
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    profiles: {receivers: [otlp], exporters: [nop]}
"""

# (what, configuration, every pattern that stderr must show): bad.yaml:LINE:COLUMN is where a person would point.
WRONG = [
    ("unknown key, nearest name", GOOD.replace("endpoint", "endpont"), [r"bad\.yaml:3:\d+.*endpont.*endpoint"]),
    ("unknown component, nearest name", GOOD.replace("nop", "nip"), [r"bad\.yaml:5:3.*nip.*nop"]),
    ("duplicate key", GOOD + "receivers: {}\n", [r"bad\.yaml:10:1.*receivers"]),
    ("wrong type", GOOD.replace("nop:", "otlp_grpc: {endpoint: x, timeout: soon}").replace("[nop]", "[otlp_grpc]"), [r"bad\.yaml:5:\d+.*timeout.*soon"]),
    ("out of range", GOOD.replace("nop:", "otlp_grpc: {endpoint: x, sending_queue: {queue_size: -1}}").replace("[nop]", "[otlp_grpc]"), [r"bad\.yaml:5:\d+.*queue_size"]),
    ("missing endpoint", GOOD.replace("nop:", "otlp_grpc:").replace("[nop]", "[otlp_grpc]"), [r"bad\.yaml:5:\d+.*endpoint"]),
    ("reference to nothing", GOOD.replace("[nop]", "[nop, file]"), [r"bad\.yaml:9:\d+.*file"]),
    ("reference to a processor that is not there", GOOD.replace("exporters: [nop]", "processors: [memory_limiter], exporters: [nop]"), [r"bad\.yaml:9:\d+.*memory_limiter"]),
    ("no exporter", GOOD.replace("[nop]", "[]"), [r"bad\.yaml:9:\d+.*exporter"]),
    ("two problems in one run", GOOD.replace("endpoint", "endpont").replace("[nop]", "[nop, file]"), [r"bad\.yaml:3:\d+.*endpont", r"bad\.yaml:9:\d+.*file"]),
    ("a signal that no component has", GOOD.replace("profiles: {receivers", "traces: {receivers"), [r"bad\.yaml:9:\d+.*traces"]),
    ("a cycle of connectors", GOOD.replace("service:", "connectors: {forward: }\nservice:").replace("[otlp]", "[otlp, forward]").replace("exporters: [nop]", "exporters: [nop, forward]"),
     [r"cycle.*forward"]),
    ("a storage that is not there", GOOD.replace("nop:", "otlp_grpc: {endpoint: x, sending_queue: {storage: file_storage}}").replace("[nop]", "[otlp_grpc]"), [r"bad\.yaml:5:\d+.*storage"]),
    ("lz4 over gRPC", GOOD.replace("nop:", "otlp_grpc: {endpoint: x, compression: lz4}").replace("[nop]", "[otlp_grpc]"), [r"bad\.yaml:5:\d+.*lz4"]),
    ("YAML that is none", GOOD + "  - [\n", [r"bad\.yaml:1[01]:\d+"]),
    ("a tab", GOOD.replace("  nop:", "\tnop:"), [r"bad\.yaml:5:1"]),
    ("invalid UTF-8", GOOD.replace("nop:", "nop/\udcff:"), [r"bad\.yaml:5"]),
    ("an empty file", "", [r"bad\.yaml"]),
    ("a list at the top", "- 1\n", [r"bad\.yaml:1:1"]),
    ("an anchor that refers to itself", "a: &a [*a]\n", [r"bad\.yaml:1"]),
    ("an environment variable of no name", GOOD.replace("127.0.0.1:PORT", "'${env:}'"), [r"bad\.yaml:3"]),
    ("a file that is not there", GOOD.replace("nop:", "nop: ${file:/nonexistent/x}"), [r"/nonexistent/x"]),
]
WRONG_EXIT_S = 5
HOSTILE_EXIT_S = 10
HOSTILE_MEMORY_KB = 300 << 10


def laughs():
    """Nine levels of ten aliases: a billion nodes from a few hundred bytes."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    return ["\n".join(lines) + "\n"]


def repeated(text, times):
    """In pieces, so that this process stays small: what a child starts with counts into its peak."""
    return (text for _ in range(times))


HOSTILE = [
    ("100 MB in one value", lambda: itertools.chain(["receivers: {otlp: {x: '"], repeated("y" * 1000, 100_000), ["'}}\n"])),
    ("100 MB of keys", lambda: (f"key{i}: 1\n" for i in range(8_000_000))),
    ("15 MB of keys", lambda: (f"key{i}: 1\n" for i in range(1_200_000))),
    ("15 MB of one list", lambda: itertools.chain(["a: ["], repeated("x, ", 5_000_000), ["]\n"])),
    ("10,000 levels of lists", lambda: itertools.chain(["a: "], repeated("[", 10_000), repeated("]", 10_000))),
    ("1,000 levels of maps", lambda: (" " * i + "a:\n" for i in range(1000))),
    ("a billion laughs", laughs),
    ("an expansion of itself", lambda: [GOOD.replace("127.0.0.1:PORT", "'${env:PROFPIPE_LOOP}'")]),
    ("binary", lambda: (chr(i % 32) for i in range(100_000))),
]


class Result:
    def __init__(self, code, text, seconds, peak_kb):
        self.code, self.text, self.seconds, self.peak_kb = code, text, seconds, peak_kb


def profpipe(t, pieces, *arguments, timeout_s=30):
    """Runs profpipe on a configuration that must not start; one that does is killed after the time."""
    path = t.path("bad.yaml")
    with open(path, "w", errors="surrogateescape") as out:
        if isinstance(pieces, str):
            pieces = [pieces.replace("PORT", str(harness.free_port()))]
        out.writelines(pieces)
    env = dict(os.environ, PROFPIPE_LOOP="${env:PROFPIPE_LOOP}")
    started = time.monotonic()
    with open(t.path("stderr"), "w+b") as err:
        process = subprocess.Popen([harness.profpipe_binary(), *arguments, "--config", path], stdout=subprocess.DEVNULL, stderr=err, env=env)
        killed = False
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - started > timeout_s and not killed:
                killed = True
                process.kill()
            time.sleep(0.005)
        process.returncode = os.waitstatus_to_exitcode(status)
        err.seek(0)
        shown = err.read().decode(errors="replace")
    return Result(process.returncode, shown, time.monotonic() - started, usage.ru_maxrss)


def wrong(t):
    for what, text, patterns in WRONG:
        for how in (("validate",), ()):
            r = profpipe(t, text, *how)
            shown = all(re.search(p, r.text) for p in patterns)
            t.check(r.code not in (0, -9) and r.code > 0 and shown and r.seconds < harness.patient(WRONG_EXIT_S), f"{what}{' (validate)' if how else ''}: refused with its place",
                    f"code {r.code} after {r.seconds:.1f} s: {r.text[:600]}")
    r = profpipe(t, GOOD, "validate")
    t.check(r.code == 0, "the good configuration is valid", r.text)
    traces = GOOD.replace("profiles: {", "traces: {receivers: [zipkin], exporters: [nop]}\n    profiles: {").replace("receivers:\n", "receivers:\n  zipkin:\n", 1)
    t.check(profpipe(t, traces, "validate").code > 0, "a traces pipeline is refused")
    r = profpipe(t, traces, "validate", "--profiles-only")
    t.check(r.code == 0 and "traces" in r.text, "with --profiles-only it is skipped with a warning", r.text)
    r = profpipe(t, GOOD.replace("nop:", "nop:\n  debug:"), "validate")
    t.check(r.code == 0 and "debug" in r.text, "a component that no pipeline uses is a warning", r.text)


def hostile(t):
    for what, make in HOSTILE:
        r = profpipe(t, make(), "validate", timeout_s=harness.patient(HOSTILE_EXIT_S + 10))
        t.check(r.code > 0, f"{what}: refused", f"code {r.code}: {r.text[:300]}")
        t.check_cost(r.seconds < HOSTILE_EXIT_S and r.peak_kb < HOSTILE_MEMORY_KB,
                     f"{what}: in {r.seconds:.1f} s and {r.peak_kb >> 10} MiB (at most {HOSTILE_EXIT_S} s, {HOSTILE_MEMORY_KB >> 10} MiB)")


def machine(t):
    """What only a start can find out. Each is one error line that names the thing."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        cases = [("a port in use", GOOD.replace("127.0.0.1:PORT", f"127.0.0.1:{port}"), str(port)),
                 ("an address of another machine", GOOD.replace("127.0.0.1:PORT", "192.0.2.1:4317"), r"192\.0\.2\.1"),
                 ("a host name that does not exist", GOOD.replace("127.0.0.1:PORT", "nowhere.invalid:4317"), "nowhere.invalid"),
                 ("a certificate that is not there", GOOD.replace("127.0.0.1:PORT", "127.0.0.1:PORT, tls: {cert_file: /nonexistent/a.crt, key_file: /nonexistent/a.key}"), r"/nonexistent/a\.(crt|key)"),
                 ("a certificate that is none", GOOD.replace("127.0.0.1:PORT", f"127.0.0.1:PORT, tls: {{cert_file: {t.path('bad.yaml')}, key_file: {t.path('bad.yaml')}}}"), r"bad\.yaml"),
                 ("a folder that is not there", GOOD.replace("nop:", "file: {path: /nonexistent/folder/x.json}").replace("[nop]", "[file]"), "/nonexistent/folder"),
                 ("a path that is a folder", GOOD.replace("nop:", f"file: {{path: '{t.folder}'}}").replace("[nop]", "[file]"), re.escape(t.folder)),
                 ("a unix socket in a folder that is not there", GOOD.replace("127.0.0.1:PORT", "/nonexistent/s, transport: unix"), "/nonexistent/s")]
        for what, text, pattern in cases:
            r = profpipe(t, text)
            errors = [line for line in r.text.splitlines() if re.search(pattern, line)]
            t.check(r.code > 0 and len(errors) >= 1 and r.seconds < harness.patient(WRONG_EXIT_S), f"{what}: one line that names it, and an end",
                    f"code {r.code} after {r.seconds:.1f} s: {r.text[:600]}")


def run(t):
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if harness.standin():
        raise harness.Skip("the places of errors are profpipe's own")
    wrong(t)
    hostile(t)
    machine(t)


if __name__ == "__main__":
    harness.main(run)
