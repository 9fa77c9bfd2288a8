#!/usr/bin/env python3
"""The codec's speed beside memcpy, protobuf-c, and the Collector's pdata, on the same messages: a Markdown table.

--into FILE replaces what stands between the markers there; --quick only checks that every figure comes.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import bench_rig as rig
import bench_table as table
from bench_rig import harness

SIZES = ("20k", "300k", "2m")
BEGIN, END = "<!-- codec: tests/bench/codec_table.py writes this -->", "<!-- /codec -->"
ROWS = (  # operation of ours, what it stands beside
    ("memcpy", ()),
    ("check", ()),
    ("check_and_decode", ("protobuf_c_unpack", "protobuf_c_unpack_arena", "pdata_unmarshal")),
    ("edit_resources_and_encode", ()),
    ("edit_everything_and_encode", ("protobuf_c_pack", "pdata_marshal")),
    ("split_in_4", ()),
    ("merge_of_16_decoded", ("pdata_unmarshal_and_merge_16",)),
    ("json_write", ("pdata_json_marshal",)),
    ("json_read", ("pdata_json_unmarshal",)),
    *((f"{way}_{name}", ()) for name in ("gzip", "zstd", "snappy", "lz4", "deflate") for way in ("decompress", "compress")),
)


def measure(t, size, seconds):
    """{operation: GB/s} of one message; mean CPU time, so that allocation and garbage count."""
    folder = t.gen(f"codec-{size}", size)
    path = os.path.join(folder, sorted(os.listdir(folder))[0])
    figures = {}
    for command in ([rig.tool_path("codec_bench"), "--seconds", str(seconds), path],
                    [rig.tool_path("anchor_bench"), "--seconds", str(seconds), size, path],
                    [harness.peer("otlptool"), "speed", "--seconds", str(seconds), "--name", size, path]):
        out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
        for line in out.splitlines():
            result = json.loads(line)
            figures[result["operation"]] = result["bytes"] / 1e3 / max(result["mean_us"], 0.1)
    return figures


def render(figures):
    lines = ["| GB/s | " + " | ".join(SIZES) + " | beside it |", "|---|" + "---|" * (len(SIZES) + 1)]
    for operation, anchors in ROWS:
        beside = "; ".join(f"{a} " + ", ".join(f"{figures[s][a]:.2f}" for s in SIZES) for a in anchors)
        lines.append(f"| {operation} | " + " | ".join(f"{figures[s][operation]:.2f}" for s in SIZES) + f" | {beside} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.5, help="for each operation")
    parser.add_argument("--into", help="Markdown file with the markers")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="profpipe-codec-") as folder:
        t = harness.Test(folder)
        try:
            figures = {size: measure(t, size, 0.01 if args.quick else args.seconds) for size in SIZES}
        except harness.Skip as reason:
            print(f"skipped: {reason}")
            return harness.SKIPPED
    text = render(figures)
    print(text)
    if args.into:
        table.replace_between(args.into, BEGIN, END, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
