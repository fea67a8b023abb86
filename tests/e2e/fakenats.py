"""A NATS server that lies: it speaks enough of the protocol to be published to, and answers publishes as it is told."""

import json
import os
import socket
import threading
import time

STREAM = {"type": "io.nats.jetstream.api.v1.stream_info_response", "created": "2026-01-01T00:00:00Z",
          "config": {"name": "default", "subjects": ["default.*.*"], "retention": "limits", "max_consumers": -1, "max_msgs": -1,
                     "max_bytes": -1, "max_age": 0, "max_msgs_per_subject": -1, "max_msg_size": -1, "discard": "old",
                     "storage": "file", "num_replicas": 1, "duplicate_window": 120000000000},
          "state": {"messages": 0, "bytes": 0, "first_seq": 0, "first_ts": "0001-01-01T00:00:00Z", "last_seq": 0,
                    "last_ts": "0001-01-01T00:00:00Z", "consumer_count": 0}}


class FakeNats:
    """`on_publish(n)`: the payload that answers the n-th publish; None: no answer; CLOSE: the connection ends.

    api       {subject: answer} of other requests; one that is not there has no responders
    published what came, payloads
    max_bytes bytes of each connection after which it is closed
    """

    CLOSE = object()

    def __init__(self, port, on_publish, sync=None, max_bytes=None, info=None):
        self.on_publish, self.max_bytes = on_publish, max_bytes
        self.published, self.sockets, self.lock = [], set(), threading.Lock()
        self.info = {"server_id": "FAKE", "server_name": "fake", "version": "2.99.0", "proto": 1, "headers": True,
                     "host": "127.0.0.1", "port": port, "max_payload": 1048576, "jetstream": True, **(info or {})}
        self.api = {"$JS.API.STREAM.INFO.default": STREAM}
        if sync is not None:
            self.api["$SYS.REQ.SERVER.PING.JSZ"] = {"server": {"name": "fake"}, "data": {"config": sync}}
        self.listener = self._listen(port)
        threading.Thread(target=self._accept, daemon=True).start()

    @staticmethod
    def _listen(port):
        while True:
            try:
                return socket.create_server(("127.0.0.1", port))
            except OSError:  # a server that was just stopped has not let go of it yet
                time.sleep(0.01)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            for s in self.sockets:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.sockets.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            client.sendall(b"INFO " + json.dumps(self.info).encode() + b"\r\n")
            with client.makefile("rb") as lines:
                self._talk(client, lines)
        except (OSError, ValueError):
            pass
        with self.lock:
            self.sockets.discard(client)
        client.close()

    def _talk(self, client, lines):
        subscriptions, read = {}, 0
        for line in lines:
            words = line.split()
            read += len(line)
            if not words:
                continue
            if words[0] == b"PING":
                client.sendall(b"PONG\r\n")
            elif words[0] == b"SUB":
                subscriptions[words[1].decode()] = words[-1].decode()
            elif words[0] in (b"PUB", b"HPUB"):
                payload = lines.read(int(words[-1]) + 2)[:-2]
                read += len(payload)
                head = int(words[-2]) if words[0] == b"HPUB" else 0
                reply = words[2].decode() if len(words) > (4 if head else 3) else None
                if not self._answer(client, subscriptions, words[1].decode(), reply, payload[head:]):
                    return
            if self.max_bytes and read > self.max_bytes:
                return

    def _answer(self, client, subscriptions, subject, reply, payload):
        if subject.startswith("default."):
            with self.lock:
                self.published.append(payload)
                answer = self.on_publish(len(self.published))
            if answer is FakeNats.CLOSE:
                return False
        else:
            answer = json.dumps(self.api[subject]).encode() if subject in self.api else b"\0"
        sid = next((sid for pattern, sid in subscriptions.items()
                    if reply == pattern or (reply and pattern.endswith(".*") and reply.rsplit(".", 1)[0] == pattern[:-2])), None)
        if sid is None or answer is None:
            return True
        if answer == b"\0":  # no responders
            client.sendall(f"HMSG {reply} {sid} 16 16\r\nNATS/1.0 503\r\n\r\n\r\n".encode())
        else:
            client.sendall(f"MSG {reply} {sid} {len(answer)}\r\n".encode() + answer + b"\r\n")
        return True


def noise(n):
    """`n` bytes of nothing in particular."""
    return os.urandom(n).hex().encode()[:n]
