#!/usr/bin/env python3
"""Ways past the shim (tests/helpers/hostile.c): not one byte of the program's is seen on
the wire, whatever libc function wrote it; and what is not refused works as on plain TCP."""

import os
import resource
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import odd  # noqa: E402
import procs  # noqa: E402
from harness import BUILD, MARKER, PLAIN, SHIM, Bed, equal, main  # noqa: E402

HOSTILE = os.path.join(procs.ROOT, BUILD, "tests", "helpers", "hostile")
WORKED, REFUSED = 0, 3
SO_COOKIE = 57


def check_wire(bed, at_least=1):
    """No marker, and it was not for want of connections."""
    equal(len(bed.relay.recordings) >= at_least, True, "connections")
    for number, recording in enumerate(bed.relay.recordings):
        for side in ("client", "server"):
            data = bytes(getattr(recording, side))
            equal(data.find(MARKER), -1, f"plaintext of connection {number}'s {side} at")
            equal(data[:3] in (b"", b"\x16\x03\x01", b"\x16\x03\x03"), True, "TLS")


def attack(bed: Bed, name, want=WORKED):
    """Runs a scenario against an echo server, and looks at the wire."""
    bed.pair()
    server = bed.serve(bed.python("report_server.py", bed.port))
    program = bed.start("client", [HOSTILE, name, bed.relay.port], bed.client_policy)
    status = program.wait(40)
    check_wire(bed)
    equal(status, want, "exit status")
    return server


def test_address_without_scope(bed):
    attack(bed, "short_address")


def test_stdout_is_the_socket(bed):
    attack(bed, "stdout_is_socket")


def test_dup_before_connect(bed):
    attack(bed, "dup_before_connect")


def test_fdopen_before_connect(bed):
    attack(bed, "fdopen_before_connect")


def test_stdout_holds_something(bed):
    attack(bed, "pending_stdout")


def test_kept_pointer_to_stdout(bed):
    attack(bed, "kept_stdout", REFUSED)


def test_close_while_writing(bed):
    attack(bed, "close_while_writing")


def test_dup2_while_writing(bed):
    attack(bed, "dup2_while_writing")


def exit_unflushed(bed, name):
    server = attack(bed, name)
    procs.wait_until(lambda: b'"got": %d' % len(MARKER) in server.out, "what exit flushes")


def test_exit_with_a_stream(bed):
    exit_unflushed(bed, "exit_with_stream")


def test_exit_with_stdout(bed):
    exit_unflushed(bed, "exit_with_stdout")


def test_perror(bed):
    attack(bed, "perror_on_socket")


def test_exit_while_writing(bed):
    attack(bed, "exit_while_writing")


def test_immediate_exit_while_writing(bed):
    attack(bed, "_exit_while_writing")


def test_exit_in_a_handler(bed):
    attack(bed, "exit_from_handler")


def test_aio(bed):
    attack(bed, "by_aio", REFUSED)


def test_bare_fork(bed):
    attack(bed, "bare_fork")


def test_bare_clone(bed):
    attack(bed, "bare_clone")


def test_child_in_shared_memory(bed):
    attack(bed, "shared_memory_child")


def test_passed_by_another_user(bed):
    """It is taken over, but not the memory that it came in."""
    attack(bed, "passed_by_another_user")


def test_exec_switched_off(bed):
    attack(bed, "exec_switched_off", REFUSED)


def left_behind(bed, more_fds):
    """A session that cannot be taken over (another version's) takes its socket along."""
    policy = bed.policy("left", "")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname(), timeout=10) as client:
            conn, _ = listener.accept()
            cookie = conn.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8)
            pid = os.fork()
            if pid == 0:
                memfd = os.memfd_create("mtls-shim-session", 0)
                os.write(memfd, struct.pack("II", 0x736c746d, 1) + cookie + bytes(8192))
                for _ in range(more_fds):
                    os.set_inheritable(os.dup(client.fileno()), True)
                os.dup2(memfd, 200 + more_fds)
                os.close(memfd)
                os.dup2(os.open("/dev/null", os.O_RDWR), 0)
                os.dup2(conn.fileno(), 1)
                if not PLAIN:
                    os.environ.update(LD_PRELOAD=os.path.join(procs.ROOT, SHIM),
                                      MTLS_SHIM_POLICY=policy)
                os.execv("/bin/echo", ["echo", MARKER])
            conn.close()
            os.waitpid(pid, 0)
            equal(client.recv(4096), b"", "what the peer was told in clear")


def test_session_of_another_version(bed):
    left_behind(bed, 0)


def test_session_behind_many_fds(bed):
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    left_behind(bed, 1200)


def test_accepted_as_stdout(bed):
    """A daemon that has closed its stdout, and prints all the same."""
    bed.pair()
    server = bed.start("server", [HOSTILE, "accepted_as_stdout", bed.port], bed.server_policy)
    server.listens(bed.port)
    context = odd.client_context(bed.authority, bed.client_cert)
    with socket.create_connection(("127.0.0.1", bed.relay.port), timeout=10) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as conn:
            equal(conn.recv(100), MARKER, "what the server printed")
            conn.unwrap()
    server.ok()
    check_wire(bed)


def test_rule_for_a_name(bed):
    """What it is about is not forgotten, or the default's plaintext would be next."""
    bed.pair()
    bed.client_policy = bed.policy(
        "client", f"[outbound test]\nremote = localhost:{bed.relay.port}\nmode = mtls\n"
        "identity = own\n", {"own": bed.client_cert}, default_outbound="plaintext")
    bed.serve(bed.python("report_server.py", bed.port))
    client = bed.start("client", [HOSTILE, "many_names", bed.relay.port], bed.client_policy)
    client.ok()
    check_wire(bed)
    equal(bed.audited("client", event="handshake_ok")["dialled_name"], "localhost", "name")


def test_name_that_is_forgotten(bed):
    """There is an end to what can be remembered, but it is not the default's plaintext."""
    bed.pair()
    bed.client_policy = bed.policy(
        "client", f"[outbound test]\nremote = *.ruled.test:{bed.port}\nmode = mtls\n"
        "identity = own\n", {"own": bed.client_cert}, default_outbound="plaintext")
    hosts = bed.write("hosts", "127.0.0.1 one.ruled.test\n" + "".join(
        f"127.{2 + i // 62500}.{i // 250 % 250}.{1 + i % 250} crowd.ruled.test\n"
        for i in range(5000)))
    bed.serve(bed.python("report_server.py", bed.port))
    client = bed.start("client", [
        "unshare", "-m", "sh", "-c", 'mount --bind "$1" /etc/hosts && shift && exec "$@"', "sh",
        hosts, HOSTILE, "forgotten_name", bed.port], bed.client_policy)
    equal(client.wait(), REFUSED, "the client")
    bed.audited("client", event="denied", reason="denied_by_rule")


def test_log_to_a_connection(bed):
    """inetd's child has the connection for its stderr: the log must not go there."""
    port = procs.free_port()
    policy = bed.policy("inetd", f"[inbound test]\nlocal = *:{port}\nmode = mtls\n"
                        "identity = own\n", {"own": bed.server_cert}, log="stderr")
    with socket.create_server(("127.0.0.1", port)) as listener:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            conn, _ = listener.accept()
            pid = os.fork()
            if pid == 0:
                for fd in (0, 1, 2):
                    os.dup2(conn.fileno(), fd)
                if not PLAIN:
                    os.environ.update(LD_PRELOAD=os.path.join(procs.ROOT, SHIM),
                                      MTLS_SHIM_POLICY=policy)
                os.execv("/bin/cat", ["cat"])
            conn.close()
            client.shutdown(socket.SHUT_WR)
            got = b""
            while chunk := client.recv(4096):
                got += chunk
            equal(got, b"", "what the peer was told in clear")
            equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 78, "exit status")


if __name__ == "__main__":
    main(globals(), needs_shim=True)
