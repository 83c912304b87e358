#!/usr/bin/env python3
"""CPython's own network tests under the shim, compared test by test with a run without it.

    make check-cpython [MODULES="test_socket ..."]

Every loopback connection is mutual TLS at both ends. A test that passes on plain TCP must
pass under the shim, but for EXPECTED: those that are about what TLS does not have.
"""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import audit_schema  # noqa: E402
from certs import SERVER_NAMES, Authority  # noqa: E402
from harness import BUILD, MTLS_RUN  # noqa: E402

PYTHON = "/usr/bin/python3.11"  # the package's, whose test suite this is
MODULES = """test_socket test_socketserver test_asyncio test_asyncore test_asynchat
    test_httplib test_httpservers test_urllib2_localnet test_ftplib test_smtplib
    test_poplib test_imaplib test_nntplib test_telnetlib test_xmlrpc test_select
    test_poll test_epoll test_selectors test_wsgiref test_logging""".split()
MODULE_SECONDS = 400

# Skipped unless the network is said to be there, though it uses loopback alone.
WITH_NETWORK = {"test_socketserver"}

# VSOCK is no TCP, and waits for ever on machines that have none.
LEFT_OUT = "*VSOCK*"

EXPECTED = {
    r"test_asyncore\..*\.test_handle_expt": "urgent data (MSG_OOB)",
    r"test_ftplib\..*\.test_abort": "urgent data (MSG_OOB)",
}

POLICY = """[shim]
log = {folder}/audit.jsonl
default_inbound = deny
default_outbound = deny
[identity own]
certificate = {certificate.pem}
private_key = {certificate.key}
trust = {authority.pem}
[inbound all]
local = *:*
mode = mtls
identity = own
[outbound all]
remote = *:*
mode = mtls
identity = own
verify = chain
"""

RESULT = re.compile(r"^(?P<name>\w+) \((?P<where>[\w.]+)\)(?:\n.*?)?? \.\.\. (?P<result>ok|FAIL|ERROR|skipped)",
                    re.MULTILINE)
TROUBLE = re.compile(r"^(FAIL|ERROR): (?P<name>\w+) \((?P<where>[\w.]+)\)", re.MULTILINE)


def test_id(match):
    where = match["where"].removeprefix("test.")
    return where if where.endswith("." + match["name"]) else f"{where}.{match['name']}"


def run_module(module, prefix, log):
    """Returns the results by test's name, and whether the module came to its end."""
    resources = ["-u", "network"] if module in WITH_NETWORK else []
    with open(log, "wb") as out:
        try:
            status = subprocess.run(
                [*prefix, PYTHON, "-m", "test", "-i", LEFT_OUT, *resources, "-v",
                 module], stdout=out,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                timeout=MODULE_SECONDS).returncode
        except subprocess.TimeoutExpired:
            status = None
    with open(log, encoding="utf-8", errors="replace") as file:
        text = file.read()
    results = {test_id(match): match["result"] for match in RESULT.finditer(text)}
    results.update({test_id(match): "FAIL" for match in TROUBLE.finditer(text)})
    return results, status in (0, 2)


def expected_reason(name):
    return next((why for pattern, why in EXPECTED.items() if re.fullmatch(pattern, name)), None)


def compare(module, plain, shimmed):
    """Returns (passed, failed): of the tests that pass without the shim."""
    passed = failed = 0
    for name, result in sorted(plain.items()):
        if result != "ok":
            continue
        now = shimmed.get(name, "not run")
        why = expected_reason(name)
        if now == "ok":
            passed += 1
        elif why:
            print(f"    {name}: as expected, no {why}")
        else:
            failed += 1
            print(f"not ok {name} - {now}")
    return passed, failed


def main():
    modules = sys.argv[1:] or MODULES
    logs = os.path.join(BUILD, "test-logs")
    os.makedirs(logs, exist_ok=True)
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="mtls-test-cpython-") as folder:
        authority = Authority(folder)
        certificate = authority.issue("own", SERVER_NAMES)
        policy = os.path.join(folder, "policy.ini")
        with open(policy, "w", encoding="ascii") as file:
            file.write(POLICY.format(folder=folder, certificate=certificate,
                                     authority=authority))
        for module in modules:
            runs = []
            for name, prefix in (("plain", []), ("shim", [MTLS_RUN, "-p", policy, "--"])):
                log = os.path.join(logs, f"cpython-{module}-{name}.log")
                results, ended = run_module(module, prefix, log)
                runs.append(results)
                if not ended:
                    failed += 1
                    print(f"not ok {module} - did not come to its end ({name}): see {log}")
            good, bad = compare(module, *runs)
            print(f"{module:24} {good:4} as without the shim, {bad} not", flush=True)
            passed += good
            failed += bad
        audit_schema.check_file(os.path.join(folder, "audit.jsonl"))
        with open(os.path.join(folder, "audit.jsonl"), encoding="utf-8") as audit:
            handshakes = sum('"handshake_ok"' in line for line in audit)
        print(f"{handshakes} handshakes")
        if handshakes == 0:
            failed += 1
            print("not ok nothing was governed")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
