#!/usr/bin/env python3
"""Threads with the smallest stack there is (PTHREAD_STACK_MIN) shake hands, read and write."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from certs import CLIENT_NAMES, SERVER_NAMES  # noqa: E402
from harness import BUILD, PLAIN, Bed, equal, main  # noqa: E402

HELPER = os.path.join(BUILD, "tests", "helpers", "small_stack")


def talk(bed: Bed):
    bed.serve([HELPER, "serve", bed.port])
    bed.client([HELPER, "dial", bed.relay.port, 3])
    bed.check_all()


def test_tls_1_3(bed):
    bed.pair()
    talk(bed)
    if not PLAIN:
        line = bed.audited("client", event="handshake_ok", resumed=False)
        equal((line["version"], line["group"]), ("1.3", "X25519MLKEM768"), "version and group")


def test_tls_1_2(bed):
    bed.pair(server_identity="min_version = 1.2\nmax_version = 1.2\n",
             client_identity="min_version = 1.2\n")
    talk(bed)


def test_rsa_and_an_intermediate(bed):
    between = bed.authority.issue("between", usage="", is_ca=True, key="rsa4096")
    bed.server_cert = bed.authority.issue("server-rsa", SERVER_NAMES, key="rsa4096",
                                          signer=between)
    bed.client_cert = bed.authority.issue("client-rsa", CLIENT_NAMES, key="rsa4096",
                                          signer=between)
    bed.pair()
    talk(bed)


def test_refused(bed):
    bed.pair(server_rule="allow = cn:somebody else\n")
    bed.serve([HELPER, "serve", bed.port])
    client = bed.start("client", [HELPER, "dial", bed.relay.port], bed.client_policy)
    equal(client.wait(), 0 if PLAIN else 1, "exit status")


if __name__ == "__main__":
    main(globals())
