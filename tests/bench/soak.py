#!/usr/bin/env python3
"""A long run of profpipe under steady load with reloads: are memory and file descriptors flat, has everything arrived?

Two pipelines with all that costs memory: gRPC (300 KB, gzip, edited by `resource`, sent on with gzip) and HTTP (20 KB messages merged into 1 MB). The highest rate
is found first; the load is 70 % of that share of it which --share says (a machine with other work has no whole core to give for an hour). Every
reload changes the processor, so that components are replaced under load. RSS, file descriptors and threads go to a CSV file; the verdict compares
the second half of the run with its second quarter.
"""
import argparse
import csv
import json
import os
import signal
import statistics
import sys
import tempfile
import time

import bench_rig as rig
import bench_rows as rows
from bench_rig import harness

LOAD = 0.7
GROWTH_MAX = 1.05  # of the median, from the run's second quarter to its second half
CONFIG = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{grpc}'}}}}}}
  otlp/small: {{protocols: {{http: {{endpoint: '127.0.0.1:{http}'}}}}}}
processors: {{resource: {{attributes: [{{key: soak.generation, value: {generation}, action: upsert}}]}}}}
exporters:
  otlp_grpc: {{endpoint: '127.0.0.1:{sink_grpc}', compression: gzip, tls: {{insecure: true}}}}
  otlp_http: {{endpoint: 'http://127.0.0.1:{sink_http}', compression: none, sending_queue: {{{batch}}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    profiles: {{receivers: [otlp], processors: [resource], exporters: [otlp_grpc]}}
    profiles/small: {{receivers: [otlp/small], exporters: [otlp_http]}}
"""


class Soak:
    def __init__(self, t, args):
        self.t, self.args, self.generation = t, args, 0
        binary = args.bin or harness.profpipe_binary()
        self.sinks, self.loads = [], []
        for size, protocol, compression in (("300k", "grpc", "gzip"), ("20k", "http", "none")):
            counter = t.path(f"arrived-{size}")
            self.sinks.append(rig.Tool("otlp_sink", counter))
            self.loads.append(rig.Tool("otlp_load", protocol, compression, rows.messages(t, size, binary), counter))
        self.ports = [harness.free_port(), harness.free_port()]
        self.daemon = rig.Program("profpipe", os.path.abspath(binary)).start(t, "soak", self.config(), self.ports[0])

    def config(self):
        return CONFIG.format(grpc=self.ports[0], http=self.ports[1], generation=self.generation, batch=rows.BATCH,
                             sink_grpc=self.sinks[0].hello["grpc"], sink_http=self.sinks[1].hello["http"])

    def reload(self):
        self.generation += 1
        seen = len(self.daemon.log())
        self.t.write("soak.yaml", self.config())
        self.daemon.signal(signal.SIGHUP)
        self.daemon.wait_for_log("reload", since=seen)

    def set_nice(self, value):
        for pid in [self.daemon.pid, *(tool.process.pid for tool in self.loads + self.sinks)]:
            rig.set_nice(pid, value)

    def highest_rates(self):
        """Messages a second of each load, which has the core for itself half of the time."""
        self.set_nice(self.args.calibrate_nice)
        rates = []
        for load, port, window in zip(self.loads, self.ports, (64, 0)):
            run = load.ask("run", port=port, seconds=self.args.calibrate, window=window, connections=4, in_flight=4)
            rates.append(run["ok"] / run["seconds"] / len(self.loads))
            time.sleep(2)
        self.set_nice(self.args.nice)
        return rates

    def sample(self, began):
        pid = self.daemon.pid
        return {"seconds": round(time.monotonic() - began, 1), "rss_kib": int(rig.memory_mib(pid, "VmRSS") * 1024), "fds": len(os.listdir(f"/proc/{pid}/fd")),
                "threads": len(os.listdir(f"/proc/{pid}/task")), "cpu_s": rig.cpu_seconds(pid), "reloads": self.generation}

    def run(self, rates):
        """Samples until the loads end; returns (samples, the loads' reports, messages that arrived at each sink)."""
        seconds = self.args.minutes * 60
        before = [sink.ask("stats")["messages"] for sink in self.sinks]
        for load, port, rate in zip(self.loads, self.ports, rates):
            load.start("run", port=port, seconds=seconds, rate=rate, connections=4, in_flight=8)
        began, samples, next_reload = time.monotonic(), [], self.args.reload_seconds
        while time.monotonic() - began < seconds:
            time.sleep(min(self.args.sample_seconds, max(0.05, began + seconds - time.monotonic())))
            samples.append(self.sample(began))
            if samples[-1]["seconds"] >= next_reload:
                self.reload()
                next_reload += self.args.reload_seconds
        sent = [load.reply() for load in self.loads]
        time.sleep(3)  # the last batch goes out after its flush_timeout
        return samples, sent, [sink.ask("stats")["messages"] - n for sink, n in zip(self.sinks, before)]

    def stop(self):
        for tool in self.loads + self.sinks:
            tool.stop()


def verdict(samples, sent, arrived):
    """What the run showed, and the faults it found."""
    quarter, half = samples[len(samples) // 4:len(samples) // 2], samples[len(samples) // 2:]
    early, late = (statistics.median(s["rss_kib"] for s in part) / 1024 for part in (quarter, half))
    early_fds, late_fds = (statistics.median(s["fds"] for s in part) for part in (quarter, half))
    result = {"kind": "soak", "seconds": samples[-1]["seconds"], "reloads": samples[-1]["reloads"], "cpu_s": samples[-1]["cpu_s"] - samples[0]["cpu_s"],
              "sent": [s["ok"] for s in sent], "sent_gb": round(sum(s["payload_bytes"] for s in sent) / 1e9, 2), "refused": sum(s["refused"] for s in sent),
              "failed": sum(s["failed"] for s in sent), "arrived": arrived, "rss_mib_second_quarter": round(early, 1), "rss_mib_second_half": round(late, 1),
              "rss_mib_max": round(max(s["rss_kib"] for s in samples) / 1024, 1), "fds_second_quarter": early_fds,
              "fds_second_half": late_fds, "fds_max": max(s["fds"] for s in samples), "threads_max": max(s["threads"] for s in samples)}
    faults = []
    if late > early * GROWTH_MAX:
        faults.append("memory grows")
    if late_fds > early_fds * GROWTH_MAX + 1:
        faults.append("file descriptors grow")
    if arrived[0] != sent[0]["ok"] or not arrived[1]:
        faults.append("not everything arrived")
    if result["refused"] or result["failed"]:
        faults.append("requests were refused or failed")
    return {**result, "verdict": ", ".join(faults) or "flat"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--share", type=float, default=1.0, help="of the highest rate that 70 %% is taken of")
    parser.add_argument("--reload-seconds", type=float, default=60)
    parser.add_argument("--sample-seconds", type=float, default=5)
    parser.add_argument("--calibrate", type=float, default=5, help="seconds of full load to find the highest rate")
    parser.add_argument("--calibrate-nice", type=int, default=0, help="priority meanwhile; below 0 on a machine that others use too")
    parser.add_argument("--nice", type=int, default=0, help="priority of the long run")
    parser.add_argument("--bin", help="profpipe binary (default: build/release/profpipe)")
    parser.add_argument("--csv", default="soak.csv")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="profpipe-soak-") as folder:
        t = harness.Test(folder)
        try:
            soak = Soak(t, args)
            highest = soak.highest_rates()
            samples, sent, arrived = soak.run([max(1.0, LOAD * args.share * rate) for rate in highest])
            soak.stop()
            soak.daemon.stop()
        except harness.Skip as reason:
            print(f"skipped: {reason}")
            return harness.SKIPPED
        finally:
            t.stop_all()
    with open(args.csv, "w", newline="") as out:
        writer = csv.DictWriter(out, samples[0].keys())
        writer.writeheader()
        writer.writerows(samples)
    result = {**verdict(samples, sent, arrived), "highest_messages_per_s": [round(h, 1) for h in highest], "share": args.share}
    print(json.dumps(result))
    return 0 if result["verdict"] == "flat" else 1


if __name__ == "__main__":
    sys.exit(main())
