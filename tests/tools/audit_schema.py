#!/usr/bin/env python3
"""The schema of the audit log: it and the code have the same lists, and it refuses what is
wrong. That lines are as it says is seen at the end of each test, by tests/lib/harness.py."""

import copy
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import audit_schema  # noqa: E402
import procs  # noqa: E402
from harness import equal, main  # noqa: E402

GOOD = {
    "time": "2026-11-24T23:14:10.690Z", "event": "handshake_ok", "level": "info", "pid": 3159,
    "uid": 990, "program": "/usr/bin/ordersd", "service": "orders", "rule": "api",
    "direction": "inbound", "local": "10.0.0.7:8080", "remote": "[fd00::4]:38468",
    "peer_subject": "CN=web", "peer_san": "URI:spiffe://corp/ns/shop/sa/web",
    "peer_serial": "40efedef0a118993d57b5247fd2e1010", "peer_sha256": "ab" * 32,
    "peer_not_after": "2026-12-24T23:14:10.000Z", "issuer": "CN=CA", "own_serial": "79a4",
    "version": "1.3", "cipher": "TLS_AES_128_GCM_SHA256", "group": "X25519", "resumed": False,
    "duration_ms": 1, "dropped": 2}
ABSENT = object()


def source(name):
    with open(os.path.join(procs.ROOT, "shim", "session", name), encoding="utf-8") as file:
        return file.read().replace("\\\n", "")


def test_lists(bed):
    schema = audit_schema.load()
    fields = schema["properties"]
    line = source("audit_line.c")
    events = re.findall(r'\[AUDIT_[A-Z_]+\] = \{"([a-z_]+)", POLICY_LEVEL_([A-Z]+)\}', line)
    assert len(events) >= 14, events
    equal(fields["event"]["enum"], [event for event, _ in events], "events")
    equal([(rule["if"]["properties"]["event"]["const"],
            rule["then"]["properties"]["level"]["const"]) for rule in schema["allOf"]],
          [(event, level.lower()) for event, level in events], "levels")
    reasons = re.findall(r'X\([A-Z_]+,\s*"([a-z_]+)"', source("reason.h"))
    assert len(reasons) > 20, reasons
    equal(fields["reason"]["enum"], [reason for reason in reasons if reason != "none"], "reasons")
    keys = set(re.findall(r'(?:audit_json|put)_[a-z]+\(&?json,\s*"([a-z0-9_]+)"', line))
    equal(sorted(fields), sorted(keys), "fields")
    equal(re.findall(r'\[POLICY_LEVEL_[A-Z]+\] = "([a-z]+)"', line), fields["level"]["enum"],
          "names of levels")


def wrong_lines():
    for key, value in (
            ("time", "2026-11-24 23:14:10"), ("time", "2026-11-24T23:14:10.690Z\n"),
            ("event", "handshake_good"), ("level", "warning"), ("level", "loud"), ("pid", 0),
            ("pid", "1"), ("pid", 1.5), ("pid", True), ("uid", -1), ("uid", ABSENT),
            ("direction", "sideways"), ("direction", ABSENT), ("rule", ""), ("rule", "x" * 97),
            ("mode", "mtls"), ("local", "10.0.0.7"), ("remote", "db.internal:5432"),
            ("reason", "because"), ("reason", "none"), ("peer_sha256", "AB" * 32),
            ("peer_sha256", ABSENT), ("peer_not_after", "2026-12-24"), ("version", "1.1"),
            ("cipher", "AES128"), ("resumed", 0), ("resumed", "false"), ("resumed", ABSENT),
            ("duration_ms", -1), ("dropped", 0), ("suppressed", 0), ("own_serial", "7:9"),
            ("password", "secret")):
        line = copy.copy(GOOD)
        line[key] = value
        if value is ABSENT:
            del line[key]
        yield key, line


def test_wrong_lines(bed):
    schema = audit_schema.load()
    equal(audit_schema.check(GOOD, schema), None, "a good line")
    for key, line in wrong_lines():
        why = audit_schema.check(line, schema)
        assert why and key in why or why and "'" in why, (key, line.get(key), why)
    for event in schema["properties"]["event"]["enum"]:
        bare = {"time": GOOD["time"], "event": event, "pid": 1, "uid": 0, "level": next(
            rule["then"]["properties"]["level"]["const"] for rule in schema["allOf"]
            if rule["if"]["properties"]["event"]["const"] == event)}
        assert audit_schema.check(bare, schema), f"{event} without anything"
    for line in (b"{}", b"[]\n", b'"x"\n', b"{\n", b"\xff\n", b"\n",
                 json.dumps(GOOD).encode(),
                 (json.dumps(GOOD)[:-1] + ', "pid": 5}\n').encode()):
        assert audit_schema.check_line(line, schema), line
    equal(audit_schema.check_line((json.dumps(GOOD) + "\n").encode(), schema), None, "good")


def test_keywords(bed):
    """What the schema does not use is not taken for good."""
    try:
        audit_schema.check({}, {"patternProperties": {}})
    except KeyError:
        return
    raise AssertionError("an unknown keyword was passed over")


def test_harness_looks(bed):
    with open(bed.path("server.jsonl"), "w", encoding="utf-8") as file:
        file.write(json.dumps({**GOOD, "extra": 1}) + "\n")
    try:
        bed.check_logs()
    except AssertionError as error:
        assert "extra" in str(error), error
        os.unlink(bed.path("server.jsonl"))
        return
    raise AssertionError("a wrong line was passed over")


if __name__ == "__main__":
    # None of this needs the shim, nor does it look at a wire.
    main(globals())
