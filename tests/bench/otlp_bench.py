#!/usr/bin/env python3
"""CPU, rate, latency and memory of profpipe beside the OpenTelemetry Collector on the same OTLP load, in one run.

Each row is a path (protocol, compression, what is done on the way) and a message size. For each row the programs take turns, several
times; each is pinned to one core, the generator and the sink (C, stored bytes) to another one where there are two. One JSON line for each
measurement; at the end a table of medians.

Some rows, and binaries before and after a change beside each other:
    tests/bench/otlp_bench.py --path grpc-none --size 300k --rounds 5 --bin old/profpipe --bin build/release/profpipe --no-collector
"""
import argparse
import json
import os
import statistics
import sys
import tempfile

import bench_rig as rig
import bench_rows as rows
from bench_rig import harness

WARM_UP_MESSAGES = 60
RATE_STEPS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)  # of what a closed loop delivered, where that one was refused something


def steady(run):
    sent = run["sent"]
    return sent["refused"] == 0 and sent["failed"] == 0


def highest_rate(load, sink, daemon, port, closed, seconds, arrivals, flight):
    """The run that shows the highest rate without refusals: the closed loop itself if nothing was refused, else open loops downwards."""
    if steady(closed):
        return closed
    delivered = closed["arrived_messages"] if arrivals else closed["sent"]["ok"]
    for step in RATE_STEPS:
        run = rig.run_load(load, sink, daemon.pid, port, arrivals, seconds=seconds, rate=max(1.0, step * delivered / closed["seconds"]), **flight)
        if steady(run):
            return run
    return run


def measure(t, row, program, load, sink, options, number):
    """Starts the program afresh and measures one row."""
    name, size = row
    path = rows.PATHS[name]
    port = harness.free_port()
    daemon = program.start(t, f"{name}-{size}-{program.name}-{number}".replace("/", "_"), rows.config(path, program, port, sink.hello), port)
    connections, in_flight = rows.IN_FLIGHT[path.protocol][size]
    flight = {"connections": connections, "in_flight": in_flight}
    arrivals = not path.batch
    idle_mib = rig.memory_mib(daemon.pid, "VmRSS")
    rig.run_load(load, sink, daemon.pid, port, arrivals, count=WARM_UP_MESSAGES, **flight)
    window = rows.WINDOW[size] if arrivals else 0
    closed = rig.run_load(load, sink, daemon.pid, port, arrivals, seconds=options.seconds, window=window, **flight)
    best = highest_rate(load, sink, daemon, port, closed, options.seconds, arrivals, flight)
    rate = best["sent"]["ok"] / best["seconds"]
    half = rig.run_load(load, sink, daemon.pid, port, arrivals, seconds=options.seconds * 2 / 3, rate=max(1.0, rate / 2), **flight)
    sent = best["sent"]
    gb = sent["payload_bytes"] / 1e9
    result = {"path": name, "size": size, "program": program.name, "round": number,
              "cpu_s_per_gb": best["cpu_s"] / gb if gb else None, "load_cpu_s_per_gb": best["load_cpu_s"] / gb if gb else None,
              "sink_cpu_s_per_gb": best["sink_cpu_s"] / gb if gb else None, "mb_per_s": sent["payload_bytes"] / 1e6 / best["seconds"],
              "messages_per_s": rate, "at_least": best["load_cpu_s"] + best["sink_cpu_s"] > best["cpu_s"], "core_share": best["cpu_s"] / best["seconds"],
              "foreign_share": best["foreign_share"], "p50_ms": half["sent"]["p50_ms"], "p99_ms": half["sent"]["p99_ms"],
              "sent": sum(r["sent"]["ok"] for r in (best, half)), "arrived": sum(r["arrived_messages"] for r in (best, half)),
              "refused": sent["refused"], "failed": sent["failed"], "closed_loop_refused": closed["sent"]["refused"], "half_rate_refused": half["sent"]["refused"],
              "body_bytes_in": sent["body_bytes"], "body_bytes_out": best["arrived_body_bytes"], "bytes_out_per_in_payload": best["arrived_body_bytes"] / max(1, sent["payload_bytes"]),
              "refusal": closed["sent"]["refusal"], "idle_rss_mib": idle_mib, "peak_rss_mib": rig.memory_mib(daemon.pid, "VmHWM")}
    daemon.stop()
    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in result.items()}), flush=True)
    return result


def measure_row(t, row, programs, options):
    name, size = row
    path = rows.PATHS[name]
    folder = rows.messages(t, size, programs[0].binary or harness.profpipe_binary())
    counter = t.path(f"arrived-{name}-{size}")
    load, sink = rig.Tool("otlp_load", path.protocol, path.compression, folder, counter), rig.Tool("otlp_sink", counter)
    try:
        return [measure(t, row, program, load, sink, options, number) for number in range(options.rounds) for program in programs]
    finally:
        load.stop()
        sink.stop()


def median(results, key):
    values = [r[key] for r in results if r[key] is not None]
    return statistics.median(values) if values else float("nan")


def comparison(results, programs):
    """A table with a line for each row and program, ratios against the first program in the same round."""
    lines = ["| path | size | program | CPU s/GB | load, sink s/GB | times the first (spread) | MB/s | p50, p99 ms | RSS idle, peak MiB |", "|---|---|---|---|---|---|---|---|---|"]
    for row in dict.fromkeys((r["path"], r["size"]) for r in results):
        of_row = [r for r in results if (r["path"], r["size"]) == row]
        first = [r for r in of_row if r["program"] == programs[0].name]
        for program in programs:
            mine = [r for r in of_row if r["program"] == program.name]
            ratios = [m["cpu_s_per_gb"] / f["cpu_s_per_gb"] for m, f in zip(mine, first) if m["cpu_s_per_gb"] and f["cpu_s_per_gb"]] or [float("nan")]
            least = ">= " if any(m["at_least"] for m in mine) else ""
            lines.append(f"| {row[0]} | {row[1]} | {program.name} | {median(mine, 'cpu_s_per_gb'):.3f} | {median(mine, 'load_cpu_s_per_gb'):.2f}, {median(mine, 'sink_cpu_s_per_gb'):.2f} "
                         f"| {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}) | {least}{max(m['mb_per_s'] for m in mine):.0f} "
                         f"| {median(mine, 'p50_ms'):.2f}, {median(mine, 'p99_ms'):.2f} | {median(mine, 'idle_rss_mib'):.0f}, {max(m['peak_rss_mib'] for m in mine):.0f} |")
    return "\n".join(lines)


def chosen_programs(args):
    binaries = args.bin or [harness.profpipe_binary()]
    names = ["profpipe"] if len(binaries) == 1 else [f"profpipe-{n}" for n in range(1, len(binaries) + 1)]
    programs = [rig.Program(name, os.path.abspath(binary)) for name, binary in zip(names, binaries)]
    if not args.no_collector:
        programs += [rig.Program("collector"), rig.Program("collector-tuned", tuned=True)]
    return programs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", nargs="*", default=list(rows.PATHS), choices=list(rows.PATHS))
    parser.add_argument("--size", nargs="*", default=list(rows.SIZES), choices=list(rows.SIZES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of full load for each measurement")
    parser.add_argument("--bin", action="append", help="a profpipe binary (default: build/release/profpipe); may be repeated")
    parser.add_argument("--no-collector", action="store_true")
    parser.add_argument("--nice", type=int, default=0, help="priority of everything measured; below 0 on a machine that others use too")
    args = parser.parse_args()
    os.nice(args.nice)
    with tempfile.TemporaryDirectory(prefix="profpipe-bench-") as folder:
        t = harness.Test(folder)
        try:
            programs = chosen_programs(args)
            wanted = [(p, s) for p in args.path for s in args.size if s in rows.PATHS[p].sizes]
            results = [r for row in wanted for r in measure_row(t, row, programs, args)]
        except harness.Skip as reason:
            print(f"skipped: {reason}")
            return harness.SKIPPED
        finally:
            t.stop_all()
    print(comparison(results, programs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
