#!/usr/bin/env python3
"""redis and memcached, with their usual clients."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import MARKER, Bed, digest, equal, main, payload  # noqa: E402
from procs import wait_until  # noqa: E402


def serve_redis(bed: Bed):
    bed.pair()
    bed.serve(["redis-server", "--port", bed.port, "--bind", "127.0.0.1", "--save", "",
               "--appendonly", "no", "--dir", bed.dir, "--protected-mode", "no"])


def redis_cli(bed, *words, name="client", **how):
    return bed.client(["redis-cli", "-h", "127.0.0.1", "-p", bed.relay.port, *words],
                      name=name, **how).out


def test_redis_cli(bed):
    serve_redis(bed)
    value = MARKER.decode() * 1000
    equal(redis_cli(bed, "SET", "key", value, name="set"), b"OK\n", "SET")
    equal(redis_cli(bed, "GET", "key", name="get"), value.encode() + b"\n", "GET")
    bed.check_all(at_least=2)


def test_redis_cli_large_value(bed):
    serve_redis(bed)
    data = payload(5_000_000)
    with open(bed.write("value", data), "rb") as file:
        equal(redis_cli(bed, "-x", "SET", "key", name="set", stdin=file), b"OK\n", "SET")
    got = redis_cli(bed, "GET", "key", name="get")
    equal(digest(got[:-1]), digest(data), "the value")
    bed.check_all(at_least=2)


def test_redis_cli_pipe(bed):
    serve_redis(bed)
    commands = b"".join(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s%d\r\n$3\r\nabc\r\n"
                        % (len(MARKER) + len(str(i)), MARKER, i) for i in range(20_000))
    with open(bed.write("commands", commands), "rb") as file:
        out = redis_cli(bed, "--pipe", name="pipe", stdin=file)
    equal(b"errors: 0, replies: 20000" in out, True, f"pipe's count in {out!r}")
    equal(redis_cli(bed, "DBSIZE", name="size"), b"20000\n", "DBSIZE")
    bed.check_all(at_least=2)


def test_redis_publish(bed):
    serve_redis(bed)
    subscriber = bed.start("subscriber", ["redis-cli", "-h", "127.0.0.1", "-p",
                                          bed.relay.port, "SUBSCRIBE", "news"],
                           bed.client_policy)
    subscriber.says("subscribe\n")
    for number in range(10):
        text = f"{MARKER.decode()}-{number}"
        equal(redis_cli(bed, "PUBLISH", "news", text, name=f"publish{number}"), b"1\n",
              "receivers")
    subscriber.says(f"{MARKER.decode()}-9\n")
    subscriber.stop()
    bed.check_all(at_least=11, allow_cut=True)


def test_redis_benchmark(bed):
    serve_redis(bed)
    out = bed.client(["redis-benchmark", "-h", "127.0.0.1", "-p", bed.relay.port, "-P", "16",
                      "-c", "20", "-n", "20000", "-d", "100", "-r", "1000", "-q",
                      "-t", "set,get,lpush,lrange_100"]).out.decode()
    for test in ("SET", "GET", "LPUSH", "LRANGE_100"):
        equal(f"{test}" in out and "requests per second" in out, True, f"{test} in {out}")
    equal("rror" in out, False, f"an error in {out}")
    # The connections are dropped with the last answers under way.
    bed.check_all(at_least=20, markers=(b"key:0000",), allow_cut=True)


def test_memcached(bed):
    bed.pair()
    bed.serve(["memcached", "-l", "127.0.0.1", "-p", bed.port, "-U", "0", "-t", "4", "-u",
               "root"])
    data = payload(900_000)
    with open(bed.write("set", b"set key 0 0 %d\r\n%s\r\nget key\r\nquit\r\n"
                        % (len(data), data)), "rb") as file:
        got = bed.client(["nc.openbsd", "127.0.0.1", bed.relay.port], stdin=file).out
    equal(digest(got), digest(b"STORED\r\nVALUE key 0 %d\r\n%s\r\nEND\r\n"
                              % (len(data), data)), "memcached's answer")
    # One connection for each of its threads, at the same time.
    clients = []
    for number in range(8):
        with open(bed.write(f"get{number}", b"get key\r\nquit\r\n"), "rb") as file:
            clients.append(bed.start(f"nc{number}", ["nc.openbsd", "127.0.0.1",
                                                     bed.relay.port],
                                     bed.client_policy, stdin=file))
    for client in clients:
        equal(digest(client.ok().out), digest(b"VALUE key 0 %d\r\n%s\r\nEND\r\n"
                                              % (len(data), data)), client.name)
    wait_until(lambda: all(r.done for r in bed.relay.recordings), "the end of connections")
    bed.check_all(at_least=9)


if __name__ == "__main__":
    main(globals())
