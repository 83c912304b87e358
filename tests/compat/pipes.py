#!/usr/bin/env python3
"""netcat in both flavours, iperf3 and socat."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Bed, digest, equal, main, payload  # noqa: E402
from procs import wait_until  # noqa: E402

SIZE = 10_000_000


# What ends a netcat differs: openbsd's -N passes the end of stdin on, and its listener
# goes as soon as the network's end is there and its own buffers happen to be empty;
# traditional goes with the network's end, or with -q 0 at the end of stdin.
LISTENERS = {
    ("openbsd", "sends"): ["nc.openbsd", "-N", "-l", "127.0.0.1"],
    ("openbsd", "receives"): ["nc.openbsd", "-d", "-l", "127.0.0.1"],
    ("traditional", "sends"): ["nc.traditional", "-q", "0", "-l", "-s", "127.0.0.1", "-p"],
    ("traditional", "receives"): ["nc.traditional", "-l", "-s", "127.0.0.1", "-p"],
}
DIALLERS = {
    ("openbsd", "sends"): ["nc.openbsd", "-N", "127.0.0.1"],
    ("openbsd", "receives"): ["nc.openbsd", "-d", "127.0.0.1"],
    ("traditional", "sends"): ["nc.traditional", "-q", "0", "127.0.0.1"],
    ("traditional", "receives"): ["nc.traditional", "127.0.0.1"],
}


def transfer(bed: Bed, server_flavour, client_flavour, is_up):
    """10 MB from one netcat's stdin to the other's stdout."""
    bed.pair()
    data = payload(SIZE)
    listen = LISTENERS[server_flavour, "receives" if is_up else "sends"]
    dial = DIALLERS[client_flavour, "sends" if is_up else "receives"]
    with open(bed.write("data", data), "rb") as file:
        server = bed.serve([*listen, bed.port], stdin=None if is_up else file)
        client = bed.client([*dial, bed.relay.port], stdin=file if is_up else None)
    server.ok()
    got = server.out if is_up else client.out
    equal(digest(got), digest(data), f"{len(got)} bytes")
    bed.check_all()


def test_netcat_openbsd_up(bed):
    transfer(bed, "openbsd", "openbsd", True)


def test_netcat_openbsd_down(bed):
    transfer(bed, "openbsd", "openbsd", False)


def test_netcat_traditional_up(bed):
    transfer(bed, "traditional", "traditional", True)


def test_netcat_traditional_down(bed):
    transfer(bed, "traditional", "traditional", False)


def test_netcat_mixed_up(bed):
    transfer(bed, "openbsd", "traditional", True)


def test_netcat_mixed_down(bed):
    transfer(bed, "traditional", "openbsd", False)


def test_netcat_both_ways(bed):
    bed.pair()
    up, down = payload(SIZE, 1), payload(SIZE, 2)
    with open(bed.write("down", down), "rb") as file:
        server = bed.serve([*LISTENERS["openbsd", "sends"], bed.port], stdin=file)
    client = bed.start("client", [*DIALLERS["openbsd", "sends"], bed.relay.port],
                       bed.client_policy, stdin=subprocess.PIPE)
    client.feed(up)
    wait_until(lambda: os.path.getsize(client.out_path) >= SIZE
               and os.path.getsize(server.out_path) >= SIZE, "the bytes", 30)
    client.process.stdin.close()
    client.ok()
    server.ok()
    equal(digest(client.out), digest(down), f"{len(client.out)} bytes down")
    equal(digest(server.out), digest(up), f"{len(server.out)} bytes up")
    bed.check_all()


def iperf(bed: Bed, *words, streams=1):
    bed.pair()
    server = bed.serve(["iperf3", "-s", "-1", "-B", "127.0.0.1", "-p", bed.port])
    wanted = 40_000_000
    out = bed.client(["iperf3", "-c", "127.0.0.1", "-p", bed.relay.port, "-n", wanted, "-J",
                      *words]).out
    server.ok()
    report = json.loads(out)
    equal("error" in report, False, f"iperf3's error {report.get('error')}")
    end = report["end"]
    got = end["sum_received"]["bytes"]
    # What is on the way when the sender has sent its last byte is not counted.
    if got < wanted / 2 or got > end["sum_sent"]["bytes"]:
        raise AssertionError(f"received {got} of {end['sum_sent']['bytes']} bytes")
    equal(len(end["streams"]), streams, "streams")
    # iperf3 sends a cookie of its own; its JSON parameters hold this word. What is still
    # under way when the time is up is thrown away, so that a stream may end in a reset.
    bed.check_all(at_least=streams + 1, markers=(b'"tcp"', b"cpu_util"), allow_cut=True)


def test_iperf3(bed):
    iperf(bed)


def test_iperf3_two_streams(bed):
    iperf(bed, "-P", "2", streams=2)


def test_iperf3_reverse(bed):
    iperf(bed, "-R")


def test_iperf3_zerocopy(bed):
    iperf(bed, "-Z")


def test_socat_fork_exec_cat(bed):
    bed.pair()
    bed.serve(["socat", f"TCP-LISTEN:{bed.port},bind=127.0.0.1,reuseaddr,fork", "EXEC:cat"])
    for number in range(5):
        data = payload(1_000_000, number)
        with open(bed.write(f"in{number}", data), "rb") as file:
            got = bed.client(["socat", "-t", "10", "-", f"TCP:127.0.0.1:{bed.relay.port}"],
                             name=f"client{number}", stdin=file).out
        equal(digest(got), digest(data), f"echo {number}, {len(got)} bytes")
    bed.check_all(at_least=5)


def test_socat_nofork_cat(bed):
    """EXEC with nofork: cat itself reads and writes the connection, on 0 and 1."""
    bed.pair()
    bed.serve(["socat", f"TCP-LISTEN:{bed.port},bind=127.0.0.1,reuseaddr,fork",
               "EXEC:cat,nofork"])
    data = payload(1_000_000)
    with open(bed.write("in", data), "rb") as file:
        got = bed.client(["nc.openbsd", "-N", "127.0.0.1", bed.relay.port], stdin=file).out
    equal(digest(got), digest(data), f"echo, {len(got)} bytes")
    bed.check_all()


if __name__ == "__main__":
    main(globals())
