#!/usr/bin/env python3
"""The tools that judge profpipe are tested themselves: Go's vet and the unit tests of tests/peers/otlptool."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402


def run(t):
    if harness.sanitized():
        raise harness.Skip("not about the binary under test")
    harness.peer("otlptool")  # skips where there is no usable Go
    folder = os.path.join(harness.HERE, "otlptool")
    env = dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local")
    for command in (["go", "vet", "./..."], ["go", "test", "-trimpath", "./..."]):
        done = subprocess.run(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=harness.BUILD_TIMEOUT_S, check=False)
        t.check(done.returncode == 0, " ".join(command), done.stdout[-3000:])


if __name__ == "__main__":
    harness.main(run)
