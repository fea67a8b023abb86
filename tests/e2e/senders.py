"""Threads that post webhooks, one request at a time each, and remember every answer."""

import collections
import http.client
import json
import threading
import time

import pytest
from conftest import wait_until

PAUSE_S = 0.003  # between two requests of a thread, so that 500 at once is no busy loop

# `id` is in the body; status None: no answer.
Answer = collections.namedtuple("Answer", "route id status text took_s")


class Senders:
    """`each` threads for each of `routes` (the names of endpoints) on `port`. `pad`: bytes in each body."""

    def __init__(self, port, routes=("example",), each=8, pad=50, timeout_s=90, pause_s=PAUSE_S):
        self.port, self.pad, self.timeout_s, self.pause_s = port, "x" * pad, timeout_s, pause_s
        self.answers = []  # appended by all: list.append is atomic
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(route, f"{route}{i}"), daemon=True)
                        for route in routes for i in range(each)]
        for thread in self.threads:
            thread.start()

    def _run(self, route, name):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout_s)
        n = 0
        while not self.ended.is_set():
            n += 1
            self.answers.append(self._post(connection, route, f"{name}-{n:06d}"))
            self.ended.wait(self.pause_s)
        connection.close()

    def _post(self, connection, route, own_id):
        body = json.dumps({"id": own_id, "pad": self.pad})
        start = time.monotonic()
        try:
            connection.request("POST", "/" + route, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            status, text = response.status, response.read().decode()
        except (OSError, http.client.HTTPException):
            connection.close()
            status, text = None, ""
        return Answer(route, own_id, status, text, time.monotonic() - start)

    def ids(self, *statuses):
        """What was answered so, in order of the answers of each thread."""
        return [a.id for a in self.answers if a.status in statuses]

    def wait_for(self, status, more=100, limit_s=90.0):
        """Until `more` further requests are answered so."""
        at, found = len(self.answers), 0

        def enough():
            nonlocal at, found
            new = self.answers[at:]
            at, found = at + len(new), found + sum(a.status == status for a in new)
            return found >= more

        wait_until(enough, f"{more} more answers {status}", limit_s)

    def stop(self):
        self.ended.set()
        for thread in self.threads:
            thread.join(self.timeout_s + 5)
            assert not thread.is_alive()
        return self


@pytest.fixture
def senders():
    """senders(port, ...): Senders that end with the test."""
    started = []

    def start(*args, **options):
        started.append(Senders(*args, **options))
        return started[-1]

    yield start
    for s in started:
        s.stop()
