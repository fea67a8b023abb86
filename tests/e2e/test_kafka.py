"""Kafka brokers that go away, freeze, are cut off, refuse or are slow: no false 200, nothing lost, in order.

The mock brokers do not look at the numbers of an idempotent producer, so what is sent again without an ack may stand in the
topic twice here; a real broker drops it while the producer lives.
"""

import json
import os
import signal
import ssl
import subprocess

import pytest
from conftest import HOLDFAST, wait_until
from kafkanet import SaslBroker, data_of, kafka, kafka_network, on_kafka  # noqa: F401
from load import metric
from netcut import NETWORK_OUTAGES, slow
from onbus import SLACK_S, assert_answers, assert_nothing_lost
from senders import senders  # noqa: F401
from test_nats_access import certificates, secrets, tls  # noqa: F401


# ---- what can happen to a broker: each begins it and returns how it ends ------------------------------------------------

def down(cluster, _):
    cluster.do("down")
    return lambda: cluster.do("up")


def frozen(cluster, _):
    cluster.process.send(signal.SIGSTOP)
    return lambda: cluster.process.send(signal.SIGCONT)


OUTAGES = [down, frozen, *NETWORK_OUTAGES]
by_name = {"ids": lambda outage: outage.__name__}
ROUTES = ("a", "b")


def firsts(messages, key):
    """The ids of one route in the order in which the topic first had them; all in one partition."""
    mine = [m for m in messages if m.key == key]
    assert len({m.partition for m in mine}) <= 1, "a key has one partition"
    return list(dict.fromkeys(m.body["id"] for m in mine))


def assert_order_of_store(g, messages, routes):
    for route in routes:
        stored = [body_id for _, body_id in g.stored(route)]
        topic = firsts(messages, f"hooks.{route}")
        assert topic == stored, next((i, a, b) for i, (a, b) in enumerate(zip(topic, stored, strict=False)) if a != b)


# ---- what a Sensor reads ------------------------------------------------------------------------------------------------

def test_key_and_value_are_those_of_argo_events_and_there_are_no_headers(kafka, on_kafka):
    cluster = kafka()
    g = on_kafka(f"127.0.0.1:{cluster.port}", ack="bus", deadline_s=60).start()
    assert g.post_to("example", '{"id": "1"}', headers={"Content-Type": "application/json"}).status_code == 200
    message, = cluster.messages()
    assert message.key == "hooks.example"
    event = message.event
    assert {k: event[k] for k in ("specversion", "source", "type", "subject", "datacontenttype")} == {
        "specversion": "1.0", "source": "hooks", "type": "webhook", "subject": "example", "datacontenttype": "application/json"}
    assert data_of(event)["body"] == {"id": "1"} and data_of(event)["header"]["Content-Type"] == ["application/json"]


@pytest.mark.parametrize("partitioner, spread", [("hash", 1), ("manual", 1), ("roundrobin", 4), ("random", 2)])
def test_partitioners(partitioner, spread, kafka, on_kafka):
    cluster = kafka(partitions=4)
    g = on_kafka(f"127.0.0.1:{cluster.port}", ack="bus", kafka=f"    partitioner: {partitioner}\n", deadline_s=60).start()
    for n in range(40):
        assert g.post_to("example", '{"id":"%d"}' % n).status_code == 200
    messages = cluster.messages()
    assert len(messages) == 40
    partitions = {m.partition for m in messages}
    assert len(partitions) >= spread and (spread > 1 or len(partitions) == 1)
    if partitioner == "manual":
        assert partitions == {0}
    if partitioner == "hash":
        assert partitions == {fnv1a(b"hooks.example") % 4}, "as sarama's hash partitioner"


def fnv1a(key):
    """As sarama: the hash as a signed 32-bit number, without its sign."""
    h = 0x811C9DC5
    for byte in key:
        h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return h if h < 1 << 31 else (1 << 32) - h


# ---- ack: bus -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("outage", OUTAGES, **by_name)
def test_bus_mode_answers_200_only_for_what_is_in_the_topic_and_all_in_time(outage, kafka, kafka_network, on_kafka, senders):
    cluster = kafka()
    link = kafka_network(cluster)
    g = on_kafka(link.url, ack="bus").start()
    load = senders(g.port, pad=500)
    load.wait_for(200)
    end = outage(cluster, link)
    load.wait_for(500, more=30)
    end()
    load.wait_for(200)
    load.stop()
    assert g.process.stop() == 0
    assert_answers(load)
    assert_nothing_lost(load, cluster.messages(), "topic")


def test_bus_mode_without_brokers_is_not_ready_and_refuses_at_once(kafka, kafka_network, on_kafka, spawn):
    cluster = kafka()
    link = kafka_network(cluster)
    link.cut()
    g = on_kafka(link.url, ack="bus", deadline_s=60)
    g.process = spawn("gateway", [HOLDFAST, "gateway", "-f", g.file])
    wait_until(lambda: g.post_to("example", "{}").status_code == 500, "it listens")
    assert g.post_to("example", "{}", timeout=50).text == "failed to record event", "it does not wait for its deadline"
    assert not g.ready()
    wait_until(lambda: g.says("not connected; trying again until it is"), "the log says so")
    link.open()
    wait_until(g.ready, "ready when the broker is there")
    assert g.post_to("example", '{"id":"1"}').status_code == 200
    assert [m.body for m in cluster.messages()] == [{"id": "1"}]


def test_a_gateway_ends_in_time_while_its_brokers_are_a_black_hole(kafka, kafka_network, on_kafka, senders):
    cluster = kafka()
    link = kafka_network(cluster)
    g = on_kafka(link.url, events={"a": "spool", "b": "bus"}).start().wait_for_bus()
    load = senders(g.port, ROUTES, each=4)
    load.wait_for(200)
    link.blackhole()
    load.wait_for(500, more=5)
    assert g.process.stop() == 0
    load.stop()
    link.open()
    g.start().drain()
    messages = cluster.messages()
    assert_nothing_lost(load, messages, "topic")
    assert_order_of_store(g, messages, ["a"])


def test_a_stop_lets_what_is_on_its_way_arrive(kafka, kafka_network, on_kafka, senders):
    cluster = kafka()
    g = on_kafka(f"127.0.0.1:{cluster.port}", ack="bus", deadline_s=60).start()
    cluster.do("rtt 300")
    load = senders(g.port, each=20, pause_s=1)
    wait_until(lambda: metric(g, "holdfast_bus_in_flight") >= 10, "publishes are on their way")
    assert g.process.stop() == 0
    load.stop()
    assert {a.status for a in load.answers} <= {200, None, 503}
    assert load.ids(200)
    assert_nothing_lost(load, cluster.messages(), "topic")


# ---- ack: spool ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("outage", OUTAGES, **by_name)
def test_spool_mode_answers_200_all_the_time_and_all_arrives_in_order(outage, kafka, kafka_network, on_kafka, senders):
    cluster = kafka()
    link = kafka_network(cluster)
    g = on_kafka(link.url, events=ROUTES).start().wait_for_bus()
    load = senders(g.port, ROUTES, each=4)
    load.wait_for(200)
    end = outage(cluster, link)
    wait_until(lambda: g.waiting() > 0, "events wait")
    if outage is not slow:
        wait_until(lambda: metric(g, "holdfast_forwarder_failed_total") > 0 or not g.bus_up(), "the outage is noticed")
    load.wait_for(200, more=200)
    end()
    load.wait_for(200)
    load.stop()
    g.drain()
    assert {a.status for a in load.answers} == {200}
    assert_answers(load)
    messages = cluster.messages()
    assert_nothing_lost(load, messages, "topic")
    assert_order_of_store(g, messages, ROUTES)
    assert g.process.stop() == 0


def test_an_outage_is_one_line_in_the_log_and_its_end_another(kafka, kafka_network, on_kafka):
    cluster = kafka()
    link = kafka_network(cluster)
    g = on_kafka(link.url).start().wait_for_bus()
    link.cut()
    wait_until(lambda: g.says("not connected; trying again until it is"), "the log says so")
    refused = link.refused
    wait_until(lambda: link.refused >= refused + 8, "several tries")
    assert g.post_to("example", '{"id":"1"}').status_code == 200
    link.open()
    g.drain()
    for text, times in (("connection lost; connecting again", 1), ('"connected"', 2)):
        assert g.says(text) == times, (text, g.process.output())
    assert g.says("not connected; trying again") <= 2, "a reason that changes is news"
    assert metric(g, "holdfast_bus_reconnects_total") == 1


def test_several_brokers_that_are_away_are_one_line_in_the_log(on_kafka, free_port):
    away = sorted(f"127.0.0.1:{free_port()}" for _ in range(3))
    g = on_kafka(",".join(away)).start(env={**os.environ, "LOG_LEVEL": "debug"})

    def tries(broker):
        return sum(x["logger"] == "librdkafka" and broker in x["msg"] for x in g.log())

    wait_until(lambda: min(map(tries, away)) >= 12, "several tries at each")
    lines = [x["error"] for x in g.log() if "not connected; trying again" in x["msg"]]
    assert len(lines) <= 2 and lines[-1].startswith(away[0]), lines


def test_kills_of_the_gateway_in_the_outage_and_in_the_drain(kafka, kafka_network, on_kafka, senders):
    cluster = kafka()
    link = kafka_network(cluster)
    g = on_kafka(link.url, events=ROUTES).start().wait_for_bus()
    load = senders(g.port, ROUTES, each=4)
    load.wait_for(200)
    link.cut()
    load.wait_for(200, more=300)
    g.process.kill()
    g.start()
    load.wait_for(200, more=300)
    link.slow(60_000)
    wait_until(lambda: 0 < len(cluster.messages()) and g.waiting() > 0, "it drains")
    g.process.kill()
    g.start()
    load.wait_for(200)
    load.stop()
    link.open()
    g.drain()
    messages = cluster.messages()
    assert_nothing_lost(load, messages, "topic")
    assert_order_of_store(g, messages, ROUTES)


def test_a_partition_without_a_leader_holds_only_its_own_routes(kafka, on_kafka):
    cluster = kafka(partitions=2)
    names = ["r0", "r1", "r2", "r3"]
    where = {n: fnv1a(f"hooks.{n}".encode()) % 2 for n in names}
    assert set(where.values()) == {0, 1}, "routes in both partitions"
    g = on_kafka(f"127.0.0.1:{cluster.port}", events=names).start().wait_for_bus()
    for n in names:
        assert g.post_to(n, '{"id":"%s-0"}' % n).status_code == 200
    g.drain()
    cluster.do("leader 0 -1")
    for i in range(1, 6):
        for n in names:
            assert g.post_to(n, '{"id":"%s-%d"}' % (n, i)).status_code == 200
    well = [n for n in names if where[n] == 1]
    wait_until(lambda: all(len(firsts(cluster.messages("-p", "1"), f"hooks.{n}")) == 6 for n in well), "the other partition takes all")
    wait_until(lambda: metric(g, "holdfast_forwarder_failed_total") > 0, "the events of partition 0 come back")
    assert g.waiting() >= 5 * (len(names) - len(well))
    cluster.do("leader 0 1")
    g.drain()
    assert_order_of_store(g, cluster.messages(), names)


# ---- what a broker refuses ----------------------------------------------------------------------------------------------

def dead(g):
    out = subprocess.run([HOLDFAST, "dead", "list", "--data-dir", g.data, "--json"], check=True, capture_output=True,
                         timeout=60).stdout
    return [json.loads(line) for line in out.splitlines()]


def test_what_is_larger_than_a_message_may_be_becomes_a_dead_letter_and_the_rest_goes_on(kafka, on_kafka):
    cluster = kafka()
    g = on_kafka(f"127.0.0.1:{cluster.port}", kafka="  holdfast: {maxMessageBytes: 2000}\n").start().wait_for_bus()
    for own_id, pad in (("1", 10), ("2", 4000), ("3", 10)):
        assert g.post_to("example", json.dumps({"id": own_id, "pad": "x" * pad})).status_code == 200
    g.drain()
    assert [m.body["id"] for m in cluster.messages()] == ["1", "3"]
    letter, = dead(g)
    assert "maxMessageBytes is 2000" in json.dumps(letter)


def test_in_bus_mode_what_is_too_large_is_refused(kafka, on_kafka):
    cluster = kafka()
    g = on_kafka(f"127.0.0.1:{cluster.port}", ack="bus", kafka="  holdfast: {maxMessageBytes: 2000}\n", deadline_s=60).start()
    assert g.post_to("example", json.dumps({"id": "1", "pad": "x" * 4000})).status_code == 413
    assert g.post_to("example", '{"id":"2"}').status_code == 200
    assert [m.body["id"] for m in cluster.messages()] == ["2"]


# What is behind a refused batch a broker refuses as well, for its sequence; the mock takes it. So nothing is sent behind one.
TOO_LARGE, INVALID_RECORD = 10, 87


@pytest.mark.parametrize("code", [TOO_LARGE, INVALID_RECORD])
def test_a_batch_that_is_refused_condemns_none_of_its_events(code, kafka, on_kafka):
    """The broker refuses the batch as a whole: each event is sent again alone, and only what is refused then is set aside."""
    cluster = kafka(partitions=1)
    g = on_kafka(f"127.0.0.1:{cluster.port}").start().wait_for_bus()
    cluster.do(f"refuse {code} 1")
    assert g.post_to("example", '{"id":"0"}').status_code == 200
    wait_until(lambda: g.says("the broker refused a batch"), "it is refused")
    for n in range(1, 5):
        assert g.post_to("example", '{"id":"%d"}' % n).status_code == 200
    g.drain()
    assert firsts(cluster.messages(), "hooks.example") == ["0", "1", "2", "3", "4"]
    assert dead(g) == []
    assert g.says("the broker refused a batch; sending one event at a time") == 1
    cluster.do(f"refuse {code} 1")
    assert g.post_to("example", '{"id":"bad"}').status_code == 200
    wait_until(lambda: len(dead(g)) == 1, "the one that came alone is set aside")
    assert g.post_to("example", '{"id":"good"}').status_code == 200
    g.drain()
    assert firsts(cluster.messages(), "hooks.example")[-1] == "good"


NOT_ENOUGH_REPLICAS, NOT_AUTHORISED = 19, 29


@pytest.mark.parametrize("code, count", [(NOT_ENOUGH_REPLICAS, 3), (NOT_AUTHORISED, 1)])
def test_what_is_refused_for_a_while_is_sent_again_in_order(code, count, kafka, on_kafka):
    cluster = kafka()
    g = on_kafka(f"127.0.0.1:{cluster.port}").start().wait_for_bus()
    cluster.do(f"refuse {code} {count}")
    assert g.post_to("example", '{"id":"0"}').status_code == 200
    if code == NOT_AUTHORISED:
        wait_until(lambda: g.says("a route's events are not taken; they wait"), "it is refused")
    else:
        g.drain()  # the library tries again by itself
    for n in range(1, 20):
        assert g.post_to("example", '{"id":"%d"}' % n).status_code == 200
    g.drain()
    assert firsts(cluster.messages(), "hooks.example") == [str(n) for n in range(20)]
    assert dead(g) == []


def test_a_topic_that_is_not_there_is_named_and_waited_for(kafka, on_kafka):
    cluster = kafka()
    cluster.do("topic 3")
    g = on_kafka(f"127.0.0.1:{cluster.port}").start()
    wait_until(lambda: g.says('there is no topic \\"default-default\\"'), "the log names it")
    assert g.post_to("example", '{"id":"1"}').status_code == 200
    assert not g.bus_up()
    cluster.do("topic 0")
    g.drain()
    assert [m.body["id"] for m in cluster.messages()] == ["1"]


# ---- who may talk to whom -----------------------------------------------------------------------------------------------

def tls_context(certificates, verify=False):  # noqa: F811
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.crt", certificates / "server.key")
    if verify:
        context.load_verify_locations(certificates / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


TRUSTED = {
    "its own authority": ({"ca": "ca"}, False),
    "its own authority and a client certificate": ({"ca": "ca", "client": True}, True),
    "no check": ({"insecure": True}, False),
}


@pytest.mark.parametrize("name", TRUSTED)
def test_tls(name, kafka, kafka_network, on_kafka, tls, certificates):  # noqa: F811
    options, verify = TRUSTED[name]
    cluster = kafka()
    link = kafka_network(cluster, tls_context(certificates, verify))
    g = on_kafka(link.url, ack="bus", kafka=tls(**options), deadline_s=60).start()
    assert g.post_to("example", '{"id":"1"}').status_code == 200
    assert [m.body["id"] for m in cluster.messages()] == ["1"]


REFUSED = {
    "another authority": ({"ca": "other-ca"}, False),
    "the system's authorities": ({}, False),
    "no client certificate": ({"ca": "ca"}, True),
}


@pytest.mark.parametrize("name", REFUSED)
def test_tls_that_does_not_hold_is_refused_and_what_is_stored_waits(name, kafka, kafka_network, on_kafka, tls, certificates):  # noqa: F811
    options, verify = REFUSED[name]
    link = kafka_network(kafka(), tls_context(certificates, verify))
    g = on_kafka(link.url, kafka=tls(**options)).start()
    wait_until(lambda: g.says("not connected; trying again until it is"), "the log says so")
    assert g.post_to("example", '{"id":"1"}').status_code == 200
    assert not g.bus_up() and g.waiting() == 1
    line = next(x for x in g.log() if "not connected" in x["msg"])
    assert "SSL" in line["error"] or "ertificate" in line["error"], line
    assert "in state" not in line["error"], "how long a try took is no reason, and a reason that changes is news"


SASL = """\
    sasl:
      mechanism: PLAIN
      userSecret: {name: bus, key: user}
      passwordSecret: {name: bus, key: password}
"""


def test_a_login_from_its_files_also_when_it_rotates(kafka, on_kafka, secrets, free_port):  # noqa: F811
    cluster = kafka()
    secrets("user", "gate\n")
    secrets("password", "s3cr:t #1\n")
    broker = SaslBroker(free_port(), cluster.port, {"gate": "s3cr:t #1"})
    try:
        g = on_kafka(broker.url, kafka=SASL).start().wait_for_bus()
        assert g.post_to("example", '{"id":"1"}').status_code == 200
        g.drain()
        broker.users = {"gate": "another-one"}
        broker.proxy.cut()
        broker.proxy.open()
        wait_until(lambda: ("gate", False) in broker.logins, "the old one is refused")
        assert g.post_to("example", '{"id":"2"}').status_code == 200
        wait_until(lambda: g.says("uthentication"), "the log says why")
        assert g.waiting() == 1
        secrets("password", "another-one")
        g.drain()
    finally:
        broker.close()
    assert firsts(cluster.messages(), "hooks.example") == ["1", "2"]
    for secret in ("s3cr:t", "another-one"):
        assert secret not in g.process.output()


def test_a_login_file_that_is_missing_or_empty_stops_the_start_with_its_name(on_kafka, secrets):  # noqa: F811
    g = on_kafka("127.0.0.1:9", kafka=SASL)
    for text in (None, "\n"):
        secrets("password", "x")
        if text is not None:
            secrets("user", text)
        done = subprocess.run([HOLDFAST, "gateway", "-f", g.file], capture_output=True, text=True, timeout=90)
        assert done.returncode == 1
        assert "bus/user" in done.stdout + done.stderr, done


# ---- both in one gateway, and what is said about it ---------------------------------------------------------------------

def test_replay_and_status_know_the_bus(kafka, on_kafka):
    cluster = kafka()
    g = on_kafka(f"127.0.0.1:{cluster.port}").start().wait_for_bus()
    for n in range(3):
        assert g.post_to("example", '{"id":"%d"}' % n).status_code == 200
    g.drain()
    assert g.status()["bus"] == {"kind": "kafka", "name": "default", "state": "up", "sync": "unknown"}
    done = subprocess.run([HOLDFAST, "replay", "-f", g.file, "--data-dir", g.data, "--from", "1", "--dry-run"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and f"127.0.0.1:{cluster.port}, topic default-default" in done.stdout, done
    done = subprocess.run([HOLDFAST, "replay", "-f", g.file, "--data-dir", g.data, "--from", "1"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done
    assert [m.body["id"] for m in cluster.messages() if m.key == "hooks.example"] == ["0", "1", "2"] * 2


def test_a_black_hole_fills_no_memory_and_what_finds_no_room_is_answered_at_once(kafka, kafka_network, on_kafka, senders):
    cluster = kafka()
    link = kafka_network(cluster)
    limits = "    limits: {busInFlight: 8, bodyMemory: 4MiB}\n"
    g = on_kafka(link.url, ack="bus", more=limits, deadline_s=1).start()
    before = g.process.memory_kib()
    link.blackhole()
    load = senders(g.port, each=20, pad=300_000, pause_s=0.1)
    load.wait_for(500, more=20)
    load.stop()
    assert g.process.memory_kib("VmHWM") < before + 60 * 1024
    assert {a.status for a in load.answers} <= {500, 503}
    assert max(a.took_s for a in load.answers) < 1 + SLACK_S
    link.open()
    wait_until(lambda: g.post_to("example", '{"id":"last"}').status_code == 200, "the bus takes events again")
