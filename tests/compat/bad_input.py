#!/usr/bin/env python3
"""LD_PRELOAD by itself: with a bad policy, or none, the program's main never runs."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from certs import SERVER_NAMES, Authority, Certificate  # noqa: E402
from harness import MTLS_RUN, PLAIN, SHIM, equal, main  # noqa: E402

GOOD = """[shim]
log = none
default_inbound = deny
default_outbound = plaintext
[identity own]
certificate = server.pem
private_key = server.key
trust = ca.pem
[inbound all]
local = *:1
mode = mtls
identity = own
"""
EX_CONFIG = 78


def preload(bed, policy, **more):
    """Runs touch under the library; returns (exit status, stdout, stderr, main ran)."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("MTLS_")}
    if not PLAIN:
        env["LD_PRELOAD"] = SHIM
    if policy:
        env["MTLS_SHIM_POLICY"] = policy
    env.update(more)
    trace = bed.path("main-ran")
    done = subprocess.run(["touch", trace], env=env, capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout, done.stderr, os.path.exists(trace)


def good_files(bed):
    """What the good policy names, beside it."""
    for name, path in (("server.pem", bed.server_cert.pem), ("server.key", bed.server_cert.key),
                       ("ca.pem", bed.authority.pem)):
        with open(path, "rb") as file:
            os.chmod(bed.write(name, file.read()), 0o600)
    return bed.write("policy.ini", GOOD)


def check_stopped(result, *words):
    status, out, err, ran = result
    equal(ran, False, "main ran")
    equal(status, EX_CONFIG, f"exit status, stderr {err!r}")
    equal(out, "", "stdout")
    equal(err.count("\n"), 1, f"lines on stderr: {err!r}")
    for word in words:
        equal(word in err, True, f"{word!r} in {err!r}")


def test_good_policy(bed):
    equal(preload(bed, good_files(bed)), (0, "", "", True), "status, output and main")


def test_good_policy_loads_the_library(bed):
    """The yardstick of the rest: this is what tells a loaded library from none."""
    policy = good_files(bed)
    done = subprocess.run(
        ["cat", "/proc/self/maps"], capture_output=True, text=True, timeout=20,
        env={**os.environ, "MTLS_SHIM_POLICY": policy, "LD_PRELOAD": "" if PLAIN else SHIM})
    equal("libmtls_shim" in done.stdout, True, "the library in the program's map")


# What is changed in the good policy: (name, old text, new text, line to blame, word)
CHANGES = [
    ("unknown_key", "log = none", "logg = none", 2, "logg"),
    ("unknown_section", "[inbound all]", "[upbound all]", 9, "upbound"),
    ("unknown_mode", "mode = mtls", "mode = tls", 11, "tls"),
    ("unknown_identity", "identity = own", "identity = other", 12, "other"),
    ("duplicate_key", "mode = mtls", "mode = mtls\nmode = mtls", 12, "mode"),
    ("duplicate_section", "[inbound all]", "[identity own]", 9, "own"),
    ("bad_port", "local = *:1", "local = *:123456", 10, "123456"),
    ("bad_duration", "log = none", "handshake_timeout = soon", 2, "soon"),
    ("no_equals_sign", "local = *:1", "local *:1", 10, ""),
    ("long_line", "local = *:1", "local = " + "*:1, " * 20_000 + "*:1", 10, ""),
    ("missing_certificate", "server.pem", "nowhere.pem", 6, "nowhere.pem"),
    ("missing_key", "server.key", "nowhere.key", 7, "nowhere.key"),
    ("missing_trust", "ca.pem", "nowhere-ca.pem", 8, "nowhere-ca.pem"),
]


def add_changes():
    for name, old, new, line, word in CHANGES:
        def test(bed, old=old, new=new, line=line, word=word):
            good_files(bed)
            policy = bed.write("policy.ini", GOOD.replace(old, new))
            check_stopped(preload(bed, policy), f"{policy}:{line}:", word)
        globals()[f"test_{name}"] = test


add_changes()


def test_no_default_inbound(bed):
    good_files(bed)
    policy = bed.write("policy.ini", GOOD.replace("default_inbound = deny\n", ""))
    check_stopped(preload(bed, policy), policy, "default_inbound")


def test_empty_policy(bed):
    status, out, err, ran = preload(bed, bed.write("policy.ini", ""))
    equal((status, out, ran), (EX_CONFIG, "", False), f"status, stdout, main; {err!r}")
    equal("default_inbound" in err and "default_outbound" in err, True, f"stderr {err!r}")


def test_binary_policy(bed):
    status, out, err, ran = preload(bed, bed.write("policy.ini", bytes(range(256)) * 10))
    equal((status, out, ran), (EX_CONFIG, "", False), f"status, stdout, main; {err[:200]!r}")


def test_policy_is_missing(bed):
    check_stopped(preload(bed, bed.path("nowhere.ini")), "nowhere.ini")


def test_policy_is_a_directory(bed):
    check_stopped(preload(bed, bed.dir), bed.dir)


def test_no_policy_at_all(bed):
    equal(os.path.exists("/etc/mtls-shim/policy.ini"), False, "a policy of this machine")
    check_stopped(preload(bed, None), "/etc/mtls-shim/policy.ini")


def test_key_of_another_certificate(bed):
    policy = good_files(bed)
    with open(bed.client_cert.key, "rb") as file:
        bed.write("server.key", file.read())
    check_stopped(preload(bed, policy), f"{policy}:", "server.key")


def test_key_that_others_may_read(bed):
    policy = good_files(bed)
    os.chmod(bed.path("server.key"), 0o644)
    check_stopped(preload(bed, policy), f"{policy}:7:", "server.key")


def test_key_is_garbage(bed):
    policy = good_files(bed)
    bed.write("server.key", "no key\n")
    check_stopped(preload(bed, policy), f"{policy}:7:", "server.key")


def test_certificate_is_garbage(bed):
    policy = good_files(bed)
    bed.write("server.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    check_stopped(preload(bed, policy), f"{policy}:6:", "server.pem")


def test_trust_is_no_ca(bed):
    policy = good_files(bed)
    with open(bed.server_cert.pem, "rb") as file:
        bed.write("ca.pem", file.read())
    check_stopped(preload(bed, policy), f"{policy}:8:", "ca.pem")


def use_identity(bed, certificate: Certificate):
    policy = good_files(bed)
    for name, path in (("server.pem", certificate.pem), ("server.key", certificate.key)):
        with open(path, "rb") as file:
            bed.write(name, file.read())
    return policy


def test_own_certificate_has_expired(bed):
    authority = Authority(bed.path("other"))
    policy = use_identity(bed, authority.issue("old", SERVER_NAMES, days=(-5, -1)))
    check_stopped(preload(bed, policy), f"{policy}:6:", "expired")


def test_log_cannot_be_opened(bed):
    good_files(bed)
    policy = bed.write("policy.ini", GOOD.replace("log = none", "log = nowhere/audit.jsonl"))
    check_stopped(preload(bed, policy), "nowhere/audit.jsonl")


def test_off_without_policy(bed):
    equal(preload(bed, None, MTLS_SHIM="off"), (0, "", "", True), "status, output and main")


def test_off_with_bad_policy(bed):
    equal(preload(bed, bed.write("policy.ini", "junk"), MTLS_SHIM="off"), (0, "", "", True),
          "status, output and main")


def test_neither_on_nor_off(bed):
    """A word that is not understood must not switch protection off."""
    check_stopped(preload(bed, good_files(bed), MTLS_SHIM="of"), "MTLS_SHIM")


def test_mtls_run_with_bad_policy(bed):
    policy = bed.write("policy.ini", GOOD.replace("log = none", "logg = none"))
    argv = ["touch", bed.path("main-ran")]
    if not PLAIN:
        argv = [MTLS_RUN, "-p", policy, "--", *argv]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20)
    equal(os.path.exists(bed.path("main-ran")), False, "main ran")
    equal((done.returncode, done.stdout), (EX_CONFIG, ""), f"status, stdout; {done.stderr!r}")
    equal(f"{policy}:2:" in done.stderr, True, f"stderr {done.stderr!r}")


UNTOUCHED = {"good_policy", "off_without_policy", "off_with_bad_policy"}

if __name__ == "__main__":
    main(globals(), needs_shim={key.removeprefix("test_") for key in globals()
                                if key.startswith("test_")} - UNTOUCHED)
