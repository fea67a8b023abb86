"""A small NATS client on a raw socket: what the tests ask a server, independent of the library under test."""

import base64
import collections
import json
import os
import socket


class NatsError(Exception):
    """The server said -ERR, or the JetStream API an error; `code` is its err_code."""

    def __init__(self, text, code=0):
        super().__init__(text)
        self.code = code


class Message(collections.namedtuple("Message", "seq subject headers data")):
    """A message of a stream; headers: [(name, value), ...] as they came."""

    @property
    def event(self):
        return json.loads(self.data)

    @property
    def msg_id(self):
        return dict(self.headers).get("Nats-Msg-Id")

    @property
    def payload(self):
        """What the webhook source made of the request."""
        return json.loads(base64.b64decode(self.event["data_base64"], validate=True))

    @property
    def body(self):
        return self.payload["body"]


def read_headers(block):
    """[(name, value), ...] of a NATS header block."""
    if not block:
        return []
    lines = block.decode().split("\r\n")
    assert lines[0].startswith("NATS/1.0") and lines[-2:] == ["", ""], block
    return [tuple(line.split(":", 1)[i].strip() for i in (0, 1)) for line in lines[1:-2]]


class Nats:
    """One connection. `login`: user and pass, or auth_token; `sign`: makes more of it from the server's nonce.
    `tls`: an ssl.SSLContext to upgrade with.
    """

    def __init__(self, port, host="127.0.0.1", tls=None, sign=None, **login):
        self.socket = socket.create_connection((host, port), 60)
        self.unread = b""
        self.info = json.loads(self._line().split(b" ", 1)[1])
        if sign:
            login = {**login, **sign(self.info["nonce"])}
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=host)
        self.inbox = "_INBOX." + os.urandom(11).hex()
        self.asked = 0
        options = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True, "protocol": 1,
                   "lang": "test", "version": "1", "name": "test", **login}
        self._send(b"CONNECT " + json.dumps(options).encode() + b"\r\nPING\r\n")
        self._until_pong()
        self._send(f"SUB {self.inbox}.* 1\r\n".encode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    # ---- the protocol ----

    def _send(self, data):
        self.socket.sendall(data)

    def _more(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.unread += data

    def _line(self):
        while b"\r\n" not in self.unread:
            self._more()
        line, self.unread = self.unread.split(b"\r\n", 1)
        return line

    def _bytes(self, n):
        while len(self.unread) < n + 2:
            self._more()
        data, self.unread = self.unread[:n], self.unread[n + 2:]
        return data

    def _operation(self):
        """The next message as (subject, header block, payload), or the text of another operation."""
        line = self._line()
        words = line.split(b" ")
        if words[0] == b"MSG":
            return words[1].decode(), b"", self._bytes(int(words[-1]))
        if words[0] == b"HMSG":
            head, total = int(words[-2]), int(words[-1])
            data = self._bytes(total)
            return words[1].decode(), data[:head], data[head:]
        if words[0] == b"PING":
            self._send(b"PONG\r\n")
        if words[0] == b"-ERR":
            raise NatsError(line.decode())
        return line

    def _until_pong(self):
        while self._operation() != b"PONG":
            pass

    def request_many(self, requests):
        """[(subject, payload), ...]: their answers in order, asked all at once."""
        first = self.asked
        self.asked += len(requests)
        self._send(b"".join(f"PUB {subject} {self.inbox}.{first + i} {len(payload)}\r\n".encode() + payload + b"\r\n"
                            for i, (subject, payload) in enumerate(requests)))
        answers = {}
        while len(answers) < len(requests):
            got = self._operation()
            if isinstance(got, tuple):
                subject, head, payload = got
                if head.startswith(b"NATS/1.0 503"):
                    raise NatsError("no responders")
                answers[int(subject.rsplit(".", 1)[1]) - first] = payload
        return [answers[i] for i in range(len(requests))]

    def request(self, subject, payload=b""):
        return self.request_many([(subject, payload)])[0]

    def publish(self, subject, payload, headers=()):
        """A publish to a stream; returns its answer."""
        head = "NATS/1.0\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers) + "\r\n"
        reply = f"{self.inbox}.{self.asked}"
        self.asked += 1
        self._send(f"HPUB {subject} {reply} {len(head)} {len(head) + len(payload)}\r\n{head}".encode() + payload + b"\r\n")
        while not isinstance(got := self._operation(), tuple):
            pass
        return json.loads(got[2])

    # ---- JetStream ----

    def api(self, name, /, **body):
        answer = json.loads(self.request("$JS.API." + name, json.dumps(body).encode() if body else b""))
        if "error" in answer:
            raise NatsError(answer["error"]["description"], answer["error"].get("err_code", 0))
        return answer

    def stream(self, name="default"):
        """{"config": .., "state": ..}, or None when there is no such stream."""
        try:
            return self.api(f"STREAM.INFO.{name}")
        except NatsError as e:
            if e.code == 10059:
                return None
            raise

    def create_stream(self, name="default", subjects=("default.*.*",), **config):
        return self.api(f"STREAM.CREATE.{name}", name=name, subjects=list(subjects), **config)

    def delete_stream(self, name="default"):
        return self.api(f"STREAM.DELETE.{name}")

    def purge_stream(self, name="default"):
        return self.api(f"STREAM.PURGE.{name}")

    def count(self, name="default"):
        info = self.stream(name)
        return info["state"]["messages"] if info else 0

    def messages(self, name="default"):
        """Every message of a stream, in order."""
        state = self.stream(name)["state"]
        found = []
        for first in range(max(state["first_seq"], 1), state["last_seq"] + 1, 500):  # an empty stream begins at 0
            numbers = range(first, min(first + 500, state["last_seq"] + 1))
            asked = [(f"$JS.API.STREAM.MSG.GET.{name}", b'{"seq":%d}' % n) for n in numbers]
            for answer in map(json.loads, self.request_many(asked)):
                if answer.get("error", {}).get("err_code") == 10037:
                    continue  # deleted
                m = answer["message"]
                found.append(Message(m["seq"], m["subject"], read_headers(base64.b64decode(m.get("hdrs", ""))),
                                     base64.b64decode(m.get("data", ""))))
        return found
