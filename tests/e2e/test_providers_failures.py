"""The same promises for every provider: a good event lies on the bus byte for byte, and whatever is wrong with a request, the disk or
the bus, nobody is told success, nothing is stored, and the gateway goes on (facts argo-events 1, 10, 12)."""

import base64
import collections
import json
import resource
import subprocess
import time

import pytest
import requests
from conftest import HOLDFAST, wait_until
from load import metric
from natsio import Nats
from providers import (FORM, GRID_MESSAGE, JSON, MAX, ROWS, SECRET, SLACK, STANDARD, digest, grid, hub, manifest, payload, slack, sns,
                       stripe)
from rawhttp import Peer, chunk, chunked, request
from test_disk import faults, heal  # noqa: F401
from test_providers_saas import TOPIC, fake_sns  # noqa: F401

ACCEPTED = {"storagegrid": "<PublishResponse"}  # what a stored event is answered with where that is not "success"
BUS = """\
---
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: {{name: default}}
spec: {{jetstreamExotic: {{url: "{url}"}}}}
"""


class All:
    """A gateway with every provider."""

    def __init__(self, gateway, tmp_path, fake, more, bus):
        self.g, self.secrets = gateway, tmp_path / "secrets"
        (self.secrets / "s").mkdir(parents=True)
        (self.secrets / "s/secret").write_text(SECRET + "\n")
        (self.secrets / "s/standard").write_text(STANDARD)
        message = {"Type": "Notification", "MessageId": "22b80b92", "TopicArn": TOPIC, "Subject": "s", "Message": "{\"a\": 1}",
                   "Timestamp": "2012-05-02T00:54:06.655Z", "SignatureVersion": "2", "SigningCertURL": fake.base + "/cert.pem"}
        self.rows = [*ROWS, sns(fake, message, fake.signer.sign)]
        self.g.file.write_text(manifest(self.rows, self.g.port, self.g.admin_port, self.secrets, more) + bus)

    def row(self, name):
        return next(row for row in self.rows if row.name == name)

    def raw(self, data, end=False):
        """(status, text) of these bytes; None when there is no answer."""
        with Peer(self.g.port) as peer:
            peer.send(data)
            if end:
                peer.end()
            answer = peer.answer(head_only=data.startswith(b"HEAD"))
        return answer and (answer[0], answer[2].decode())

    def send(self, row, body=None, fields=None, method=b"POST", **options):
        body = row.body if body is None else body
        fields = row.sign(body) if fields is None else fields
        text = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in fields)
        return self.raw(request(method, b"/" + row.name.encode(), body, text, **options))

    def events(self):
        return len(self.g.events())

    def assert_unharmed(self, stored=0):
        """It is the same process, nothing more is stored, and every provider is still served."""
        assert self.events() == stored
        for row in self.rows:
            assert self.send(row) == (200, good_text(row, self.send(row)[1])), row.name
        assert self.g.process.running() and metric(self.g, "holdfast_requests_in_flight") == 0


def good_text(row, text):
    return text if ACCEPTED.get(row.name, "success") in text and (row.name in ACCEPTED or text == "success") else "success"


@pytest.fixture
def everyone(gateway, tmp_path, fake_sns):  # noqa: F811
    """everyone(more="", ack="spool", url=None): a started gateway with every provider; `more` stands under spec.holdfast."""

    def make(more="", ack="spool", url=None):
        g = gateway()
        lines = f"    ack: {ack}\n" + (f"    dataDir: {g.data}\n" if ack == "spool" else "") + more
        made = All(g, tmp_path, fake_sns, lines, BUS.format(url=url) if url else "")
        g.start()
        return made

    return make


def is_success(row, answer):
    return answer is not None and answer[0] == 200 and ACCEPTED.get(row.name, "success") in answer[1]


# ---- good ones, on the bus ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ack", ["spool", "bus"])
def test_one_good_event_of_each_lies_on_the_bus_byte_for_byte(everyone, nats, ack):
    server = nats()
    a = everyone(ack=ack, url=server.url)
    sent = []
    for row in a.rows:
        fields = row.sign(row.body)
        before = time.time()
        assert is_success(row, a.send(row, fields=fields)), row.name
        assert is_success(row, a.send(row, fields=fields)) or row.id is None, f"{row.name} again"
        sent += [(row, payload(row, fields), before)] * (1 if row.id or row.name in ("slack", "storagegrid") else 2)

    def messages():
        with Nats(server.port) as bus:
            return bus.messages() if bus.stream() else []

    wait_until(lambda: len(messages()) >= len(sent), "all are on the bus")
    got = messages()
    assert len(got) == len(sent)
    for message, (row, expected, before) in zip(got, sent, strict=True):
        assert base64.b64decode(message.event["data_base64"], validate=True) == expected, row.name
        event = message.event
        assert list(event) == ["specversion", "id", "source", "type", "subject", "datacontenttype", "time", "data_base64"]
        assert (event["specversion"], event["source"], event["subject"], event["type"], event["datacontenttype"]) == (
            "1.0", "all", row.name, row.kind.lower(), "application/json")
        assert message.subject == f"default.all.{row.name}"
        assert row.id in (None, event["id"]) and message.msg_id
        assert SECRET.encode() not in expected, row.name


# ---- the disk and the bus -------------------------------------------------------------------------------------------------


def stored_ids(a):
    """{name of the event: [id, ...]} of what is stored."""
    out = subprocess.run([HOLDFAST, "tail", "--data-dir", a.g.data, "--json"], check=True, capture_output=True, timeout=60).stdout
    found = collections.defaultdict(list)
    for line in out.splitlines():
        event = json.loads(line)["event"]
        found[event["subject"]].append(event["id"])
    return found


class Full:
    """No file of the gateway can grow."""

    def __init__(self, a, _):
        self.pid = a.g.process.pid
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def heal(self):
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


class Broken:
    """What is written does not reach the disk."""

    def __init__(self, a, faults):  # noqa: F811
        self.strace = faults(a.g, "fsync,fdatasync:error=EIO")

    def heal(self):
        heal(self.strace)


@pytest.mark.parametrize("disk", [Full, Broken])
def test_without_a_disk_nobody_is_told_success(everyone, faults, disk):  # noqa: F811
    a = everyone()
    bad = disk(a, faults)
    for row in a.rows:
        answer = a.send(row)
        assert answer[0] == 503 and "success" not in answer[1] and "PublishResponse" not in answer[1], (row.name, answer)
    assert disk is Broken or a.events() == 0
    bad.heal()
    wait_until(a.g.ready, "it takes events again")
    for row in a.rows:
        assert is_success(row, a.send(row)), row.name
    found = stored_ids(a)
    for row in a.rows:
        assert len(found[row.name]) == 1 or (row.id is None and disk is Broken), row.name
        assert row.id in (None, found[row.name][0]), row.name


def test_while_the_bus_is_away_nobody_is_told_success(everyone, nats):
    server = nats()
    a = everyone(ack="bus", url=server.url)
    server.kill()
    wait_until(lambda: metric(a.g, "holdfast_bus_connected") == 0, "the bus is away")
    for row in a.rows:
        assert a.send(row) == (500, "failed to record event"), row.name
    server.restart()
    wait_until(lambda: metric(a.g, "holdfast_bus_connected") == 1, "the bus is there again")
    for row in a.rows:
        assert is_success(row, a.send(row)), row.name
    with Nats(server.port) as bus:
        subjects = collections.Counter(m.subject for m in bus.messages())
    assert subjects == {f"default.all.{row.name}": 1 for row in a.rows}
