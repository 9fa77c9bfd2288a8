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
import sys
import tempfile

import bench_daemon as daemon
import bench_rig as rig
import bench_rows as rows
import bench_table as table
from bench_rig import harness

WARM_UP_MESSAGES = {"20k": 60, "300k": 40, "2m": 12, "recorded": 40}
TUNED_ROUNDS = 1  # the Collector with our limits is like the Collector, which fewer rounds show as well
RATE_STEPS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)  # of what a closed loop delivered, where that one was refused something


def steady(run):
    sent = run["sent"]
    return sent["refused"] == 0 and sent["failed"] == 0


def highest_rate(load, sink, process, port, closed, seconds, arrivals, flight):
    """The run that shows the highest rate without refusals: the closed loop itself if nothing was refused, else open loops downwards."""
    if steady(closed):
        return closed
    delivered = closed["arrived_messages"] if arrivals else closed["sent"]["ok"]
    for step in RATE_STEPS:
        run = rig.run_load(load, sink, process.pid, port, arrivals, seconds=seconds, rate=max(1.0, step * delivered / closed["seconds"]), **flight)
        if steady(run):
            return run
    return run


def measure(t, row, program, load, sink, options, number):
    """Starts the program afresh and measures one row."""
    name, size = row
    path = rows.PATHS[name]
    port = harness.free_port()
    process = program.start(t, f"{name}-{size}-{program.name}-{number}".replace("/", "_"), rows.config(path, program, port, sink.hello), port)
    connections, in_flight = rows.IN_FLIGHT[path.protocol][size]
    flight = {"connections": connections, "in_flight": in_flight}
    arrivals = not path.batch
    idle_mib = rig.memory_mib(process.pid, "VmRSS")
    rig.run_load(load, sink, process.pid, port, arrivals, count=WARM_UP_MESSAGES[size], **flight)
    window = rows.WINDOW[size] if arrivals else 0
    with rig.perf(process.pid, options.perf and f"{options.perf}.{name}-{size}-{program.name}-{number}"):
        closed = rig.run_load(load, sink, process.pid, port, arrivals, seconds=options.seconds, window=window, **flight)
    best = highest_rate(load, sink, process, port, closed, options.seconds, arrivals, flight)
    rate = best["sent"]["ok"] / best["seconds"]
    half = rig.run_load(load, sink, process.pid, port, arrivals, seconds=options.seconds * 2 / 3, rate=max(1.0, rate / 2), **flight)
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
              "refusal": closed["sent"]["refusal"], "idle_rss_mib": idle_mib, "peak_rss_mib": rig.memory_mib(process.pid, "VmHWM")}
    process.stop()
    return result


def measure_row(t, row, programs, options, emit):
    name, size = row
    path = rows.PATHS[name]
    folder = rows.messages(t, size, programs[0].binary or harness.profpipe_binary())
    counter = t.path(f"arrived-{name}-{size}")
    load, sink = rig.Tool("otlp_load", path.protocol, path.compression, folder, counter), rig.Tool("otlp_sink", counter)
    try:
        for number in range(options.rounds):
            for program in (p for p in programs if number < TUNED_ROUNDS or not p.tuned):
                emit(measure(t, row, program, load, sink, options, number))
    finally:
        load.stop()
        sink.stop()


def chosen_programs(args):
    binaries = args.bin or [harness.profpipe_binary()]
    names = ["profpipe"] if len(binaries) == 1 else [f"profpipe-{n}" for n in range(1, len(binaries) + 1)]
    programs = [rig.Program(name, os.path.abspath(binary)) for name, binary in zip(names, binaries)]
    if not args.no_collector:
        programs += [rig.Program("collector")]
    if not args.no_collector and not args.no_tuned:
        programs += [rig.Program("collector-tuned", tuned=True)]
    return programs


def check_sane(results, programs):
    """Faults of what was measured that would make the figures worthless."""
    faults = []
    for r in results:
        name = " ".join(str(r[k]) for k in ("kind", "path", "size", "program") if r.get(k))
        numbers = [v for v in r.values() if isinstance(v, (int, float))]
        if any(v != v or v < 0 for v in numbers):
            faults.append(f"{name}: a figure that cannot be: {r}")
        if "path" in r:
            batched = rows.PATHS[r["path"]].batch
            if not r["sent"] or not r["cpu_s_per_gb"] or not r["body_bytes_out"] or r["p99_ms"] < r["p50_ms"] or not r["peak_rss_mib"]:
                faults.append(f"{name}: nothing measured: {r}")
            elif r["failed"] or (not batched and r["arrived"] != r["sent"]) or (batched and not 0 < r["arrived"] <= r["sent"]):
                faults.append(f"{name}: {r['sent']} accepted, {r['arrived']} arrived, {r['failed']} failed")
    wanted = {p.name for p in programs if not p.tuned or any("path" in r for r in results)}
    missing = wanted - {r["program"] for r in results}
    return faults + [f"nothing of {name}" for name in missing]


def run_all(t, args):
    results = []

    def emit(result):
        results.append(result)
        line = json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in result.items()})
        print(line, flush=True)
        if args.json:
            with open(args.json, "a") as out:
                out.write(line + "\n")

    programs = chosen_programs(args)
    for path in args.path:
        for size in (s for s in args.size if s in rows.PATHS[path].sizes):
            measure_row(t, (path, size), programs, args, emit)
    if args.daemon:
        daemon.measure_all(t, programs, [s for s in args.size if s != "recorded"], args, emit)
    return programs, results


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", nargs="*", default=list(rows.PATHS), choices=list(rows.PATHS))
    parser.add_argument("--size", nargs="*", default=list(rows.SIZES), choices=list(rows.SIZES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of full load for each measurement")
    parser.add_argument("--bin", action="append", help="a profpipe binary (default: build/release/profpipe); may be repeated")
    parser.add_argument("--no-collector", action="store_true")
    parser.add_argument("--no-tuned", action="store_true", help="no Collector with profpipe's limits")
    parser.add_argument("--nice", type=int, default=-10 if os.geteuid() == 0 else 0, help="priority of everything measured (below 0 as root, for a busy machine)")
    parser.add_argument("--realtime", action="store_true", help="instead: before everything else on the machine (root)")
    parser.add_argument("--daemon", action="store_true", help="also start, idling, memory before slow and dead backends, a second core")
    parser.add_argument("--perf", metavar="PREFIX", help="record the closed loops with perf, one file each")
    parser.add_argument("--json", help="file that the JSON lines are appended to")
    parser.add_argument("--readme", help="file whose tables are replaced")
    parser.add_argument("--from", dest="source", help="make the tables from these JSON lines instead of measuring")
    parser.add_argument("--quick", action="store_true", help="about a minute: only whether everything works")
    args = parser.parse_args()
    args.starts, args.idle_seconds, args.backlog_seconds = 10, 10.0, 10.0
    if args.quick:
        args.size, args.rounds, args.seconds, args.daemon = ["20k"], 1, 0.2, True
        args.no_tuned = True
        args.starts, args.idle_seconds, args.backlog_seconds = 2, 0.5, 1.0
    return args


def measure_everything(args):
    rig.Program.nice = rig.REALTIME if args.realtime else args.nice
    with tempfile.TemporaryDirectory(prefix="profpipe-bench-") as folder:
        t = harness.Test(folder)
        try:
            return run_all(t, args)
        finally:
            t.stop_all()


def main():
    args = arguments()
    if args.source:
        with open(args.source) as lines:
            programs, results = [], [json.loads(line) for line in lines]
    else:
        try:
            programs, results = measure_everything(args)
        except harness.Skip as reason:
            print(f"skipped: {reason}")
            return harness.SKIPPED
    faults = check_sane(results, programs)
    if programs and (len(args.bin or []) > 1 or args.no_collector):
        print(table.comparison([r for r in results if "path" in r], programs))
    else:
        print(table.report(results))
    if args.readme and not faults:
        table.replace_between(args.readme, table.BEGIN, table.END, table.report(results))
    print("\n".join(faults) or "all figures are there and sane")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
