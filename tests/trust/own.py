#!/usr/bin/env python3
"""Our own certificate: what peers as strict as we are would refuse is an error at load, with
file and line, and the program does not start."""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import papers  # noqa: E402
from harness import MTLS_RUN, MTLSCTL  # noqa: E402
from papers import authority, bundle, leaf  # noqa: E402

ROOT = authority("root")
RSA_ROOT = authority("rsa-root", key="rsa2048")
SUB = authority("sub", ROOT)
BOTH = ("inbound", "outbound")

# name, certificate, trust, rules that have it, words of the problem (None: there is none)
CASES = [
    ("good", leaf(ROOT), ROOT, BOTH, None),
    ("good, with an intermediate CA", leaf(SUB), ROOT, BOTH, None),
    ("RSA 2048", leaf(RSA_ROOT, key="rsa2048"), RSA_ROOT, BOTH, None),
    ("RSA 1024", leaf(ROOT, key="rsa1024"), ROOT, BOTH,
     "certificate 1 has an RSA key of 1024 bits, which is too weak"),
    ("P-224", leaf(ROOT, key="secp224r1"), ROOT, BOTH, "certificate 1 has a key on P-224"),
    ("SHA-1", leaf(ROOT, hash="sha1"), ROOT, BOTH, "certificate 1 has a signature with SHA-1"),
    ("MD5", leaf(RSA_ROOT, hash="md5"), RSA_ROOT, BOTH,
     "certificate 1 has a signature with MD5"),
    ("SHA-1 of the intermediate CA", leaf(authority("s1", ROOT, hash="sha1")), ROOT, BOTH,
     "certificate 2 has a signature with SHA-1"),
    ("RSA 1024 of the intermediate CA", leaf(authority("k1", ROOT, key="rsa1024")), ROOT,
     BOTH, "certificate 2 has an RSA key of 1024 bits"),
    ("SHA-1 of a root in the chain",
     leaf(authority("s1root", hash="sha1"), chain=[authority("s1root", hash="sha1")]), ROOT,
     BOTH, None),
    ("RSA 1024 in trust", leaf(ROOT), authority("weak", key="rsa1024"), BOTH,
     "its CA certificate has an RSA key of 1024 bits, which is too weak"),
    ("SHA-1 in trust", leaf(ROOT), authority("s1root", hash="sha1"), BOTH, None),
    ("servers alone, inbound", leaf(ROOT, eku=["server"]), ROOT, ("inbound",), None),
    ("clients alone, outbound", leaf(ROOT, eku=["client"]), ROOT, ("outbound",), None),
    ("any purpose", leaf(ROOT, eku=["any"]), ROOT, BOTH, None),
    ("no purposes", leaf(ROOT, eku=None), ROOT, BOTH, None),
    ("servers alone, outbound", leaf(ROOT, eku=["server"]), ROOT, ("outbound",),
     "does not allow client authentication, and an outbound rule has this identity"),
    ("clients alone, inbound", leaf(ROOT, eku=["client"]), ROOT, ("inbound",),
     "does not allow server authentication, and an inbound rule has this identity"),
    ("clients alone, no rule", leaf(ROOT, eku=["client"]), ROOT, (), None),
    ("code signing", leaf(ROOT, eku=["code"]), ROOT, ("inbound",),
     "does not allow server authentication"),
]


def policy(folder, paper, trust, directions):
    """The path of one in which the certificate is on line 5, trust on line 7."""
    text = ("[shim]\ndefault_inbound = deny\ndefault_outbound = deny\n[identity own]\n"
            f"certificate = {paper.pem()}\nprivate_key = {paper.key_path}\n"
            f"trust = {bundle(trust)}\n")
    for direction in directions:
        where = "local" if direction == "inbound" else "remote"
        text += f"[{direction} x]\n{where} = *:1\nmode = mtls\nidentity = own\n"
    path = os.path.join(folder, "policy.ini")
    with open(path, "w", encoding="ascii") as out:
        out.write(text)
    return path


def play(folder, paper, trust, directions, words):
    """None, or what is wrong."""
    path = policy(folder, paper, trust, directions)
    line = 7 if words and words.startswith("its CA") else 5
    for argv in ([MTLSCTL, "check", path], [MTLS_RUN, "-p", path, "--", "/bin/true"]):
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
        said = [one for one in done.stderr.splitlines() if f"{path}:{line}: " in one]
        if done.returncode != (78 if words else 0):
            return f"{argv[0]} ended with {done.returncode}: {done.stderr}"
        if words and not any(words in one for one in said):
            return f"{argv[0]}: no {words!r} for line {line} in {done.stderr}"
    return None


def main():
    """Plays the rows whose names contain a word of the command line."""
    failed = passed = 0
    with tempfile.TemporaryDirectory(prefix="mtls-trust-") as folder:
        papers.use_folder(folder)
        for name, paper, trust, directions, words in CASES:
            if sys.argv[1:] and not any(word in name for word in sys.argv[1:]):
                continue
            why = play(folder, paper, trust, directions, words)
            passed += why is None
            failed += why is not None
            print(f"ok {name}" if why is None else f"not ok {name} - {why}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
