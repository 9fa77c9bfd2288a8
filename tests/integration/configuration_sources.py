#!/usr/bin/env python3
"""Where the configuration comes from (several files, --set, http), and the daemon's own log and metrics as service.telemetry says."""
import http.server
import json
import os
import re
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

EXIT_CONFIG = 1

BASE = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{port}}}}}}}
exporters:
  otlp_grpc/there: {{endpoint: 127.0.0.1:{sink}, compression: none, headers: {{x-way: base}}, tls: {{insecure: true}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    profiles: {{receivers: [otlp], exporters: [otlp_grpc/there]}}
"""


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.server.pages.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.end_headers()
        self.wfile.write((body or "nothing here").encode())

    def log_message(self, *_):
        pass


class Sources:
    def __init__(self, t):
        self.t, self.sink = t, t.sink()
        self.message = os.path.join(t.gen("tiny", "tiny"), "tiny-000001.pb")
        self.pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.pages.pages = {}
        threading.Thread(target=self.pages.serve_forever, daemon=True).start()

    def base(self, port):
        return BASE.format(port=port, sink=self.sink.grpc)

    def url(self, path):
        return f"http://127.0.0.1:{self.pages.server_address[1]}{path}"

    def start(self, name, ports, *arguments):
        return self.t.start(name, [harness.profpipe_binary(), *arguments], ports)

    def way(self, what, port, wanted):
        """Sends a message and looks which x-way it takes."""
        before = self.sink.answered()
        self.t.send(port, self.message)
        self.sink.wait_for(before + 1, 20)
        got = [v for k, v in self.sink.requests()[before]["headers"].items() if k.lower() == "x-way"]
        self.t.check(got == [[wanted]], what, got)

    def refused(self, what, pattern, *arguments):
        done = subprocess.run([harness.profpipe_binary(), *arguments], capture_output=True, text=True, timeout=20, check=False)
        errors = [line for line in done.stderr.splitlines() if re.search(pattern, line)]
        self.t.check(done.returncode == EXIT_CONFIG and len(errors) == 1, f"{what}: exit code {EXIT_CONFIG} and one line that names it", f"{done.returncode}: {done.stderr}")


def several(s):
    """Maps are merged, key by key; lists and values of later sources win, --set over all."""
    first, second, third = (harness.free_port() for _ in range(3))
    base = s.t.write("base.yaml", s.base(first))
    over = s.t.write("over.yaml", f"""
        receivers: {{otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{second}}}}}}}}}
        exporters: {{otlp_grpc/there: {{headers: {{x-way: over}}}}}}
        """)
    daemon = s.start("two", [second], "--config", base, "--config", over)
    s.way("--config twice: the later one wins, the rest of the first stays", second, "over")
    s.t.check(not harness.can_connect(first), "--config twice: nothing listens where the first one said")
    daemon.stop()
    daemon = s.start("set", [third], "--config", base, "--config", over, f"--set=receivers.otlp.protocols.grpc.endpoint=127.0.0.1:{third}",
                     "--set", "exporters.otlp_grpc/there.headers.x-way=set")
    s.way("--set, twice, wins over every --config", third, "set")
    s.t.check(not harness.can_connect(first) and not harness.can_connect(second), "--set: nothing listens where the files said")
    daemon.stop()
    s.refused("--set of an unknown key", "endpont", "--config", base, "--set=receivers.otlp.protocols.grpc.endpont=x")


def appended(s):
    """With the gate, component lists of several sources are joined, as the Collector joins them."""
    base = s.t.write("first.yaml", """
        receivers: {otlp: &o {protocols: {grpc: {endpoint: '127.0.0.1:1'}}}, otlp/2: *o}
        processors: {memory_limiter: {check_interval: 1s, limit_mib: 10}}
        exporters: {nop: , debug: }
        service:
          telemetry: {metrics: {level: none}}
          pipelines: {profiles: {receivers: [otlp], processors: [memory_limiter], exporters: [nop, debug]}}
        """)
    over = s.t.write("second.yaml", """
        exporters: {nop/3: }
        service:
          pipelines:
            profiles: {receivers: [otlp/2, otlp], processors: [], exporters: [nop/3, nop]}
            profiles/x: {receivers: [otlp], exporters: [nop]}
        """)
    for gates in ("service.profilesSupport", "service.profilesSupport,confmap.enableMergeAppendOption"):
        shown = []
        for binary in (harness.peer("otelcol"), harness.profpipe_binary()):
            done = subprocess.run([binary, "print-config", "--format", "json", "--config", base, "--config", over, f"--feature-gates={gates}"],
                                  capture_output=True, text=True, timeout=20, check=False)
            pipelines = json.loads(done.stdout)["service"]["pipelines"] if done.returncode == 0 else done.stderr
            shown.append({name: {kind: ids for kind, ids in lists.items() if ids} for name, lists in pipelines.items()})
        s.t.check(shown[0] == shown[1], f"--feature-gates={gates}: print-config shows the Collector's pipelines", shown)


def fetched(s):
    port, second = harness.free_port(), harness.free_port()
    s.pages.pages["/x.yaml"] = s.base(port)
    s.pages.pages["/broken.yaml"] = s.base(port).replace("endpoint", "endpont", 1)
    daemon = s.start("http", [port], "--config", s.url("/x.yaml"))
    s.way("--config http://: the page is the configuration", port, "base")
    daemon.stop()
    daemon = s.start("http_and_file", [second], "--config", s.url("/x.yaml"), "--config",
                     f"yaml:receivers::otlp::protocols::grpc::endpoint: 127.0.0.1:{second}")
    s.way("--config http:// and yaml: are merged", second, "base")
    daemon.stop()
    s.refused("--config http:// with a wrong key", r"/broken\.yaml:3:\d+.*endpont", "--config", s.url("/broken.yaml"))
    s.refused("--config http:// of a page that is not there", "404", "--config", s.url("/nothing.yaml"))
    s.refused("--config http:// of a server that is not there", "127.0.0.1", "--config", f"http://127.0.0.1:{harness.free_port()}/x.yaml")


def logs(s):
    """One JSON object a line; what a component says carries its kind and id."""
    t, port, dead = s.t, harness.free_port(), harness.free_port()
    config = s.base(port).replace(f"127.0.0.1:{s.sink.grpc}", f"127.0.0.1:{dead}").replace("metrics:", "logs: {encoding: json, initial_fields: {site: north}}, metrics:")
    daemon = s.start("json", [port], "--config", t.write("json.yaml", config))
    t.send(port, s.message)
    daemon.wait_for_log("next attempt", 20)
    lines = daemon.log().splitlines()
    try:
        entries = [json.loads(line) for line in lines]
    except ValueError as fault:
        t.check(False, "encoding json: every line is a JSON object", f"{fault}: {lines}")
        return
    t.check(all({"level", "ts", "msg"} <= set(e) and e["site"] == "north" for e in entries), "encoding json: every line has level, ts, msg and the initial fields", entries)
    said = {(e["level"], e.get("component")) for e in entries}
    t.check(("info", "receiver otlp") in said and ("warn", "exporter otlp_grpc/there") in said, "encoding json: components' lines carry their kind and id", said)
    stamps = [e["ts"] for e in entries]
    t.check(all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp) for stamp in stamps) and stamps == sorted(stamps), "encoding json: times are UTC and in order", stamps)
    daemon.kill()


def listening_ports(pid):
    """TCP ports that a process listens on, as the kernel has them."""
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:  # closed meanwhile
            continue
        if match:
            inodes.add(match.group(1))
    ports = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{table}") as rows:
            fields = [row.split() for row in list(rows)[1:]]
        ports |= {int(f[1].rsplit(":", 1)[1], 16) for f in fields if f[3] == "0A" and f[9] in inodes}
    return ports


def metrics(s):
    t, port, page = s.t, harness.free_port(), harness.free_port()
    readers = f"readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {page}}}}}}}}}]"
    for level, wanted in (("none", {port}), ("basic", {port, page})):
        path = t.write(f"{level}.yaml", s.base(port).replace("level: none", f"level: {level}, {readers}"))
        daemon = s.start(f"level_{level}", wanted, "--config", path)
        daemon.wait_for_log(" runs ", 10)
        t.check(listening_ports(daemon.pid) == wanted, f"metrics level {level}: the page is {'there' if page in wanted else 'not opened'}", listening_ports(daemon.pid))
        t.check(daemon.stop() == 0, f"metrics level {level}: ends with 0")


def run(t):
    if harness.standin():
        raise harness.Skip("--set with dots, exit codes and log fields are profpipe's own")
    s = Sources(t)
    several(s)
    appended(s)
    fetched(s)
    logs(s)
    metrics(s)


if __name__ == "__main__":
    harness.main(run)
