#!/usr/bin/env python3
"""The benchmark runs from end to end, every message that was accepted arrives, and every figure is there and sane. No speed is judged."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

BENCH = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bench", "otlp_bench.py")
TIMEOUT_S = 400


def main():
    if harness.sanitized():
        print("skipped: a benchmark of a sanitizer")
        return harness.SKIPPED
    codec = subprocess.run([sys.executable, os.path.join(os.path.dirname(BENCH), "codec_table.py"), "--quick"], timeout=TIMEOUT_S, check=False).returncode
    if codec != 0:
        return codec
    binary = os.environ.get("PROFPIPE_BIN")
    command = [sys.executable, BENCH, "--quick"] + (["--bin", binary] if binary else [])
    return subprocess.run(command, timeout=TIMEOUT_S, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
