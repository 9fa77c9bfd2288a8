#!/usr/bin/env python3
"""CPU and memory of profpipe beside the OpenTelemetry Collector on the same OTLP load, in one run.

For each path and message size both forward the same stored messages, in turn, several times: otlptool sends as fast as the answers come, otlptool's
sink counts. One JSON line for each measurement, then a table of medians: CPU seconds for each GB of uncompressed payload, peak RSS, and the ratio of
the Collector's CPU to ours with its spread. `--quick` only checks that it works.
"""
import argparse
import json
import os
import statistics
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

SIZES = ("20k", "300k", "2m")
PATHS = {  # name: (protocol in and out, compression, processors)
    "gRPC none": ("grpc", "none", ""),
    "gRPC gzip": ("grpc", "gzip", ""),
    "HTTP none": ("http", "none", ""),
    "gRPC none + resource": ("grpc", "none", "resource"),
}
PROGRAMS = ("profpipe", "collector")
TICKS = os.sysconf("SC_CLK_TCK")


def config(port, sink, protocol, compression, processors):
    if protocol == "grpc":
        exporter = f"otlp_grpc: {{endpoint: '127.0.0.1:{sink.grpc}', compression: {compression}, tls: {{insecure: true}}}}"
    else:
        exporter = f"otlp_http: {{endpoint: 'http://127.0.0.1:{sink.http}', compression: {compression}}}"
    limit = "max_recv_msg_size_mib: 64" if protocol == "grpc" else "max_request_body_size: 67108864"
    return f"""
receivers: {{otlp: {{protocols: {{{protocol}: {{endpoint: '127.0.0.1:{port}', {limit}}}}}}}}}
processors: {{resource: {{attributes: [{{key: bench, value: yes, action: upsert}}]}}}}
exporters: {{{exporter}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{profiles: {{receivers: [otlp], processors: [{processors}], exporters: [otlp_{protocol}]}}}}
"""


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mib(pid, name):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(name))


def measure(t, program, path, size, seconds, number):
    protocol, compression, processors = PATHS[path]
    sink = t.sink(f"sink{number}", save=False)
    port = harness.free_port()
    start = t.profpipe if program == "profpipe" else t.collector
    daemon = start(f"{program}{number}", config(port, sink, protocol, compression, processors), [port])
    messages = t.path(size)
    arguments = ("--compression", compression, "--concurrency", 4)
    t.send(port, messages, to=protocol, arguments=(*arguments, "--count", 20))  # connections, caches, first allocations
    idle_mib = memory_mib(daemon.pid, "VmRSS")
    before = cpu_seconds(daemon.pid)
    report = t.send(port, messages, to=protocol, arguments=(*arguments, "--duration", f"{seconds}s"))
    sink.wait_for(report["ok"] + 20)
    used = cpu_seconds(daemon.pid) - before
    result = {"path": path, "size": size, "program": program, "cpu_s_per_gb": used / (report["bytes"] / 1e9) if report["bytes"] else None,
              "mb_per_s": report["bytes"] / 1e6 / report["seconds"], "p50_ms": report["p50_ms"], "p99_ms": report["p99_ms"],
              "refused": sum(report["refused"].values()), "rss_mib": idle_mib, "peak_mib": memory_mib(daemon.pid, "VmHWM")}
    daemon.stop()
    sink.kill()
    print(json.dumps(result), flush=True)
    return result


def table(results):
    lines = ["| path | size | profpipe CPU s/GB | Collector CPU s/GB | ratio (spread) | peak RSS MiB, profpipe / Collector |", "|---|---|---|---|---|---|"]
    for path in PATHS:
        for size in SIZES:
            ours, theirs = ([r for r in results if (r["path"], r["size"], r["program"]) == (path, size, p)] for p in PROGRAMS)
            if not ours or not theirs:
                continue
            ratios = [b["cpu_s_per_gb"] / max(a["cpu_s_per_gb"], 1e-9) for a, b in zip(ours, theirs)]
            cpu = [statistics.median(r["cpu_s_per_gb"] for r in side) for side in (ours, theirs)]
            peak = [max(r["peak_mib"] for r in side) for side in (ours, theirs)]
            lines.append(f"| {path} | {size} | {cpu[0]:.2f} | {cpu[1]:.2f} | {statistics.median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f}) "
                         f"| {peak[0]:.0f} / {peak[1]:.0f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round of one size")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of load for each measurement")
    parser.add_argument("--paths", nargs="*", default=list(PATHS), choices=list(PATHS))
    args = parser.parse_args()
    rounds, seconds, sizes = (1, 0.5, SIZES[:1]) if args.quick else (args.rounds, args.seconds, SIZES)
    with tempfile.TemporaryDirectory(prefix="profpipe-bench-") as folder:
        t = harness.Test(folder)
        try:
            for size in sizes:
                t.gen(size, size, count=8)
            results = [measure(t, program, path, size, seconds, f"-{path.replace(' ', '')}-{size}-{n}-{program}")
                       for n in range(rounds) for path in args.paths for size in sizes for program in PROGRAMS]
        except harness.Skip as reason:
            print(f"skipped: {reason}")
            return harness.SKIPPED
        finally:
            t.stop_all()
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
