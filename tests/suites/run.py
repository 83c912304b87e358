#!/usr/bin/env python3
"""Other projects' own tests under the shim, compared test by test with a run without it.

    make check-suites [SUITES="twisted ..."]
    make check-cpython [MODULES="test_socket ..."]
    run.py SUITE [UNIT...]

Every loopback connection is mutual TLS at both ends. A test that passes on plain TCP must
pass under the shim, but for what the suite's row in table.py expects.
"""

import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), HERE]
import audit_schema  # noqa: E402
from certs import SERVER_NAMES, Authority  # noqa: E402
from harness import BUILD, MTLS_RUN  # noqa: E402
from table import OK, SUITES  # noqa: E402

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

# That all passed, and in one way or another that some did not: not the end by a signal, nor
# what mtls-run says if it does not start the program.
ENDS = (0, 1, 2)


def run_unit(suite, unit, prefix, log, folder):
    """Returns the results by test's name, and whether the unit came to its end."""
    with open(log, "wb") as out:
        try:
            status = subprocess.run(
                [*prefix, *suite.command(unit)], stdout=out, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, cwd=folder, timeout=suite.seconds).returncode
        except subprocess.TimeoutExpired:
            status = None
    with open(log, encoding="utf-8", errors="replace") as file:
        return suite.results(file.read()), status in ENDS


def compare(suite, plain, shimmed):
    """Returns (passed, failed): of the tests that pass without the shim."""
    passed = failed = 0
    for name, result in sorted(plain.items()):
        if result != OK:
            continue
        now = shimmed.get(name, "not run")
        why = next((why for pattern, why in suite.expected.items()
                    if re.fullmatch(pattern, name)), None)
        if now == OK:
            passed += 1
        elif why:
            print(f"    {name}: as expected, {why}")
        else:
            failed += 1
            print(f"not ok {name} - {now}")
    return passed, failed


def write_policy(folder):
    authority = Authority(folder)
    certificate = authority.issue("own", SERVER_NAMES)
    policy = os.path.join(folder, "policy.ini")
    with open(policy, "w", encoding="ascii") as file:
        file.write(POLICY.format(folder=folder, certificate=certificate, authority=authority))
    return policy


def count_handshakes(folder):
    path = os.path.join(folder, "audit.jsonl")
    audit_schema.check_file(path)
    with open(path, encoding="utf-8") as audit:
        return sum('"handshake_ok"' in line for line in audit)


def main():
    name = sys.argv[1]
    suite = SUITES[name]
    logs = os.path.join(os.path.abspath(BUILD), "test-logs")
    os.makedirs(logs, exist_ok=True)
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="mtls-test-suites-") as folder:
        shim = [MTLS_RUN, "-p", write_policy(folder), "--"]
        for unit in sys.argv[2:] or suite.units:
            runs = []
            for how, prefix in (("plain", []), ("shim", shim)):
                log = os.path.join(logs, f"{name}-{unit}-{how}.log")
                results, ended = run_unit(suite, unit, prefix, log, folder)
                runs.append(results)
                if not ended:
                    failed += 1
                    print(f"not ok {unit} - did not come to its end ({how}): see {log}")
            good, bad = compare(suite, *runs)
            print(f"{unit:36} {good:4} as without the shim, {bad} not", flush=True)
            passed += good
            failed += bad
        handshakes = count_handshakes(folder)
    print(f"{handshakes} handshakes")
    if handshakes == 0:
        failed += 1
        print("not ok nothing was governed")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
