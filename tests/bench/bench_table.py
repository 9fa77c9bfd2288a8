"""The results as Markdown: the README's tables, and a plain comparison."""
import os
import statistics

import bench_rows as rows

BEGIN, END = "<!-- bench: scripts/bench writes this -->", "<!-- /bench -->"
OURS, THEIRS, TUNED = "profpipe", "collector", "collector-tuned"


def median(results, key):
    values = [r[key] for r in results if r.get(key) is not None]
    return statistics.median(values) if values else float("nan")


def ratios(mine, others, key="cpu_s_per_gb"):
    """Of the rounds: others / mine, each pair from the same round."""
    by_round = {m["round"]: m[key] for m in mine if m[key]}
    return [o[key] / by_round[o["round"]] for o in others if o[key] and o["round"] in by_round]


def ratio_text(values):
    return f"{statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f})" if values else "-"


def significant(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def best_rate(results):
    """The highest of the rounds: what else the machine did can only lower it."""
    best = max(results, key=lambda r: r["mb_per_s"])
    return (">= " if best["at_least"] else "") + f"{best['mb_per_s']:.0f}"


def row_line(of_row, path, size):
    ours, theirs, tuned = ([r for r in of_row if r["program"] == name] for name in (OURS, THEIRS, TUNED))
    goal = rows.PATHS[path].goal
    against = ratios(ours, theirs)
    met = "" if not goal or not against else f"{goal}{'' if statistics.median(against) >= goal else ' missed'}"
    cells = [rows.TITLES[path], size, f"{significant(median(ours, 'cpu_s_per_gb'))}", f"{significant(median(theirs, 'cpu_s_per_gb'))}", ratio_text(against), met,
             ratio_text(ratios(ours, tuned)), f"{best_rate(ours)} / {best_rate(theirs)}",
             " / ".join(f"{median(side, 'p50_ms'):.1f}, {median(side, 'p99_ms'):.0f}" for side in (ours, theirs)),
             " / ".join(f"{max(r['peak_rss_mib'] for r in side):.0f}" for side in (ours, theirs)),
             " / ".join(f"{median(side, 'bytes_out_per_in_payload'):.2f}" for side in (ours, theirs))]
    return "| " + " | ".join(cells) + " |"


def paths_table(results):
    if not any("path" in r for r in results):
        return ""
    lines = ["| path | size | CPU s/GB | Collector's | ratio (spread) | goal | ratio, same limits | MB/s on a core | p50, p99 ms at half of it | peak RSS MiB | bytes out/in |",
             "|---|---|---|---|---|---|---|---|---|---|---|"]
    for path in rows.PATHS:
        for size in rows.PATHS[path].sizes:
            of_row = [r for r in results if r.get("path") == path and r["size"] == size]
            if {OURS, THEIRS} <= {r["program"] for r in of_row}:
                lines.append(row_line(of_row, path, size))
    return "\n".join(lines)


def side_by_side(results, kind, size, key, form="{:.0f}"):
    values = [[r[key] for r in results if r.get("kind") == kind and r["size"] == size and r["program"] == name] for name in (OURS, THEIRS)]
    return " | ".join(form.format(statistics.median(v)) if v else "-" for v in values)


def daemon_table(results):
    sizes = [s for s in rows.SIZES if any(r.get("kind") == "dead backend" and r["size"] == s for r in results)]
    lines = ["| | profpipe | Collector | goal |", "|---|---|---|---|",
             f"| start to ready, ms | {side_by_side(results, 'start', '', 'median_ms')} | < 50 |",
             f"| idle RSS, MiB (HTTP exporter) | {side_by_side(results, 'idle', 'http-none', 'rss_mib')} | < 20 |",
             f"| idle RSS, MiB (gRPC exporter) | {side_by_side(results, 'idle', 'grpc-none', 'rss_mib')} | < 20 |",
             f"| idle wake-ups a second (HTTP exporter) | {side_by_side(results, 'idle', 'http-none', 'wakeups_per_s', '{:.1f}')} | 0 |",
             f"| idle wake-ups a second (gRPC exporter) | {side_by_side(results, 'idle', 'grpc-none', 'wakeups_per_s', '{:.1f}')} | 0 |"]
    for kind, text in (("slow backend", "peak RSS, MiB, at twice what the backend takes"), ("dead backend", "peak RSS, MiB, with the backend dead")):
        for size in sizes:
            lines.append(f"| {text}, {size} | {side_by_side(results, kind, size, 'peak_rss_mib')} | < 200 |")
    for size in sizes:
        one, two = ([r for r in results if r.get("kind") == "cores" and r["size"] == size and r["loops"] == n] for n in (1, 2))
        if one and two:
            lines.append(f"| CPU per GB with two threads, of one, {size} | {ratio_text(ratios(one, two))} | - | <= 1.1 |")
    return "\n".join(lines)


def report(results):
    return f"{paths_table(results)}\n\n{daemon_table(results)}\n"


def replace_between(path, begin, end, text):
    """Replaces what stands between two markers of a file."""
    with open(path) as file:
        before, rest = file.read().split(begin)
        _, after = rest.split(end)
    with open(path + ".new", "w") as out:
        out.write(f"{before}{begin}\n{text}{end}{after}")
    os.replace(path + ".new", path)


def comparison(results, programs):
    """A line for each row and program, ratios against the first program in the same round."""
    lines = ["| path | size | program | CPU s/GB | load, sink s/GB | of the first (spread) | MB/s | p50, p99 ms | RSS idle, peak MiB |", "|---|---|---|---|---|---|---|---|---|"]
    for row in dict.fromkeys((r["path"], r["size"]) for r in results):
        of_row = [r for r in results if (r["path"], r["size"]) == row]
        first = [r for r in of_row if r["program"] == programs[0].name]
        for program in programs:
            mine = [r for r in of_row if r["program"] == program.name]
            values = ratios(first, mine) or [float("nan")]
            lines.append(f"| {row[0]} | {row[1]} | {program.name} | {median(mine, 'cpu_s_per_gb'):.3f} | {median(mine, 'load_cpu_s_per_gb'):.2f}, {median(mine, 'sink_cpu_s_per_gb'):.2f} "
                         f"| {statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f}) | {best_rate(mine)} "
                         f"| {median(mine, 'p50_ms'):.2f}, {median(mine, 'p99_ms'):.2f} | {median(mine, 'idle_rss_mib'):.0f}, {max(m['peak_rss_mib'] for m in mine):.0f} |")
    return "\n".join(lines)
