#!/usr/bin/env python3
"""Which name a connection is known by: the one that was resolved, by the thread that dials;
names with several addresses, addresses with several names, and addresses dialled directly."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from papers import leaf  # noqa: E402
from trust import (  # noqa: E402
    ROOT, Accepted, Case, Refused, check, main, play_verdict, talk)

MISMATCH = Refused("name_mismatch", "bad_certificate")
COUNT = 6  # connections of the case with many threads


def named(name, want, *san, **words):
    """A row: the server has these names. One stack and version: it is not TLS that counts."""
    return Case(name, leaf(ROOT, san=san, subject="O=Test,CN=resolve"), want, shim="client",
                stacks="openssl", versions="1.3", **words)


def dial(stage, run, *steps):
    """Has a thread of the program take steps, the last of which connects."""
    thread = stage.thread()
    program = stage.programs["client"]
    since = stage.since(run)
    for step in steps[:-1]:
        program.tell(thread=thread, **step)
        program.answer(thread=thread)
    program.tell(thread=thread, connect=stage.port(run), **steps[-1])
    answer = talk(run, stage.accept(run))
    play_verdict(stage, run, program.answer(thread=thread), answer, since)


def second_address(stage, run):
    """The program does not take the first address that it has found."""
    dial(stage, run, {"resolve": "many.test", "number": 1}, {})


def address_of_a_name(stage, run):
    """An address that is dialled as such, though a name with it has been resolved: what the
    program has looked up is what it means."""
    dial(stage, run, {"resolve": "db.test"}, {"to": "127.0.0.1"})


def never_resolved(stage, run):
    dial(stage, run, {"to": "127.0.0.9"})


def resolved_by_another_thread(stage, run):
    """A resolver thread, as many programs have one."""
    resolver = stage.thread()
    program = stage.programs["client"]
    program.tell(thread=resolver, resolve="one.test")
    program.answer(thread=resolver)
    dial(stage, run, {"to": "127.0.0.4"})


def the_latest(stage, run):
    """Two names have one address; the thread means the one it has asked for last."""
    dial(stage, run, {"resolve": "two.test"}, {"resolve": "one.test"}, {})


def both_at_once(stage, run):
    """Threads resolve two names of one address before any of them dials: each is known by
    its own. The server's certificate is for one of the names."""
    program = stage.programs["client"]
    since = stage.since(run)
    names = ["one.test", "two.test"] * (COUNT // 2)
    threads = [stage.thread() for _ in names]
    for thread, name in zip(threads, names):
        program.tell(thread=thread, resolve=name)
    for thread in threads:
        check(program.answer(thread=thread)["found"] == ["127.0.0.4"], "the address")
    for thread in threads:
        program.tell(thread=thread, connect=stage.port(run))
    for _ in threads:
        talk(run, stage.accept(run))
    for thread, name in zip(threads, names):
        end = program.answer(thread=thread)["end"]
        check(end == ("eof" if name == "one.test" else "EPROTO"), f"{name}: {end}")
    lines = [stage.verdict(run, since, number) for number in range(COUNT)]
    for line in lines:
        want = "handshake_ok" if line["dialled_name"] == "one.test" else "handshake_failed"
        check(line["event"] == want, f"{line}")
    check(sorted(line["dialled_name"] for line in lines) == sorted(names), f"names: {lines}")


CASES = [
    named("a name of /etc/hosts", Accepted({"dialled_name": "db.test"}), "DNS:db.test",
          host="db.test"),
    named("another name of the same address", MISMATCH, "DNS:a.db.test", host="db.test"),
    named("a name with an IPv6 address", Accepted({"dialled_name": "six.test"}),
          "DNS:six.test", host="six.test"),
    named("localhost", Accepted({"dialled_name": "localhost"}), "DNS:localhost",
          host="localhost"),
    named("an address that is resolved", Accepted(), "IP:127.0.0.7", host="127.0.0.7"),
    named("the first of several addresses", Accepted({"dialled_name": "many.test"}),
          "DNS:many.test", host="many.test"),
    named("the second of several addresses", Accepted({"dialled_name": "many.test"}),
          "DNS:many.test"),
    named("an address whose name was resolved", Accepted({"dialled_name": "db.test"}),
          "DNS:db.test"),
    named("an address that nobody resolved", Accepted({"dialled_name": None}),
          "IP:127.0.0.9"),
    named("an address that nobody resolved, and a name", MISMATCH, "DNS:db.test"),
    named("resolved by another thread", Accepted({"dialled_name": "one.test"}),
          "DNS:one.test"),
    named("the latest of two names", Accepted({"dialled_name": "one.test"}), "DNS:one.test"),
    named("not the earlier of two names", MISMATCH, "DNS:two.test"),
    named("two names in several threads", Accepted(), "DNS:one.test"),
]
PLAYS = {
    "the second of several addresses": second_address,
    "an address whose name was resolved": address_of_a_name,
    "an address that nobody resolved": never_resolved,
    "an address that nobody resolved, and a name": never_resolved,
    "resolved by another thread": resolved_by_another_thread,
    "the latest of two names": the_latest,
    "not the earlier of two names": the_latest,
    "two names in several threads": both_at_once,
}

if __name__ == "__main__":
    main(CASES, PLAYS)
