#!/usr/bin/env python3
"""Runs fuzz targets under ASan and UBSan, some at a time and at the lowest priority, and prints what came of it as a table. What a run finds
worth keeping stays in build/fuzz/corpus; inputs that fail are left in build/fuzz/findings. Exit code 1 when there are any."""
import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "fuzz")
ONE_INPUT_TIMEOUT_S = 300  # by the clock on the wall, of a process that gets little of a busy machine
RSS_LIMIT_MIB = 2048
END_GRACE_S = 120  # for the run's last input, leak check and statistics


def targets():
    return sorted(os.path.basename(p).removesuffix("_fuzz") for p in glob.glob(os.path.join(BUILD, "tests", "fuzz", "*_fuzz")))


def last_number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def run(target, seconds):
    """The row of one target."""
    kept = os.path.join(BUILD, "corpus", target)
    findings = os.path.join(BUILD, "findings")
    for folder in (kept, findings):
        os.makedirs(folder, exist_ok=True)
    before = set(os.listdir(findings))
    command = ["nice", "-n", "19", os.path.join(BUILD, "tests", "fuzz", f"{target}_fuzz"), f"-max_total_time={seconds}", f"-timeout={ONE_INPUT_TIMEOUT_S}",
               f"-rss_limit_mb={RSS_LIMIT_MIB}", "-print_final_stats=1", f"-report_slow_units={ONE_INPUT_TIMEOUT_S}", f"-artifact_prefix={findings}/{target}-", kept, os.path.join(HERE, "corpus", target)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds + END_GRACE_S, check=False)
        log, code = done.stdout.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as expired:
        log, code = (expired.stdout or b"").decode(errors="replace"), 124
    with open(os.path.join(BUILD, f"{target}.log"), "w") as out:
        out.write(log)
    found = sorted(set(os.listdir(findings)) - before)
    return {"target": target, "minutes": seconds / 60, "executions": last_number(r"stat::number_of_executed_units:\s+(\d+)", log),
            "edges": last_number(r" cov: (\d+)", log), "of": last_number(r"\((\d+) inline 8-bit counters\)", log),
            "rss": last_number(r"stat::peak_rss_mb:\s+(\d+)", log), "found": [f for f in found if f.startswith(f"{target}-")], "code": code}


def print_table(rows):
    print("| target | minutes | executions | edges covered | peak RSS, MiB | findings |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        outcome = ", ".join(row["found"]) or ("none" if row["code"] == 0 else f"exit code {row['code']}, see build/fuzz/{row['target']}.log")
        print(f"| {row['target']} | {row['minutes']:g} | {row['executions']} | {row['edges']} of {row['of']} | {row['rss']} | {outcome} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(targets())}; default: all")
    parser.add_argument("--minutes", type=float, default=10, help="of each target (default 10)")
    parser.add_argument("--jobs", type=int, default=2, help="targets at a time (default 2)")
    args = parser.parse_args()
    unknown = sorted(set(args.targets) - set(targets()))
    if unknown:
        parser.error(f"no target {unknown[0]}")
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        rows = list(pool.map(lambda target: run(target, round(args.minutes * 60)), args.targets or targets()))
    print_table(rows)
    return 1 if any(row["code"] != 0 for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
