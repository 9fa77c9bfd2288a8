#!/usr/bin/env python3
"""Where profpipe's time goes on each path, as a Markdown table in CPU seconds per GB.

    tests/bench/otlp_bench.py --no-collector --rounds 1 --perf DIR/perf --json DIR/bench.jsonl
    tests/bench/perf_table.py DIR/perf DIR/bench.jsonl
"""
import json
import subprocess
import sys

CLASSES = (  # the first that fits: (column, what its symbols start with, its objects)
    ("kernel", (), ("[kernel",)),
    ("inflate, deflate", (), ("libdeflate", "libisal", "libzstd")),
    ("check", ("check_", "pp_otlp_check", "walk_", "pp_wire_packed"), ("profpipe",)),
    ("HTTP/2", (), ("libnghttp2",)),
    ("libc (copies, malloc)", (), ("libc.so",)),
    ("the rest", (), ("",)),
)


def shares(path):
    """{column: share of the samples}."""
    out = subprocess.run(["perf", "report", "-i", path, "--no-children", "-g", "none", "--sort", "dso,symbol", "--percent-limit", "0", "-t", "\t"],
                         check=True, capture_output=True, text=True, timeout=120).stdout
    totals = dict.fromkeys((name for name, _, _ in CLASSES), 0.0)
    for line in out.splitlines():
        fields = [f.strip() for f in line.split("\t")]
        if len(fields) < 3 or not fields[0].endswith("%"):
            continue
        symbol = fields[2].split("] ", 1)[-1]
        column = next(name for name, starts, objects in CLASSES
                      if any(fields[1].startswith(o) for o in objects) and (not starts or symbol.startswith(starts)))
        totals[column] += float(fields[0][:-1]) / 100
    return totals


def main():
    prefix, source = sys.argv[1:]
    names = [name for name, _, _ in CLASSES]
    print("| path | size | CPU s/GB | " + " | ".join(names) + " |\n" + "|---" * (len(names) + 3) + "|")
    with open(source) as lines:
        for result in map(json.loads, lines):
            if "path" not in result:
                continue
            of = shares(f"{prefix}.{result['path']}-{result['size']}-{result['program']}-{result['round']}")
            cells = [f"{of[n] * result['cpu_s_per_gb']:.2f}" for n in names]
            print(f"| {result['path']} | {result['size']} | {result['cpu_s_per_gb']:.2f} | " + " | ".join(cells) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
