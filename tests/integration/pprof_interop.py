#!/usr/bin/env python3
"""A running Go program is profiled through profpipe: scraped, read from files, pushed. Go's own tool must print the same for what went in and for the
pprof files that come out."""
import os
import subprocess
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

KINDS = ("heap", "allocs", "goroutine", "mutex", "block", "profile?seconds=2")


def name_of(kind):
    return kind.split("?", maxsplit=1)[0]


def fetch(t, target, kind):
    path = t.path(f"{name_of(kind)}.pb.gz")
    with urllib.request.urlopen(f"http://127.0.0.1:{target}/debug/pprof/{kind}", timeout=30) as response, open(path, "wb") as out:
        out.write(response.read())
    return path


def raw_text(path):
    """What `go tool pprof -raw` prints; the pass through -proto numbers both sides alike."""
    canonical = path + ".canonical"
    env = dict(os.environ, PPROF_TMPDIR=os.path.dirname(path), GOTOOLCHAIN="local")
    for command in (["-proto", f"-output={canonical}", path], ["-raw", canonical]):
        done = subprocess.run(["go", "tool", "pprof", "-symbolize=none", *command], capture_output=True, text=True, timeout=60, env=env, check=False)
        if done.returncode != 0:
            return f"go tool pprof {command[0]} {os.path.basename(path)}: {done.stderr.strip()[-300:]}"
    return done.stdout


def same(t, what, original, result):
    mine, theirs = raw_text(result).splitlines(), raw_text(original).splitlines()
    different = [f"{a!r} became {b!r}" for a, b in zip(theirs, mine) if a != b] or [f"{len(theirs)} lines became {len(mine)}"]
    t.check(mine == theirs and len(theirs) > 10, f"{what}: Go's tool prints the same {len(theirs)} lines", "; ".join(different[:3]))


def pipeline(name, receiver, path, form="pprof"):
    return (f"  pprof/{name}: {{{receiver}}}", f"  file/{name}: {{path: '{path}', format: {form}}}",
            f"    profiles/{name}: {{receivers: [pprof/{name}], exporters: [file/{name}]}}")


def config(rows):
    receivers, exporters, pipelines = zip(*rows)
    lines = ["receivers:", *receivers, "exporters:", *exporters, "service:", "  telemetry: {metrics: {level: none}}", "  pipelines:", *pipelines]
    return "\n".join(lines) + "\n"


EMPTY_BYTES = 100  # a document without samples is smaller than this


def complete(path):
    return os.path.exists(path) and os.path.getsize(path) > EMPTY_BYTES


def from_files(t, originals):
    rows = [pipeline(n, f"file: {{include: '{path}', collection_interval: 1h, initial_delay: 10ms}}", t.path(f"{n}.out.pb.gz")) for n, path in originals.items()]
    daemon = t.profpipe("files", config(rows), [])
    for name in originals:
        harness.wait_until(lambda n=name: complete(t.path(f"{n}.out.pb.gz")), 20, f"the file of {name}")
    t.check(daemon.stop() == 0, "the daemon that reads files ends with code 0")
    for name, path in originals.items():
        same(t, f"{name} read from a file", path, t.path(f"{name}.out.pb.gz"))


def pushed(t, originals):
    ports = {name: harness.free_port() for name in originals}
    rows = [pipeline(n, f"server: {{endpoint: 127.0.0.1:{port}}}", t.path(f"{n}.pushed.pb.gz")) for n, port in ports.items()]
    daemon = t.profpipe("server", config(rows), ports.values())
    for name, path in originals.items():
        with open(path, "rb") as body:
            request = urllib.request.Request(f"http://127.0.0.1:{ports[name]}/v1/pprof", data=body.read(), method="POST", headers={"Content-Type": "application/octet-stream"})
        with urllib.request.urlopen(request, timeout=10) as response:
            t.check(response.status == 204, f"{name} pushed: 204", response.status)
    t.check(daemon.stop() == 0, "the daemon with the push servers ends with code 0")
    for name, path in originals.items():
        same(t, f"{name} pushed", path, t.path(f"{name}.pushed.pb.gz"))


def scraped(t, target):
    base = f"http://127.0.0.1:{target}/debug/pprof"
    rows = [pipeline("cpu", f"remote: {{endpoint: '{base}/profile?seconds=1', collection_interval: 2s, initial_delay: 10ms}}", t.path("scraped.pb.gz")),
            pipeline("page", f"remote: {{endpoint: '{base}/allocs', collection_interval: 1s, initial_delay: 10ms}}", t.path("scraped.html"), "flamegraph"),
            pipeline("folded", f"remote: {{endpoint: '{base}/heap', collection_interval: 1s, initial_delay: 10ms}}", t.path("scraped.folded"), "folded"),
            pipeline("dead", f"remote: {{endpoint: 'http://127.0.0.1:{harness.free_port()}/x', collection_interval: 1s, initial_delay: 10ms}}", t.path("dead.pb.gz"))]
    daemon = t.profpipe("scraper", config(rows), [])
    for name in ("scraped.pb.gz", "scraped.html", "scraped.folded"):
        harness.wait_until(lambda n=name: complete(t.path(n)), 30, name)
    daemon.wait_for_log("pprof/dead", 10)
    t.check(daemon.stop() == 0, "the scraping daemon ends with code 0")
    text = raw_text(t.path("scraped.pb.gz"))
    t.check("burnCycles" in text and "/checkout" in text, "the scraped CPU profile has the program's function and label", text[:500])
    for name, wanted in (("scraped.html", "allocateBlocks"), ("scraped.folded", "main.allocateBlocks")):
        with open(t.path(name), errors="replace") as page:
            t.check(wanted in page.read(), f"{name} shows {wanted}")


def run(t):
    target = t.start("gotarget", [harness.peer("gotarget")])
    port = int(harness.wait_until(lambda: target.out().strip(), 10, "the port of gotarget"))
    originals = {name_of(kind): fetch(t, port, kind) for kind in KINDS}
    from_files(t, originals)
    pushed(t, originals)
    scraped(t, port)


if __name__ == "__main__":
    harness.main(run)
