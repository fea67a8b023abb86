"""HTTP/2 by hand: frames as bytes, for what no library would send."""

import socket
import struct

import pytest

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)


def frame(kind, flags=0, stream=0, body=b""):
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


def literal(name, value):
    """One header field, HPACK without index or Huffman; shorter than 127 each."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def head_of(path):
    """The header block of a call."""
    return b"".join(literal(*f) for f in [(b":method", b"POST"), (b":scheme", b"http"), (b":path", path.encode()),
                                          (b":authority", b"a"), (b"te", b"trailers"), (b"content-type", b"application/grpc")])


def message(body, packed=False):
    """With its prefix."""
    return struct.pack(">BI", packed, len(body)) + body


HEAD = head_of("/test.Echo/Hang")
HELLO = PREFACE + frame(SETTINGS)


class Raw:
    """A connection of frames; with a context over TLS."""

    def __init__(self, server, hello=HELLO, tls=None, address="127.0.0.1"):
        self.sock = socket.create_connection(("127.0.0.1", server.port), 60, source_address=(address, 0))
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self.say(hello)

    def say(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            pass  # it was ended meanwhile; what was said about it is read

    def frames(self):
        """Each frame as it comes, (kind, flags, stream, body), to the end of the connection."""
        data = b""
        while True:
            while len(data) >= 9 and len(data) >= 9 + (n := int.from_bytes(data[:3], "big")):
                yield data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:9 + n]
                data = data[9 + n:]
            try:
                part = self.sock.recv(65536)
            except ConnectionResetError:
                return
            if not part:
                return
            data += part

    def until_end(self):
        return list(self.frames())

    def until(self, last):
        """The frames up to the first for which last(frame) holds."""
        got = []
        for one in self.frames():
            got.append(one)
            if last(*one):
                return got
        pytest.fail(f"the connection ended: {got}")


class RawServer(Raw):
    """The other end: a connection of frames from the next client of a listener."""

    def __init__(self, listener):
        listener.settimeout(60)
        self.sock = listener.accept()[0]
        self.sock.settimeout(60)
        hello = b""
        while len(hello) < len(PREFACE):
            hello += self.sock.recv(len(PREFACE) - len(hello))
        assert hello == PREFACE
        self.say(frame(SETTINGS))
