"""Other projects' test suites, as Debian packages them.  To add one, add a row to SUITES.

A suite is run unit by unit, each without the shim and with it, and the results are compared
test by test.  What must differ stands in `expected`, with the reason: for nothing else.
"""

import re
from typing import Callable, NamedTuple

OK = "ok"

# Tests that end a connection which has no descriptor to go on with: see README.md.
NO_DESCRIPTOR = "at the limit of descriptors, a close in the handshake resets"
URGENT = "there is no urgent data (MSG_OOB)"


class Suite(NamedTuple):
    """results takes a unit's output and gives each test's result by name, "ok" if it passed."""
    units: list
    command: Callable  # unit => argv
    results: Callable
    seconds: int       # for one unit
    expected: dict = {}  # regular expression for names of tests => why they fail


UNITTEST = re.compile(
    r"^(?P<name>\w+) \((?P<where>[\w.]+)\)(?:\n.*?)?? \.\.\. "
    r"(?:.*\n(?!\w+ \())*?"  # what was logged in between, up to the next test
    r"(?P<result>ok|FAIL|ERROR|skipped)\b",
    re.MULTILINE)
UNITTEST_TROUBLE = re.compile(r"^(FAIL|ERROR): (?P<name>\w+) \((?P<where>[\w.]+)\)",
                              re.MULTILINE)
TRIAL = re.compile(r"^(?P<name>[\w.]+) \.\.\. +\[(?P<result>\w+)\]", re.MULTILINE)
TRIAL_TROUBLE = re.compile(r"^\[(?:FAIL|ERROR)\]\n(?:(?!====).*\n)*?(?P<name>\w+(?:\.\w+){3,})$",
                           re.MULTILINE)
TAP = re.compile(r"^(?P<result>(?:not )?ok) \d+ (?P<name>\S+)(?P<skip> # SKIP)?", re.MULTILINE)


def unittest_results(text):
    def name(match):
        where = match["where"].removeprefix("test.")
        return where if where.endswith("." + match["name"]) else f"{where}.{match['name']}"
    results = {name(match): match["result"] for match in UNITTEST.finditer(text)}
    results.update({name(match): "FAIL" for match in UNITTEST_TROUBLE.finditer(text)})
    return results


def trial_results(text):
    results = {match["name"]: match["result"].lower() for match in TRIAL.finditer(text)}
    results.update({match["name"]: "FAIL" for match in TRIAL_TROUBLE.finditer(text)})
    return results


def tap_results(text):
    return {match["name"]: "skipped" if match["skip"] else match["result"]
            for match in TAP.finditer(text)}


def cpython(module):
    # Skipped unless the network is said to be there, though it uses loopback alone.
    resources = ["-u", "network"] if module == "test_socketserver" else []
    # VSOCK is no TCP, and waits for ever on machines that have none.
    return ["/usr/bin/python3.11", "-m", "test", "-i", "*VSOCK*", *resources, "-v", module]


def glib(program):
    folder = "/usr/libexec/installed-tests/glib"
    return ["env", f"G_TEST_SRCDIR={folder}", f"G_TEST_BUILDDIR={folder}",
            f"{folder}/{program}", "--tap"]


SUITES = {
    "cpython": Suite(
        units="""test_socket test_socketserver test_asyncio test_asyncore test_asynchat
            test_httplib test_httpservers test_urllib2_localnet test_ftplib test_smtplib
            test_poplib test_imaplib test_nntplib test_telnetlib test_xmlrpc test_select
            test_poll test_epoll test_selectors test_wsgiref test_logging""".split(),
        command=cpython, results=unittest_results, seconds=400,
        expected={r"test_asyncore\..*\.test_handle_expt": URGENT,
                  r"test_ftplib\..*\.test_abort": URGENT}),
    "twisted": Suite(
        units="""twisted.test.test_tcp twisted.test.test_tcp_internals
            twisted.test.test_internet twisted.test.test_ftp twisted.test.test_policies
            twisted.internet.test.test_tcp twisted.internet.test.test_endpoints
            twisted.web.test.test_webclient twisted.web.test.test_xmlrpc
            twisted.names.test.test_names twisted.mail.test.test_imap""".split(),
        command=lambda module: ["/usr/bin/python3", "-m", "twisted.trial",
                                "--reporter=bwverbose", module],
        results=trial_results, seconds=300,
        expected={r".*\.test_closePeerOnEMFILE": NO_DESCRIPTOR,
                  r".*\.test_acceptScaling": "the end of a connection that was not accepted "
                                             "yet comes behind its handshake, not at once"}),
    "tornado": Suite(
        units="""iostream_test httpserver_test simple_httpclient_test tcpclient_test
            tcpserver_test websocket_test web_test netutil_test""".split(),
        command=lambda module: ["/usr/bin/python3", "-m", "tornado.testing", "--verbose",
                                f"tornado.test.{module}"],
        results=unittest_results, seconds=300),
    "glib": Suite(
        units="""socket socket-listener socket-service gsocketclient-slow proxy-test
            network-monitor-race pollable gdbus-peer gdbus-server-auth
            gdbus-connection-loss io-stream""".split(),
        command=glib, results=tap_results, seconds=120),
}
