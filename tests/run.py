#!/usr/bin/env python3
"""Builds and runs every test, quick stages first. The last line is "N passed, N failed, N skipped".

A stage is a build preset with its ctest run, or the integration scripts against the binary of a preset. Each test of a stage counts
once; a stage whose build fails counts as one failure.
"""
import argparse
import concurrent.futures
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SKIP = 77
BUILD_TIMEOUT_S = 1800
CTEST_TIMEOUT_S = 1200
SCRIPT_TIMEOUT_S = 600
SCRIPT_END_S = 60  # to show its logs and stop what it started
SCRIPTS_AT_A_TIME = 2  # they wait more than they work


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []

    def add(self, name, outcome):
        setattr(self, outcome, getattr(self, outcome) + 1)
        if outcome == "failed":
            self.failures.append(name)


def say(text):
    print(text, flush=True)


def run(command, timeout, **kwargs):
    """The exit code; a command over its time counts as failed (124) and is killed with its children."""
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, **kwargs)
    try:
        return process.wait(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        say(f"{' '.join(command)}: no end after {timeout} s, killed")
        return 124


def build(preset):
    log = os.path.join(ROOT, "build", f"{preset}.log")
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with open(log, "w") as out:
        code = run(["scripts/build", preset], BUILD_TIMEOUT_S, stdout=out, stderr=subprocess.STDOUT)
    if code != 0:
        with open(log) as text:
            say("".join(text.readlines()[-60:]))
    return code == 0


def ctest(preset, label, tally):
    report = os.path.join(ROOT, "build", f"{preset}-ctest.xml")
    if os.path.exists(report):
        os.unlink(report)
    command = ["ctest", "--preset", preset, "--output-junit", report, "-j2", "--quiet"]
    if label:
        command += ["-L", label]
    run(command, CTEST_TIMEOUT_S)
    if not os.path.exists(report):
        say(f"{preset}: ctest left no report")
        tally.add(f"{preset}: ctest", "failed")
        return
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        status = case.get("status")
        outcome = "passed" if status == "run" else "skipped" if status in ("notrun", "disabled") else "failed"
        tally.add(f"{preset}: {case.get('name')}", outcome)
        if outcome == "failed":
            say(f"--- {preset}: {case.get('name')} failed")
            say((case.findtext("system-out") or "")[-6000:])
        elif outcome == "skipped":
            say(f"skipped: {preset}: {case.get('name')}")


def preset_stage(preset, label=None, test=True):
    def stage(tally):
        if not build(preset):
            tally.add(f"build {preset}", "failed")
        elif test:
            ctest(preset, label, tally)
        else:
            tally.add(f"build {preset}", "passed")
    return stage


def run_script(path, env):
    """(exit code, what it printed); a script over its time is asked to stop what it started."""
    script = subprocess.Popen([sys.executable, path], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    try:
        shown, _ = script.communicate(timeout=SCRIPT_TIMEOUT_S)
        return script.returncode, shown
    except subprocess.TimeoutExpired:
        script.terminate()
    try:
        shown, _ = script.communicate(timeout=SCRIPT_END_S)
    except subprocess.TimeoutExpired:
        script.kill()
        shown, _ = script.communicate()
    return 124, f"{shown}\nno end after {SCRIPT_TIMEOUT_S} s"


def scripts_stage(folder, pattern, preset="release"):
    """Every script of a folder, with that preset's binary: exit 0 passed, 77 skipped (its last line says why), else failed."""
    env = dict(os.environ, PROFPIPE_BIN=os.path.join(ROOT, "build", preset, "profpipe"))

    def one(name):
        started = time.monotonic()
        code, shown = run_script(os.path.join(ROOT, folder, name), env)
        return name, code, shown.strip().splitlines(), time.monotonic() - started

    def stage(tally):
        names = sorted(n for n in os.listdir(os.path.join(ROOT, folder)) if n.endswith(pattern))
        with concurrent.futures.ThreadPoolExecutor(SCRIPTS_AT_A_TIME) as pool:
            for future in concurrent.futures.as_completed([pool.submit(one, name) for name in names]):
                name, code, lines, seconds = future.result()
                outcome = {0: "passed", SKIP: "skipped"}.get(code, "failed")
                tally.add(f"{preset}: {folder}/{name}", outcome)
                say(f"{outcome}: {folder}/{name} ({seconds:.1f} s) {lines[-1] if lines else ''}")
                for line in lines:
                    if line.startswith("left out: "):
                        say(f"    {line}")
                if outcome == "failed":
                    say("\n".join(lines[-150:]))
    return stage


STAGES = {
    "tidy": scripts_stage("tests/tidy", "_check.py"),
    "release": preset_stage("release"),
    "asan": preset_stage("asan"),
    "tsan": preset_stage("tsan"),
    "clang": preset_stage("clang", test=False),
    "integration": scripts_stage("tests/integration", ".py"),
    "integration-asan": scripts_stage("tests/integration", ".py", "asan"),
    "integration-tsan": scripts_stage("tests/integration", ".py", "tsan"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stages", nargs="*", default=[], metavar="STAGE", help=f"of {', '.join(STAGES)}; default: all, in this order")
    args = parser.parse_args()
    unknown = [s for s in args.stages if s not in STAGES]
    if unknown:
        parser.error(f"no stage {unknown[0]}; there are {', '.join(STAGES)}")
    tally = Tally()
    for name in args.stages or STAGES:
        started = time.monotonic()
        say(f"== {name}")
        STAGES[name](tally)
        say(f"== {name}: {time.monotonic() - started:.0f} s")
    for failure in tally.failures:
        say(f"FAILED {failure}")
    say(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
