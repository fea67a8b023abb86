"""HTTP/1.1 as bytes over a socket: what no HTTP library would send, and its answers."""

import socket
import struct
import time

LIMIT_S = 60
POST = b"POST /hook HTTP/1.1\r\nHost: test\r\nContent-Length: "


def refuses(port):
    """Does nobody listen there?"""
    try:
        socket.create_connection(("127.0.0.1", port), 60).close()
    except ConnectionRefusedError:
        return True
    return False


class Peer:
    """One connection. Bytes go out as they are given (no delay); answers are read by their Content-Length."""

    def __init__(self, port, tls=None, source="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT_S, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.kept = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends the connection with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, *pieces):
        for piece in pieces:
            self.socket.sendall(piece)

    def end(self):
        """Ends this side only."""
        self.socket.shutdown(socket.SHUT_WR)

    def _read(self):
        data = self.socket.recv(65536)
        self.kept += data
        return data

    def answer(self, head_only=False):
        """(status, fields, body) of the next answer, names of fields in lower case; None: the server ended the connection."""
        while b"\r\n\r\n" not in self.kept:
            if not self._read():
                assert self.kept == b"", self.kept
                return None
        head, _, self.kept = self.kept.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        version, status, reason = lines[0].split(" ", 2)
        assert version == "HTTP/1.1" and reason, lines[0]
        fields = {}
        for line in lines[1:]:
            name, value = line.split(": ", 1)
            assert name.lower() not in fields, line
            fields[name.lower()] = value
        status = int(status)
        length = 0 if status == 100 or head_only else int(fields["content-length"])
        while len(self.kept) < length:
            assert self._read(), "the answer is cut"
        body, self.kept = self.kept[:length], self.kept[length:]
        return status, fields, body

    def ended(self):
        """Waits for the end of the connection; False when there came something else."""
        return self.kept == b"" and self._read() == b""

    def gone(self, limit_s=LIMIT_S):
        """Waits until the server has ended the connection, by its end or by a reset, and returns after how long."""
        start = time.monotonic()
        self.socket.settimeout(limit_s)
        try:
            while self._read():
                pass
        except ConnectionError:
            pass
        return time.monotonic() - start


def request(method=b"POST", path=b"/hook", body=b"{}", fields=b"", host=b"Host: test\r\n", version=b"HTTP/1.1",
            length=None):
    """A good request, but for what is given."""
    size = b"Content-Length: %d\r\n" % len(body) if length is None else length
    return b"%b %b %b\r\n%b%b%b\r\n%b" % (method, path, version, host, size, fields, body)


def chunked(*parts, fields=b"", last=b"0\r\n\r\n"):
    """A request whose body comes in these chunks, as they stand."""
    return request(length=b"Transfer-Encoding: chunked\r\n", body=b"".join(parts) + last, fields=fields)


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)
