#!/usr/bin/env python3
"""What the stored sending queue costs beside the one in memory: CPU seconds of the daemon for each GB, and the highest rate, gRPC in and out without
compression. The variants take turns, each daemon afresh. One JSON line for each run, then a Markdown table.

--into FILE replaces what stands between the markers there; --quick only checks that every figure comes. The files are in --directory, which says what a
sync costs.
"""
import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile

import bench_rig as rig
import bench_rows as rows
import bench_table as table
from bench_rig import harness

SIZES = ("20k", "300k", "2m")
BEGIN, END = "<!-- storage: tests/bench/storage_bench.py writes this -->", "<!-- /storage -->"
VARIANTS = {"memory": None, "file_storage": "fsync: false", "file_storage, fsync": "fsync: true"}


def config(port, sink, folder, storage):
    extension = f"extensions: {{file_storage: {{directory: {folder}, create_directory: true, {storage}}}}}" if storage else ""
    queue = ", sending_queue: {storage: file_storage}" if storage else ""
    return f"""
{extension}
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{port}'}}}}}}}}
exporters: {{otlp_grpc: {{endpoint: '127.0.0.1:{sink['grpc']}', compression: none, tls: {{insecure: true}}{queue}}}}}
service:
  extensions: [{'file_storage' if storage else ''}]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{profiles: {{receivers: [otlp], exporters: [otlp_grpc]}}}}
"""


def measure(t, program, size, variant, options, number):
    name = f"{size}-{number}-{list(VARIANTS).index(variant)}"
    folder, counter, port = os.path.join(options.directory, name), t.path(f"arrived-{name}"), harness.free_port()
    load, sink = rig.Tool("otlp_load", "grpc", "none", rows.messages(t, size, program.binary), counter), rig.Tool("otlp_sink", counter)
    connections, in_flight = rows.IN_FLIGHT["grpc"][size]
    flight = {"connections": connections, "in_flight": in_flight, "window": rows.WINDOW[size]}
    try:
        daemon = program.start(t, name, config(port, sink.hello, folder, VARIANTS[variant]), port)
        rig.run_load(load, sink, daemon.pid, port, count=20, **flight)
        run = rig.run_load(load, sink, daemon.pid, port, seconds=options.seconds, **flight)
        gigabytes = run["sent"]["payload_bytes"] / 1e9
        if run["arrived_messages"] < run["sent"]["ok"] or run["sent"]["refused"]:
            raise harness.Failure(f"{variant}, {size}: {run['arrived_messages']} of {run['sent']['ok']} arrived, {run['sent']['refused']} refused")
        result = {"variant": variant, "size": size, "round": number, "cpu_s_per_gb": run["cpu_s"] / gigabytes, "mb_per_s": gigabytes * 1e3 / run["seconds"],
                  "peak_rss_mib": rig.memory_mib(daemon.pid, "VmHWM"), "foreign_share": run["foreign_share"]}
        daemon.stop()
        return result
    finally:
        load.stop()
        sink.stop()
        shutil.rmtree(folder, ignore_errors=True)


def render(results):
    lines = ["| | " + " | ".join(f"{s}: CPU s/GB, MB/s" for s in SIZES) + " |", "|---|" + "---|" * len(SIZES)]
    for variant in VARIANTS:
        cells = []
        for size in SIZES:
            runs = [r for r in results if r["variant"] == variant and r["size"] == size]
            base = statistics.median(r["cpu_s_per_gb"] for r in results if r["variant"] == "memory" and r["size"] == size)
            cpu = statistics.median(r["cpu_s_per_gb"] for r in runs)
            cells.append(f"{cpu:.2f} ({cpu / base:.1f}x), {max(r['mb_per_s'] for r in runs):.0f}")
        lines.append(f"| {variant} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def run(t, options):
    program = rig.Program("profpipe", harness.profpipe_binary())
    results = []
    for size in SIZES:
        for number in range(options.rounds):
            for variant in VARIANTS:
                results.append(measure(t, program, size, variant, options, number))
                print(json.dumps(results[-1]), flush=True)
    text = render(results)
    print(text)
    if options.into:
        table.replace_between(options.into, BEGIN, END, text)
    t.check(len(results) == len(SIZES) * len(VARIANTS) * options.rounds, "every figure is there")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", default=None, help="for the files; default: a temporary one")
    parser.add_argument("--into", help="Markdown file with the markers")
    parser.add_argument("--realtime", action="store_true", help="before everything else on the machine (root)")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.realtime:
        rig.Program.nice = rig.REALTIME
    if options.quick:
        options.seconds, options.rounds = 0.3, 1
    with tempfile.TemporaryDirectory(prefix="profpipe-storage-bench-", dir=options.directory) as folder:
        options.directory = folder
        harness.main(lambda t: run(t, options))


if __name__ == "__main__":
    sys.exit(main())
