#!/usr/bin/python3
"""hfcheck: is every acknowledged event readable, exactly once, whole, and none invented?

    hfcheck --ids ids.log --stored stored.jsonl     (or --stored - for standard input)

IDS is what `hfload --ids` recorded. STORED are the events that can be read back, one JSON text a line: CloudEvents with
`data` or `data_base64` (`holdfast tail --json`, messages of a stream), or payloads (`holdfast tail --data`).
The id is looked for in the payload's `body.id`, then in its `id`.

What fails the check:
  lost         acknowledged, and not among the stored
  duplicate    stored more than once
  invented     stored, and never sent (of the runs in IDS; other runs are counted as foreign)
  torn         a line, a payload or a padding that is not whole
  order        with --in-order: of one connection, a later event stored before an earlier one

An event that was refused or got no answer may be stored or not: both are counted, neither fails.
The exit status is 0 when nothing fails, 1 when something does, 2 when the input cannot be read.
"""
import argparse
import binascii
import functools
import json
import re
import sys

DECODE = json.JSONDecoder().decode
SHOWN = 5  # examples of each failure
ID = re.compile(rb"^(.{8})-(\d{5})-(\d{10})$")


class Ids:
    """What the load generator recorded."""

    def __init__(self):
        self.acked, self.refused, self.unknown, self.runs = set(), set(), set(), set()

    def read(self, lines):
        kinds = {b"A": self.acked, b"R": self.refused, b"U": self.unknown}
        for number, line in enumerate(lines, 1):
            words = line.split()
            if words[:1] == [b"#"]:
                self.runs.update(w[4:] for w in words if w.startswith(b"run="))
            elif len(words) >= 2 and words[0] in kinds:
                kinds[words[0]].add(words[1])
                self.runs.add(words[1][:8])
            elif words:
                raise ValueError(f"ids, line {number}: not understood: {line[:60]!r}")
        return self

    def sent(self):
        return self.acked | self.refused | self.unknown


def payload_of(event):
    """The bytes or the tree that the sender's body is in."""
    if isinstance(event.get("event"), dict) and "position" in event:
        event = event["event"]  # as holdfast tail prints it
    if "data_base64" in event:
        return DECODE(binascii.a2b_base64(event["data_base64"], strict_mode=True).decode())
    if "specversion" in event:
        return event.get("data")
    return event


def body_of(payload):
    if isinstance(payload, str):
        payload = DECODE(payload)
    if isinstance(payload, dict) and isinstance(payload.get("body"), dict):
        return payload["body"]
    return payload


@functools.lru_cache
def padding(length):
    return "x" * length


def id_of(line):
    """The id of a stored line; raises ValueError when the event is not whole."""
    event = DECODE(line.decode())
    if not isinstance(event, dict):
        raise ValueError("not an object")
    body = body_of(payload_of(event))
    if not isinstance(body, dict) or not isinstance(body.get("id"), str):
        raise ValueError("no id in the body")
    pad = body.get("pad", "")
    if pad != padding(len(pad)):
        raise ValueError("the padding is damaged")
    return body["id"].encode()


class Check:
    def __init__(self, ids, in_order=False):
        self.ids, self.sent, self.in_order = ids, ids.sent(), in_order
        self.seen, self.stored, self.foreign = set(), 0, 0
        self.lost, self.duplicates, self.invented, self.torn, self.order = [], [], [], [], []
        self.last = {}

    def take(self, number, line):
        if not line.strip():
            return
        self.stored += 1
        try:
            event_id = id_of(line)
        except (ValueError, RecursionError, AttributeError) as error:
            self.torn.append(f"line {number}: {error}")
            return
        if event_id in self.seen:
            self.duplicates.append(event_id.decode())
        elif event_id in self.sent:
            self.check_order(event_id)
        elif event_id[:8] in self.ids.runs or not ID.match(event_id):
            self.invented.append(event_id.decode(errors="replace"))
        else:
            self.foreign += 1
        self.seen.add(event_id)

    def check_order(self, event_id):
        if not self.in_order:
            return
        connection, number = event_id[:14], event_id[15:]
        if number < self.last.get(connection, b""):
            self.order.append(event_id.decode())
        self.last[connection] = number

    def finish(self):
        self.lost = sorted(i.decode() for i in self.ids.acked - self.seen)
        return self

    def failures(self):
        return {"lost": self.lost, "duplicates": self.duplicates, "invented": self.invented, "torn": self.torn,
                "order": self.order}

    def summary(self):
        ids = self.ids
        refused = ids.refused - ids.acked
        unknown = ids.unknown - ids.acked - ids.refused
        result = {"sent": len(self.sent), "acknowledged": len(ids.acked), "refused": len(refused),
                  "unknown": len(unknown), "stored": self.stored, "foreign": self.foreign,
                  "refused_but_stored": len(refused & self.seen), "unknown_but_stored": len(unknown & self.seen)}
        result.update({name: len(found) for name, found in self.failures().items()})
        return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ids", required=True, action="append", help="file of hfload --ids; may be repeated")
    parser.add_argument("--stored", required=True, help="file of JSON lines, or - for standard input")
    parser.add_argument("--in-order", action="store_true", help="check the order per connection too")
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of the table")
    args = parser.parse_args()
    try:
        ids = Ids()
        for path in args.ids:
            with open(path, "rb") as file:
                ids.read(file)
        check = Check(ids, args.in_order)
        with (sys.stdin.buffer if args.stored == "-" else open(args.stored, "rb")) as file:
            for number, line in enumerate(file, 1):
                check.take(number, line)
    except (OSError, ValueError) as error:
        print(f"hfcheck: {error}", file=sys.stderr)
        return 2
    check.finish()
    failed = any(check.failures().values())
    if args.json:
        print(json.dumps({"ok": not failed, **check.summary()}))
    else:
        for name, value in check.summary().items():
            print(f"  {name.replace('_', ' '):20} {value:12}")
    for name, found in check.failures().items():
        if found:
            print(f"hfcheck: {len(found)} {name}: {', '.join(found[:SHOWN])}"
                  f"{' ...' if len(found) > SHOWN else ''}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
