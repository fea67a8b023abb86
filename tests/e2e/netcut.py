"""A TCP proxy that can be a bad network: cut, a black hole in one or both directions, a slow link."""

import socket
import threading
import time

OUT, BACK = "out", "back"  # toward the server, toward the client


class Proxy:
    """Listens on `port` and passes on to `target` of 127.0.0.1.

    refused   connections that found the network cut or the server away
    passed    bytes that went through, of each direction
    """

    def __init__(self, port, target):
        self.port, self.target = port, target
        self.changed = threading.Condition()
        self.is_cut, self.held, self.rate = False, frozenset(), None
        self.on_bytes = None  # called with direction and data before they are passed on
        self.refused, self.passed = 0, {OUT: 0, BACK: 0}
        self.sockets = set()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.port}"

    # ---- the state of the network ----

    def cut(self):
        """Every connection breaks, and new ones are closed as soon as they come."""
        with self.changed:
            self.is_cut = True
            sockets, self.sockets = self.sockets, set()
            self.changed.notify_all()
        for s in sockets:
            self._shut(s)

    def blackhole(self, *directions):
        """Nothing passes in these directions (both, when none is named); nothing is closed either."""
        with self.changed:
            self.held = frozenset(directions or (OUT, BACK))

    def slow(self, bytes_per_s):
        """All passes, but not more than this."""
        self.open()
        self.rate = bytes_per_s

    def open(self):
        """All is well; what was held back goes on."""
        with self.changed:
            self.is_cut, self.held, self.rate = False, frozenset(), None
            self.changed.notify_all()

    def close(self):
        """The end: also the listener goes."""
        self._shut(self.listener)
        self.listener.close()
        self.cut()

    # ---- its threads ----

    @staticmethod
    def _shut(s):
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
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            if self.is_cut:
                raise ConnectionError
            server = socket.create_connection(("127.0.0.1", self.target), 5)
            server.settimeout(None)
        except OSError:
            self._refuse(client)
            return
        for s in (client, server):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.changed:
            is_cut = self.is_cut
            if not is_cut:
                self.sockets |= {client, server}
        if is_cut:  # meanwhile
            server.close()
            self._refuse(client)
            return
        back = threading.Thread(target=self._pump, args=(server, client, BACK), daemon=True)
        back.start()
        self._pump(client, server, OUT)
        back.join()
        with self.changed:
            self.sockets -= {client, server}
        client.close()
        server.close()

    def _refuse(self, client):
        with self.changed:
            self.refused += 1
        client.close()

    def _pump(self, source, sink, direction):
        try:
            while True:
                data = source.recv(1 << 16)
                with self.changed:
                    self.changed.wait_for(lambda: direction not in self.held or self.is_cut)
                if not data or self.is_cut:
                    break
                self._pass_on(data, sink, direction)
        except OSError:
            pass
        self._shut(source)
        self._shut(sink)

    def _pass_on(self, data, sink, direction):
        while data:
            part = data[:max(1, self.rate // 50)] if self.rate else data
            if self.rate:
                time.sleep(len(part) / self.rate)
            if self.on_bytes:
                self.on_bytes(direction, part)
            sink.sendall(part)
            self.passed[direction] += len(part)
            data = data[len(part):]


# ---- what can happen to a network: each begins it for the link to a server, and returns how it ends ----------------------

def cut(_, link):
    link.cut()
    return link.open


def black_hole(_, link):
    link.blackhole()
    return link.open


def acks_lost(_, link):
    link.blackhole(BACK)
    return link.open


def slow(_, link):
    link.slow(8_000)
    return link.open


NETWORK_OUTAGES = [cut, black_hole, acks_lost, slow]
