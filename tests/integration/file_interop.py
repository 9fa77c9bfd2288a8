#!/usr/bin/env python3
"""The file exporter beside the Collector's own, with the same configuration and input: formats, compression, append, rotation, grouping, compared value by
value; and the Collector's JSON files read back by the otlp_json_file receiver."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

MIB = 1 << 20
# name: (path inside the program's folder, keys); the extension tells otlptool how to read it.
FILES = {
    "json": ("json.json", ""),
    "proto": ("proto.framed", "format: proto"),
    "json_zstd": ("json.zst", "compression: zstd"),
    "proto_zstd": ("proto.zst", "format: proto, compression: zstd"),
    "append": ("append.json", "append: true"),
    "append_proto": ("append.framed", "append: true, format: proto"),
    "rotated": ("rotated/data.json", "rotation: {max_megabytes: 1, max_backups: 100}"),
    "rotated_proto": ("rotated_proto/data.framed", "format: proto, rotation: {max_megabytes: 1}"),
    "grouped": ("grouped/*.json", "group_by: {enabled: true, resource_attribute: service.name}"),
}


def config(folder, port):
    exporters = "\n".join(f"  file/{name}: {{path: '{folder}/{path}'{', ' + keys if keys else ''}}}" for name, (path, keys) in FILES.items())
    return f"""
receivers:
  otlp: {{protocols: {{http: {{endpoint: 127.0.0.1:{port}}}}}}}
exporters:
{exporters}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    profiles: {{receivers: [otlp], exporters: [{', '.join(f'file/{n}' for n in FILES)}]}}
"""


def write_twice(t, start, folder, first, second):
    """Two runs over the same files: the second appends, or starts anew."""
    for sub in ("rotated", "rotated_proto", "grouped"):
        os.makedirs(os.path.join(folder, sub), exist_ok=True)
    for number, messages in enumerate((first, second)):
        port = harness.free_port()
        daemon = start(f"{os.path.basename(folder)}-{number}", config(folder, port), [port])
        report = t.send(port, messages, to="http")
        t.check(report["ok"] == len(os.listdir(messages)), f"{daemon.name} takes the messages", report)
        t.check(daemon.stop() == 0, f"{daemon.name} ends with code 0", daemon.process.returncode)


def files_of(folder, name):
    path = os.path.join(folder, FILES[name][0])
    parent = os.path.dirname(path)
    return [path] if parent == folder else sorted(os.path.join(parent, f) for f in os.listdir(parent))


def compare(t, ours, theirs, first, second):
    for name in FILES:
        mine, other = files_of(ours, name), files_of(theirs, name)
        if not t.check(mine and all(os.path.exists(f) for f in mine), f"file/{name}: profpipe wrote it", mine):
            continue
        both = name in ("append", "append_proto")
        if not name.startswith("rotated"):  # what a second run does to a rotated file is a matter of time stamps
            t.same_profiles(f"file/{name}: holds {'both runs' if both else 'the last run'}", [first, second] if both else second, mine)
        if name != "grouped":  # the Collector's grouped files lack the dictionary
            t.same_profiles(f"file/{name}: the same as the Collector's", other, mine)
    names = [[os.path.basename(f) for f in files_of(folder, "grouped")] for folder in (ours, theirs)]
    t.check(names[0] == names[1] and len(names[0]) > 1, "file/grouped: the same file names", names)
    for file in names[0]:
        with open(os.path.join(ours, "grouped", file)) as text:
            others = [n for n in names[0] if n != file and n.removesuffix(".json") in text.read()]
        t.check(not others, f"file/grouped: {file} has nothing of another group, strings included", others)
    for name in ("rotated", "rotated_proto"):
        sizes = [os.path.getsize(f) for f in files_of(ours, name)]
        t.check(len(sizes) >= 2 and max(sizes) <= MIB, f"file/{name}: rotated at 1 MiB", sizes)


def read_back(t, theirs, second):
    """The Collector's file is read from its start, and what is appended later too."""
    sink, source = t.sink(), t.path("watched.json")
    shutil.copy(os.path.join(theirs, "json.json"), source)
    health = harness.free_port()
    t.profpipe("reader", f"""
receivers:
  otlp_json_file: {{include: ['{source}'], start_at: beginning}}
exporters:
  otlp_grpc: {{endpoint: '127.0.0.1:{sink.grpc}', tls: {{insecure: true}}}}
extensions:
  health_check: {{endpoint: 127.0.0.1:{health}}}
service:
  extensions: [health_check]
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    profiles: {{receivers: [otlp_json_file], exporters: [otlp_grpc]}}
""", [health])
    count = len(os.listdir(second))
    sink.wait_for(count, 30)
    t.same_profiles("otlp_json_file reads what the Collector wrote", second, [r["file"] for r in sink.requests()])
    more = t.gen("more", "20k", count=2, seed=900)
    with open(source, "a") as out:
        for file in sorted(os.listdir(t.gen("more_json", "20k", count=2, seed=900, json=True))):
            with open(t.path("more_json", file)) as text:
                body = text.read()
            out.write(body[:1000])  # a line that is still being written is waited for
            out.flush()
            out.write(body[1000:] + "\n")
    sink.wait_for(count + 2, 30)
    t.same_profiles("otlp_json_file reads what is appended later", more, [r["file"] for r in sink.requests()[count:]])


def run(t):
    first, second = t.gen("first", "20k", count=2, seed=1), t.gen("second", "300k", count=6, seed=10, samples=120)
    t.gen("second", "full", seed=10)
    ours, theirs = t.path("ours"), t.path("theirs")
    write_twice(t, t.profpipe, ours, first, second)
    write_twice(t, t.collector, theirs, first, second)
    compare(t, ours, theirs, first, second)
    if not harness.standin():
        read_back(t, theirs, second)


if __name__ == "__main__":
    harness.main(run)
