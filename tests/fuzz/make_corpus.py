#!/usr/bin/env python3
"""Records the fuzz corpora from real peers: messages that otlptool generates, sent by grpc-go and Go's HTTP client through a proxy that keeps both
directions, and profiles that Go programs serve. Existing files stay: what a fuzzer found belongs to the corpus too. Needs the release build."""
import contextlib
import os
import socket
import subprocess
import sys
import threading
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "peers"))
import harness  # noqa: E402

CORPUS = os.path.join(HERE, "corpus")
# Bits of the first byte of an input; see the targets.
HTTP2_RAW, HTTP2_HALF_CLOSES = 1, 2
OTLP_HTTP_HALF_CLOSES = 4
H2_CLIENT_RAW = 1
GRPC_ENCODINGS = ["identity", "gzip", "deflate", "zstd", "snappy", "x-snappy-framed", "lz4"]
PREFACE, FRAME_HEADER, DATA = 24, 9, 0


class Proxy:
    """Passes one connection on and keeps what went each way."""

    def __init__(self, port):
        self.to_server, self.to_client = b"", b""
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", self.target))
        back = threading.Thread(target=self.copy, args=(server, client, "to_client"), daemon=True)
        back.start()
        self.copy(client, server, "to_server")
        back.join(5)

    def copy(self, source, target, name):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                setattr(self, name, getattr(self, name) + data)
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def done(self):
        self.thread.join(10)
        self.listener.close()
        return self


def save(target, name, data):
    folder = os.path.join(CORPUS, target)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        with open(path, "wb") as out:
            out.write(data)


def data_of(stream):
    """The payload of all DATA frames that a client sent."""
    out, at = b"", PREFACE
    while at + FRAME_HEADER <= len(stream):
        size = int.from_bytes(stream[at:at + 3], "big")
        if stream[at + 3] == DATA:
            out += stream[at + FRAME_HEADER:at + FRAME_HEADER + size]
        at += FRAME_HEADER + size
    return out


def read(path):
    with open(path, "rb") as data:
        return data.read()


def record(t, kind, message, ports):
    for compression in ("none", "gzip", "zstd", "snappy"):
        proxy = Proxy(ports["grpc"])
        t.send(proxy.port, message, arguments=("--compression", compression))
        proxy.done()
        name = f"real_{kind}_{compression}"
        save("http2", name, bytes([HTTP2_RAW | HTTP2_HALF_CLOSES]) + proxy.to_server)
        save("h2_client", name, bytes([H2_CLIENT_RAW]) + proxy.to_client)
        encoding = GRPC_ENCODINGS.index("identity" if compression == "none" else compression)
        save("grpc", name, bytes([encoding, 0]) + data_of(proxy.to_server))
    for compression, target in (("none", None), ("gzip", "gzip"), ("deflate", "deflate"), ("zstd", "zstd"), ("snappy", "snappy"), ("x-snappy-framed", "snappy"), ("lz4", "lz4")):
        proxy = Proxy(ports["http"])
        t.send(proxy.port, message, to="http", arguments=("--compression", compression))
        proxy.done()
        save("otlp_http", f"real_{kind}_{compression}", bytes([OTLP_HTTP_HALF_CLOSES]) + proxy.to_server)
        if target:
            save(target, f"real_{kind}_{compression}", proxy.to_server.split(b"\r\n\r\n", 1)[1])


def messages(t):
    out = {}
    for kind, flags in (("tiny", {}), ("full", {}), ("20k", {"samples": 20, "resources": 1})):
        folder = t.gen(kind, kind, **flags)
        out[kind] = os.path.join(folder, os.listdir(folder)[0])
        for layout, number in (("1.10", 0), ("1.9", 1), ("1.8", 2)):
            folder = t.gen(f"{kind}-{layout}", kind, layout=layout, **flags)
            save("otlp", f"real_{kind}_{layout}", bytes([number]) + read(os.path.join(folder, os.listdir(folder)[0])))
        folder = t.gen(f"{kind}-json", kind, json=True, **flags)
        text = read(os.path.join(folder, os.listdir(folder)[0]))
        save("otlp_json", f"real_{kind}", text)
        save("json_file", f"real_{kind}", bytes([255, 100, 0]) + text.replace(b"\n", b"") + b"\n" + text[:100] + b"\n")
    broken = t.gen("broken", "broken")
    for name in os.listdir(broken):
        data = read(os.path.join(broken, name))
        if len(data) < 8192:
            save("otlp", f"broken_{name.removesuffix('.pb')}", b"\0" + data)
    return out


def pprof(t):
    save("pprof", "real_go_compiler", read(os.path.join(HERE, "..", "..", "config", "examples", "go-compiler.pb.gz")))
    target = t.start("gotarget", [harness.peer("gotarget")])
    port = int(harness.wait_until(lambda: target.out().strip(), 10, "the port of gotarget"))
    for kind in ("goroutine", "heap", "threadcreate"):
        save("pprof", f"real_go_{kind}", urllib.request.urlopen(f"http://127.0.0.1:{port}/debug/pprof/{kind}", timeout=10).read())


def run(t):
    ports = {n: harness.free_port() for n in ("grpc", "http")}
    t.profpipe("profpipe", f"""
        receivers: {{otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{ports['grpc']}}}, http: {{endpoint: 127.0.0.1:{ports['http']}}}}}}}}}
        exporters: {{nop: }}
        service: {{telemetry: {{metrics: {{level: none}}}}, pipelines: {{profiles: {{receivers: [otlp], exporters: [nop]}}}}}}
        """, ports.values())
    for kind, message in messages(t).items():
        record(t, kind, message, ports)
    pprof(t)
    sizes = subprocess.run(["du", "-sk", *sorted(os.path.join(CORPUS, d) for d in os.listdir(CORPUS))], capture_output=True, text=True, check=True).stdout
    t.check(True, "corpora in KiB:\n" + sizes)


if __name__ == "__main__":
    harness.main(run)
