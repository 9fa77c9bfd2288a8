"""The rows of the benchmark: paths with their configurations, and the messages that go through them."""
import os
import random
import subprocess

import bench_rig as rig
from bench_rig import harness

SIZES = ("20k", "300k", "2m", "recorded")
MESSAGES = {"20k": 48, "300k": 36, "2m": 24, "recorded": 24}
# Connections and requests in flight on each, enough to keep one core busy.
IN_FLIGHT = {"grpc": {"20k": (4, 8), "300k": (4, 4), "2m": (4, 2), "recorded": (4, 4)},
             "http": {"20k": (16, 1), "300k": (8, 1), "2m": (4, 1), "recorded": (8, 1)}}

# Messages sent and not yet delivered: far below every program's queue, so that a closed loop is refused nothing.
WINDOW = {"20k": 256, "300k": 64, "2m": 16, "recorded": 128}


class Path:
    def __init__(self, protocol, compression, goal, processors="", batch=False, sizes=SIZES):
        self.protocol, self.compression, self.goal = protocol, compression, goal
        self.processors, self.batch, self.sizes = processors, batch, sizes


PATHS = {
    "grpc-none": Path("grpc", "none", 15),
    "grpc-gzip": Path("grpc", "gzip", 35),
    "grpc-gzip-recompressed": Path("grpc", "gzip", 10, processors="resource"),
    "grpc-zstd": Path("grpc", "zstd", None),
    "http-none": Path("http", "none", 20),
    "http-gzip": Path("http", "gzip", None),
    "http-zstd": Path("http", "zstd", None),
    "grpc-none-resource": Path("grpc", "none", 8, processors="resource"),
    "grpc-none-batch": Path("grpc", "none", 8, batch=True, sizes=("20k", "300k", "recorded")),
}
TITLES = {
    "grpc-none": "gRPC", "grpc-gzip": "gRPC, gzip, unchanged", "grpc-gzip-recompressed": "gRPC, gzip, `resource` edits",
    "grpc-zstd": "gRPC, zstd", "http-none": "HTTP", "http-gzip": "HTTP, gzip", "http-zstd": "HTTP, zstd",
    "grpc-none-resource": "gRPC, `resource` edits", "grpc-none-batch": "gRPC, merged into 1 MB",
}
QUEUE_BYTES = 128 << 20  # profpipe's default bound of what waits
# Messages that are merged cannot be counted at the sink, so a full queue makes the generator wait instead of a window.
BATCH = "block_on_overflow: true, batch: {sizer: bytes, min_size: 1000000, max_size: 4000000, flush_timeout: 200ms}"


def sending_queue(path, program):
    """The Collector's defaults bound the number of requests only; "tuned" gives it the limits that are profpipe's defaults."""
    keys = []
    if program.is_collector and program.tuned:
        keys += ["sizer: bytes", f"queue_size: {QUEUE_BYTES}", "num_consumers: 10"]
    if path.batch:
        keys += [BATCH]
    return f", sending_queue: {{{', '.join(keys)}}}" if keys else ""


def config(path, program, port, sink, telemetry="none"):
    queue = sending_queue(path, program)
    if path.protocol == "grpc":
        exporter = f"otlp_grpc: {{endpoint: '127.0.0.1:{sink['grpc']}', compression: {path.compression}, tls: {{insecure: true}}{queue}}}"
    else:
        exporter = f"otlp_http: {{endpoint: 'http://127.0.0.1:{sink['http']}', compression: {path.compression}{queue}}}"
    limit = ""
    if program.is_collector and program.tuned:
        limit = ", max_recv_msg_size_mib: 64" if path.protocol == "grpc" else ", max_request_body_size: 67108864"
    return f"""
receivers: {{otlp: {{protocols: {{{path.protocol}: {{endpoint: '127.0.0.1:{port}'{limit}}}}}}}}}
processors: {{resource: {{attributes: [{{key: deployment.environment.name, value: bench, action: upsert}}]}}}}
exporters: {{{exporter}}}
service:
  telemetry: {{metrics: {{level: {telemetry}}}}}
  pipelines: {{profiles: {{receivers: [otlp], processors: [{path.processors}], exporters: [otlp_{path.protocol}]}}}}
"""


# The recorded profile

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7f) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return value, at


def fields(data):
    """(number, the field's bytes with its key) of a protobuf message without groups."""
    at = 0
    while at < len(data):
        start = at
        key, at = varint(data, at)
        if key & 7 == 2:
            length, at = varint(data, at)
            at += length
        elif key & 7 == 0:
            _, at = varint(data, at)
        else:
            at += {1: 8, 5: 4}[key & 7]
        yield key >> 3, data[start:at]


def pprof_variants(path, count):
    """The recorded pprof with a tenth of its samples left out and the rest in another order, each time others."""
    everything = list(fields(subprocess.run(["gzip", "-dc", path], check=True, capture_output=True).stdout))
    for seed in range(count):
        rng = random.Random(seed)
        samples = [raw for number, raw in everything if number == 2 and rng.random() < 0.9]
        rng.shuffle(samples)
        yield b"".join(samples) + b"".join(raw for number, raw in everything if number != 2)


def record(t, folder, binary):
    """Variants of the Go compiler's CPU profile as OTLP messages, by profpipe's pprof receiver into a saving sink."""
    source, count = t.path("recorded-pprof"), MESSAGES["recorded"]
    os.makedirs(source)
    for number, content in enumerate(pprof_variants(os.path.join(rig.ROOT, "config", "examples", "go-compiler.pb.gz"), count)):
        with open(os.path.join(source, f"{number:03}.pb"), "wb") as out:
            out.write(content)
    sink = t.sink("recording")
    name = t.write("recording.yaml", f"""
        receivers: {{pprof: {{service_name: go-compiler, file: {{include: '{source}/*', collection_interval: 1s, initial_delay: 0s}}}}}}
        exporters: {{otlp_http: {{endpoint: 'http://127.0.0.1:{sink.http}', compression: none}}}}
        service: {{telemetry: {{metrics: {{level: none}}}}, pipelines: {{profiles: {{receivers: [pprof], exporters: [otlp_http]}}}}}}
        """)
    daemon = t.start("recording-profpipe", [binary, "--config", name])
    sink.wait_for(count)
    daemon.stop()
    sink.stop()
    os.makedirs(folder)
    saved = sorted(n for n in os.listdir(sink.folder) if n.endswith(".pb"))[:count]
    if len(saved) < count:
        raise harness.Failure(f"{len(saved)} of {count} recorded messages in {os.listdir(sink.folder)[:5]}")
    for entry in saved:
        os.rename(os.path.join(sink.folder, entry), os.path.join(folder, entry))


def mean_bytes(t, size):
    folder = t.path(f"messages-{size}")
    lengths = [os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)]
    return sum(lengths) / len(lengths)


def messages(t, size, binary):
    """The folder with the messages of a size, made when it is first asked for."""
    folder = t.path(f"messages-{size}")
    if not os.path.isdir(folder):
        if size == "recorded":
            record(t, folder, binary)
        else:
            t.gen(f"messages-{size}", size, count=MESSAGES[size])
    return folder
