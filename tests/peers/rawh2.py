"""HTTP/2 frames by hand, for what no well-behaved client does: pings out of turn, streams over the limit, connections that just stay."""
import contextlib
import socket
import struct
import time

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, END_HEADERS, ACK = 1, 4, 1
MAX_CONCURRENT_STREAMS = 3  # a setting
NO_ERROR, ENHANCE_YOUR_CALM = 0, 11
OK_ANSWER = b"\0\0\0\0\0"  # a gRPC frame with an empty message; an error has no DATA at all
GRPC_PATH = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
FRAME_HEADER = 9


class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload

    def __repr__(self):
        return f"<frame {self.kind} flags {self.flags} stream {self.stream} {self.payload[:40]!r}>"

    @property
    def goaway_code(self):
        return struct.unpack(">I", self.payload[4:8])[0]


class Connection:
    """One connection to a TCP port of this machine or to a unix socket's path; `tls` is an ssl.SSLContext."""

    def __init__(self, where, tls=None):
        unix = isinstance(where, str)
        self.socket = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        self.socket.settimeout(10)
        self.socket.connect(where if unix else ("127.0.0.1", where))
        if tls:
            tls.set_alpn_protocols(["h2"])
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.opened = time.monotonic()
        self.buffer = b""
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.send(SETTINGS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def age_s(self):
        return time.monotonic() - self.opened

    def send(self, kind, flags=0, stream=0, payload=b""):
        self.socket.sendall(struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload)

    def open_call(self, stream, more=()):
        """Headers of an export; literals without indexing or Huffman, so no state is kept."""
        fields = [(":method", "POST"), (":scheme", "http"), (":path", GRPC_PATH), (":authority", "test"), ("content-type", "application/grpc"), ("te", "trailers"), *more]
        block = b"".join(b"\0" + bytes([len(n)]) + n.encode() + bytes([len(v)]) + v.encode() for n, v in fields)
        self.send(HEADERS, END_HEADERS, stream, block)

    def finish_call(self, stream, message):
        self.send(DATA, END_STREAM, stream, b"\0" + struct.pack(">I", len(message)) + message)

    def _fill(self, size, deadline):
        while len(self.buffer) < size:
            left = deadline - time.monotonic()
            if left <= 0:
                raise socket.timeout
            self.socket.settimeout(left)
            try:
                chunk = self.socket.recv(65536)
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                return False
            self.buffer += chunk
        return True

    def frame(self, timeout_s=10):
        """The next frame, None when the peer has closed; socket.timeout when neither comes. Settings and pings are answered on the way."""
        deadline = time.monotonic() + timeout_s
        if not self._fill(FRAME_HEADER, deadline):
            return None
        size = int.from_bytes(self.buffer[:3], "big")
        if not self._fill(FRAME_HEADER + size, deadline):
            return None
        kind, flags, stream = self.buffer[3], self.buffer[4], struct.unpack(">I", self.buffer[5:9])[0]
        frame = Frame(kind, flags, stream, self.buffer[FRAME_HEADER:FRAME_HEADER + size])
        self.buffer = self.buffer[FRAME_HEADER + size:]
        if kind in (SETTINGS, PING) and not flags & ACK:
            with contextlib.suppress(OSError):  # it may have closed since; what it said before is still to be read
                self.send(kind, ACK, 0, frame.payload if kind == PING else b"")
        return frame

    def until(self, wanted, timeout_s=10):
        """The first frame for which wanted(frame) holds; None when the peer closes or the time is over before it."""
        deadline = time.monotonic() + timeout_s
        try:
            while time.monotonic() < deadline:
                frame = self.frame(deadline - time.monotonic())
                if frame is None or wanted(frame):
                    return frame
        except socket.timeout:
            pass
        return None

    def until_goaway(self, timeout_s=10):
        return self.until(lambda f: f.kind == GOAWAY, timeout_s)

    def export(self, stream, message, timeout_s=10):
        """Whether the message was accepted."""
        self.open_call(stream)
        self.finish_call(stream, message)
        return self.accepted(stream, timeout_s)

    def accepted(self, stream, timeout_s=10):
        frame = self.until(lambda f: f.stream == stream and (f.kind == RST_STREAM or f.kind == DATA or f.flags & END_STREAM), timeout_s)
        return frame is not None and frame.kind == DATA and frame.payload == OK_ANSWER

    def wait_closed(self, timeout_s=10):
        """Whether the peer closes the connection in this time."""
        deadline = time.monotonic() + timeout_s
        try:
            while time.monotonic() < deadline:
                if self.frame(deadline - time.monotonic()) is None:
                    return True
        except socket.timeout:
            pass
        return False
