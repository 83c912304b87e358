#!/usr/bin/env python3
"""The folder of `make container` in a minimal Debian: programs that have never heard of it,
started by its entrypoint, talk mutual TLS, or do not start."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import container  # noqa: E402
from harness import PLAIN, Bed, digest, equal, main, payload  # noqa: E402
from procs import ROOT, wait_until  # noqa: E402

SIZE = 1_000_000
DEMO_POLICY = os.path.join(ROOT, "demo", "container", "policy.ini")


def pair(bed: Bed, env=None, client_env=None, **how):
    """A megabyte from one container to another and back, by socat and a program that it
    starts for the connection."""
    data = payload(SIZE)
    container.start(bed, "server", ["socat", f"TCP-LISTEN:{bed.port},reuseaddr,fork",
                                    "EXEC:cat"], bed.server_policy, env=env, **how
                    ).listens(bed.port)
    with open(bed.write("data", data), "rb") as file:
        client = container.start(
            bed, "client", ["socat", "-t", "20", "-", f"TCP:127.0.0.1:{bed.relay.port}"],
            bed.client_policy, stdin=file, env=client_env or env, **how).ok()
    equal(digest(client.out), digest(data), f"{len(client.out)} bytes")


def run(bed, *argv, status=0, **how):
    """What a program says, which ends with this status."""
    program = container.start(bed, f"program{len(bed.programs)}", argv, **how)
    got = program.wait()
    if got != status:
        raise AssertionError(f"{argv} ended with {got}, not {status}: {program.err}")
    return program


def refused(bed, words, status, *argv, **how):
    """It ends with this status and these words, and nothing was started."""
    program = run(bed, *argv, status=status, **how)
    equal(program.out, b"", "output")
    if words not in program.err:
        raise AssertionError(f"{words!r} is not in {program.err!r}")


def cannot_dial(bed, **how):
    """No rule lets it, and the server does not hear of it."""
    before = len(bed.relay.recordings)
    stranger = container.start(bed, "stranger",
                               ["socat", "-u", f"TCP:127.0.0.1:{bed.relay.port}", "-"],
                               bed.client_policy, **how)
    equal(stranger.wait() != 0, True, "it could dial")
    equal("Permission denied" in stranger.err, True, f"what it says: {stranger.err}")
    equal(len(bed.relay.recordings), before, "connections")


def test_both_ends(bed):
    container.own(bed)
    bed.pair()
    pair(bed)
    bed.check_all()


def test_without_proc(bed):
    container.own(bed)
    bed.pair()
    pair(bed, proc=False)
    bed.check_all()


def test_off(bed):
    """Nothing is done to the program, and nothing is needed for it."""
    container.own(bed)
    bed.pair()
    env = {"MTLS_SHIM": "off", "MTLS_SHIM_POLICY": "/nowhere"}
    pair(bed, env=env)
    equal(b"MTLS-TEST-MARKER" in bed.relay.recordings[0].client, True, "plaintext on the wire")
    seen = [set(run(bed, "env", env=env, **how).out.splitlines()) - {b"PWD=/"}  # a shell's
            for how in ({}, {"entrypoint": ()})]
    equal(seen[0], seen[1], "environment")
    equal(b"libmtls_shim" in run(bed, "cat", "/proc/self/maps", env=env).out, False, "loaded")


def test_as_a_container(bed):
    """The bed is what it claims to be, and the program is what remains."""
    container.own(bed)
    bed.pair()
    script = ('echo $$ $(id -u) $(id -g) $(id -G); readlink /proc/1/exe; '
              'grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/1/status; '
              'grep -c libmtls_shim /proc/1/maps; touch /etc/x 2>&1; id -un 2>&1; exit 7')
    said = run(bed, "sh", "-c", script, policy=bed.client_policy, status=7).out.decode()
    lines = said.splitlines()
    equal(lines[0], f"1 {container.UID} {container.UID} {container.UID}", "pid and ids")
    equal(lines[1], "/usr/bin/dash", "PID 1")
    equal([line.split()[1] for line in lines[2:5]], ["0" * 16, "0" * 16, "1"], "privileges")
    equal(int(lines[5]) > 0, True, "the library is loaded")
    equal("Read-only" in lines[6], True, f"the root is read-only: {lines[6]}")
    equal("cannot find name" in lines[7], True, f"the user has no name: {lines[7]}")


def test_service(bed):
    """One policy and one image for all, and what each service may do by its name alone."""
    container.own(bed)
    bed.pair(server_rule="service = orders\n", client_rule="service = shop\n")
    pair(bed, env={"MTLS_SHIM_SERVICE": "orders"}, client_env={"MTLS_SHIM_SERVICE": "shop"})
    bed.check_all()
    cannot_dial(bed, env={"MTLS_SHIM_SERVICE": "other"})


def test_user(bed):
    """Rules for users, by the image's own /etc/passwd."""
    daemon = 1
    container.own(bed, user=daemon)
    bed.pair(server_rule="user = daemon\n", client_rule="user = daemon\n")
    pair(bed, uid=daemon)
    bed.check_all()
    cannot_dial(bed, uid=daemon + 1)


def test_key_of_a_group(bed):
    """As Kubernetes gives secrets to a pod with fsGroup: root's, for a group to read."""
    group = 4242
    container.own(bed, user=0, group=group, mode=0o440)
    bed.pair()
    pair(bed, groups=(group,))
    bed.check_all()


def demo_policy(bed, name, certificate, port):
    """The policy of the demonstration, which names files and ports as the compose file
    mounts and opens them."""
    with open(DEMO_POLICY, encoding="utf-8") as file:
        text = file.read()
    for there, here in (("/run/secrets/mtls/tls.crt", certificate.pem),
                        ("/run/secrets/mtls/tls.key", certificate.key),
                        ("/run/secrets/mtls/ca.crt", bed.authority.pem), ("8080", str(port))):
        equal(there in text, True, f"{there} in {DEMO_POLICY}")
        text = text.replace(there, here)
    return bed.write(name, text)


def test_demo(bed):
    """The services of demo/container, with its policy; the log is on stderr."""
    bed.server_cert = bed.authority.issue("orders", "DNS:orders")
    bed.client_cert = bed.authority.issue("shop", "URI:spiffe://demo/ns/shop/sa/shop")
    container.own(bed)
    bed.pair()
    bed.server_policy = demo_policy(bed, "orders.ini", bed.server_cert, bed.port)
    bed.client_policy = demo_policy(bed, "shop.ini", bed.client_cert, bed.relay.port)
    pair(bed, env={"MTLS_SHIM_SERVICE": "orders"}, client_env={"MTLS_SHIM_SERVICE": "shop"})
    bed.check_wire()
    for program in bed.programs[:0 if PLAIN else 2]:
        wait_until(lambda: '"event":"handshake_ok"' in program.err, "the log on stderr")
    cannot_dial(bed, env={"MTLS_SHIM_SERVICE": "orders"})


def test_missing_policy(bed):
    refused(bed, "/nowhere.ini", 78, "echo", "started", policy="/nowhere.ini")
    refused(bed, "/etc/mtls-shim/policy.ini", 78, "echo", "started")


def test_unreadable_key(bed):
    container.own(bed, user=0, group=0)
    bed.pair()
    refused(bed, "own-server.key", 78, "echo", "started", policy=bed.server_policy)


def test_static(bed):
    container.own(bed)
    bed.pair()
    refused(bed, "statically linked", 126, "/mtls-shim/mtls-run", "--help",
            policy=bed.server_policy)


def test_without_a_shell(bed):
    """Images without sh: mtls-run itself as the entrypoint."""
    container.own(bed)
    bed.pair()
    pair(bed, entrypoint=("/mtls-shim/mtls-run", "--"))
    bed.check_all()


if __name__ == "__main__":
    main(globals(), needs_shim=("missing_policy", "unreadable_key", "static", "service",
                                "as_a_container", "user", "demo"))
