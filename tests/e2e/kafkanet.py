"""Kafka for the tests: brokers of librdkafka's mock cluster, a network in front of them, and kcat to read what they have."""

import base64
import collections
import json
import os
import re
import ssl
import struct
import subprocess
import threading
from pathlib import Path

import pytest
from conftest import HOLDFAST, wait_until
from netcut import BACK, Proxy
from onbus import bus_gateways

KAFKAMOCK = os.environ.get("KAFKAMOCK_BIN", str(Path(HOLDFAST).parents[2] / "tests/tools/kafkamock"))
TOPIC = "default-default"

EVENT_BUS = """\
---
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: {{name: default}}
spec:
  kafka:
    url: {url}
{kafka}
"""

# `event` is the CloudEvent, `body` what was posted.
Message = collections.namedtuple("Message", "partition offset key event body")


class Cluster:
    """One mock cluster; `port` is that of its first broker."""

    def __init__(self, process, lines):
        self.process, self.lines, self.stdin = process, lines, process.child.stdin
        self.ports = [int(p) for p in re.findall(r":(\d+)", lines()[0])]
        self.port, self.answers = self.ports[0], 0

    def do(self, command):
        self.stdin.write(command.encode() + b"\n")
        self.stdin.flush()
        self.answers += 1
        wait_until(lambda: len(self.lines()) > self.answers, f"an answer to {command!r}")
        assert self.lines()[self.answers] == "ok", (command, self.lines()[self.answers])

    def messages(self, *options):
        """All of them, partition by partition, read by kcat."""
        done = subprocess.run(["kcat", "-q", "-b", f"127.0.0.1:{self.port}", "-C", "-t", TOPIC, "-e", "-J", *options], check=True,
                              capture_output=True, timeout=60)
        found = []
        for line in done.stdout.splitlines():
            m = json.loads(line)
            event = json.loads(m["payload"])
            assert "headers" not in m, "facts 4.3: no headers"
            found.append(Message(m["partition"], m["offset"], m["key"], event, data_of(event)["body"]))
        return found


def data_of(event):
    """The payload of a CloudEvent in its bus form."""
    return json.loads(base64.b64decode(event["data_base64"])) if "data_base64" in event else event["data"]


@pytest.fixture
def kafka(spawn):
    """kafka(partitions=3, brokers=1): a Cluster with the topic default-default."""

    def make(partitions=3, brokers=1, name="kafka"):
        process = spawn(name, [KAFKAMOCK, TOPIC, partitions, brokers], stdin=subprocess.PIPE)

        def lines():
            return [x for x in process.output().splitlines() if re.match(r"brokers |ok$|no: ", x)]

        wait_until(lines, "the brokers listen")
        return Cluster(process, lines)

    return make


class KafkaProxy(Proxy):
    """A Proxy that its broker's metadata leads to: clients never see the port behind it. With a `context` it speaks TLS."""

    def __init__(self, port, target, context=None):
        self.context = context
        self.there = b"127.0.0.1" + struct.pack(">i", target)
        self.here = b"127.0.0.1" + struct.pack(">i", port)
        super().__init__(port, target)

    @property
    def url(self):
        return f"127.0.0.1:{self.port}"

    def _serve(self, client):
        if self.context:
            try:
                client.settimeout(60)
                client = self.context.wrap_socket(client, server_side=True)
                client.settimeout(None)
            except (OSError, ssl.SSLError):
                self._refuse(client)
                return
        super()._serve(client)

    def _pass_on(self, data, sink, direction):
        if direction == BACK:
            data = data.replace(self.there, self.here)
        super()._pass_on(data, sink, direction)


@pytest.fixture
def kafka_network(free_port):
    """kafka_network(cluster, context=None): a KafkaProxy in front of its first broker."""
    proxies = []

    def make(cluster, context=None):
        proxies.append(KafkaProxy(free_port(), cluster.port, context))
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()


class SaslBroker:
    """A broker that wants a login by SASL PLAIN, and passes on what comes after it: `users` is {name: password}.

    It adds SaslHandshake (17) and SaslAuthenticate (36) to what the broker behind it says it can do. One thread for each connection;
    `logins` are the names that came, with whether they were right.
    """

    def __init__(self, port, target, users):
        self.users, self.logins = users, []
        self.proxy = KafkaProxy(port, target)
        self.proxy._pump = self._pump
        self.waiting = {}
        self.lock = threading.Lock()

    url = property(lambda self: self.proxy.url)

    def close(self):
        self.proxy.close()

    @staticmethod
    def frames(source):
        """(api key, version, correlation id, frame) of each request, or of each answer with the first two None."""
        data = b""
        while True:
            while len(data) >= 4 and len(data) >= 4 + struct.unpack(">i", data[:4])[0]:
                size = 4 + struct.unpack(">i", data[:4])[0]
                yield data[:size]
                data = data[size:]
            more = source.recv(1 << 16)
            if not more:
                return
            data += more

    def _pump(self, source, sink, direction):
        try:
            if direction == BACK:
                for frame in self.frames(source):
                    sink.sendall(self.answer(frame).replace(self.proxy.there, self.proxy.here))
            else:
                self.requests(source, sink)
        except OSError:
            pass
        self.proxy._shut(source)
        self.proxy._shut(sink)

    def requests(self, client, server):
        known = False
        for frame in self.frames(client):
            key, version, number = struct.unpack(">hhi", frame[4:12])
            if key == 18:
                with self.lock:
                    self.waiting[number] = version
                server.sendall(frame)
            elif key == 17:
                self.reply(client, number, struct.pack(">hi", 0, 1) + struct.pack(">h", 5) + b"PLAIN")
            elif key == 36:
                known = self.login(client, number, version, frame)
                if not known:
                    return
            elif known:
                server.sendall(frame)
            else:
                return

    def login(self, client, number, version, frame):
        user, password = frame.split(b"\0")[-2:]
        right = self.users.get(user.decode()) == password.decode()
        self.logins.append((user.decode(), right))
        text = b"" if right else b"wrong user or password"
        body = struct.pack(">h", 0 if right else 58) + struct.pack(">h", len(text)) + text + struct.pack(">i", 0)
        self.reply(client, number, body + (struct.pack(">q", 0) if version >= 1 else b""))
        return right

    @staticmethod
    def reply(client, number, body):
        client.sendall(struct.pack(">ii", 4 + len(body), number) + body)

    def answer(self, frame):
        """An answer of the broker; that to ApiVersions names two more."""
        number, = struct.unpack(">i", frame[4:8])
        with self.lock:
            version = self.waiting.pop(number, None)
        if version is None:
            return frame
        more = struct.pack(">hhh", 17, 0, 1), struct.pack(">hhh", 36, 0, 1)
        if version >= 3:
            body = frame[8:10] + bytes([frame[10] + 2]) + more[0] + b"\0" + more[1] + b"\0" + frame[11:]
        else:
            body = frame[8:10] + struct.pack(">i", struct.unpack(">i", frame[10:14])[0] + 2) + b"".join(more) + frame[14:]
        return struct.pack(">ii", 4 + len(body), number) + body


@pytest.fixture
def on_kafka(tmp_path, spawn, free_port):
    """on_kafka(url, kafka="", ...): a BusGateway before Kafka. `kafka`: lines under it, four spaces deep, and what follows."""
    make = bus_gateways(tmp_path, spawn, free_port)
    return lambda url, kafka="", **options: make(EVENT_BUS.format(url=f'"{url}"', kafka=kafka), **options)
