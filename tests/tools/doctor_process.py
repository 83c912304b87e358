#!/usr/bin/env python3
"""mtlsctl doctor on processes: what confines them, which library they have, which of their
connections are governed; and certificates and keys that only some can use."""

import json
import os
import pwd
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import odd  # noqa: E402
import socket  # noqa: E402
from harness import MTLS_RUN, MTLSCTL, SHIM, equal, main  # noqa: E402
from procs import free_port, wait_until  # noqa: E402

PYTHON = os.path.realpath(sys.executable)
# Serves until its standard input ends; what comes before is done first.
WAIT = "import sys; print('ready', flush=True); sys.stdin.read()"
PRCTL = "import ctypes; prctl = ctypes.CDLL(None).prctl\n"
NO_NEW_PRIVS = PRCTL + "prctl(38, 1, 0, 0, 0)\n"
# A filter of one instruction: all is allowed.
SECCOMP = NO_NEW_PRIVS + """
import struct
code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7fff0000))
prctl(22, 2, struct.pack("HxxxxxxP", 1, ctypes.addressof(code)), 0, 0)
"""


def examine(*words, within=()):
    """Returns the exit status, and the findings by their codes."""
    done = subprocess.run([*within, MTLSCTL, "doctor", "--json", *map(str, words)],
                          capture_output=True, text=True, timeout=60, check=False)
    equal(done.stderr, "", "on standard error")
    found = {finding["code"]: finding for finding in json.loads(done.stdout)["findings"]}
    return done.returncode, found


def has(found, *codes):
    for code in codes:
        if code not in found:
            raise AssertionError(f"no {code}: {found}")
    return found[codes[0]]


def has_not(found, *codes):
    for code in codes:
        if code in found:
            raise AssertionError(f"there is {code}: {found[code]}")


def policy(bed, **shim):
    port = free_port()
    return port, bed.policy("p", f"[inbound test]\nlocal = *:{port}\nmode = mtls\n"
                            "identity = own\n", {"own": bed.server_cert}, **shim)


def waiting(bed, before="", how=(), run=True, env=None, **options):
    """A program that waits, under the library or not; it has done the lines before."""
    prefix = [MTLS_RUN, "-p", policy(bed)[1]] if run else []
    program = bed.start("waiting", [*how, *prefix, *options.pop("argv", [PYTHON]), "-c",
                                    before + WAIT], stdin=subprocess.PIPE, env=env, **options)
    program.says("ready")
    return program


# ---- what confines it ----------------------------------------------------------------------


def test_a_free_process(bed):
    status, found = examine(waiting(bed).pid)
    equal(status, 0, found)
    has(found, "loaded", "process")
    has_not(found, "seccomp", "no_new_privs", "other_root", "other_network", "apparmor",
            "other_version", "library_replaced")


def test_a_seccomp_filter(bed):
    status, found = examine(waiting(bed, SECCOMP).pid)
    equal(status, 0, found)
    if "memfd_create" not in has(found, "seccomp", "loaded")["remedy"]:
        raise AssertionError(found["seccomp"])


def setuid_python(bed):
    """A program that runs as nobody, and the environment that is to load the library."""
    os.chmod(bed.dir, 0o755)
    copy = bed.path("setuid-python")
    shutil.copy(PYTHON, copy)
    shutil.chown(copy, "nobody")
    os.chmod(copy, 0o4755)
    return copy, {"LD_PRELOAD": SHIM, "MTLS_SHIM_POLICY": policy(bed)[1]}


def test_no_new_privs_for_a_setuid_program(bed):
    """Without privileges to gain the loader takes the library, and that is worth keeping."""
    copy, env = setuid_python(bed)
    program = bed.start("waiting", ["setpriv", "--no-new-privs", copy, "-c", WAIT],
                        stdin=subprocess.PIPE, env=env)
    program.says("ready")
    status, found = examine(program.pid)
    equal(status, 0, found)
    has(found, "loaded", "no_new_privs")
    has_not(examine(waiting(bed, NO_NEW_PRIVS).pid)[1], "no_new_privs")


def test_a_setuid_program(bed):
    """AT_SECURE: the loader has ignored LD_PRELOAD."""
    copy, env = setuid_python(bed)
    program = bed.start("waiting", [copy, "-c", WAIT], stdin=subprocess.PIPE, env=env)
    program.says("ready")
    status, found = examine(program.pid)
    equal(status, 1, found)
    has(found, "secure_execution")
    has_not(found, "loaded", "not_loaded", "no_new_privs")


def test_another_root(bed):
    """As in a container: a policy of that path here may be quite another."""
    program = waiting(bed, how=["unshare", "--mount"])
    status, found = examine(program.pid)
    equal(status, 0, found)
    has(found, "loaded", "other_root")
    has_not(found, "rule_applies", "listens", "policy")
    within = ["nsenter", "-t", str(program.pid), "--mount"]
    status, found = examine(program.pid, within=within)
    equal(status, 0, found)
    has(found, "loaded", "rule_applies")
    has_not(found, "other_root")


def test_another_network(bed):
    status, found = examine(waiting(bed, how=["unshare", "--net"]).pid)
    equal(status, 0, found)
    has(found, "loaded", "other_network", "rule_applies")
    has_not(found, "other_root")


def test_an_apparmor_profile(bed):
    """The kernel here may be without AppArmor: what it would show is put there."""
    program = waiting(bed)

    def shown(text):
        path = bed.write("profile", text)
        script = (f"mount --bind {path} /proc/{program.pid}/attr/current\n"
                  f"exec nsenter --mount=/proc/{program.pid}/ns/mnt true\n")
        # The doctor has a mount namespace of its own then; only AppArmor is looked at.
        script = script.splitlines()[0] + '\nexec "$@"\n'
        return examine(program.pid, within=["unshare", "--mount", "sh", "-ec", script, "sh"])[1]
    if "ordersd (enforce)" not in has(shown("ordersd (enforce)\n"), "apparmor")["text"]:
        raise AssertionError("the profile's name is not told")
    for text in ("unconfined\n", "system_u:system_r:orders_t:s0\n", ""):
        has_not(shown(text), "apparmor")


# ---- its library ---------------------------------------------------------------------------


def changed_copy(bed, name, version):
    """The library as another version would be; returns its path."""
    copy = bed.path(name)
    with open(SHIM.split(":")[0], "rb") as file:
        data = file.read()
    at = data.index(b"mtls-shim\0") + len(b"mtls-shim\0")
    at = data.index(b", wolfSSL", at) - len(version)
    with open(copy, "wb") as file:
        file.write(data[:at] + version.encode() + data[at + len(version):])
    return copy


def preloaded(bed, library):
    program = bed.start("preloaded", [PYTHON, "-c", WAIT], stdin=subprocess.PIPE,
                        env={"LD_PRELOAD": library, "MTLS_SHIM_POLICY": policy(bed)[1]})
    program.says("ready")
    return program


def test_an_older_library(bed):
    os.mkdir(bed.path("old"))
    library = changed_copy(bed, "old/libmtls_shim.so", "0.0.9")
    program = preloaded(bed, library)
    status, found = examine(program.pid)
    equal(status, 0, found)
    text = has(found, "other_version", "loaded")["text"]
    if "0.0.9, wolfSSL" not in text or "installed is" not in text:
        raise AssertionError(text)
    os.unlink(library)  # as an upgrade does; the process still has it
    has(examine(program.pid)[1], "other_version", "loaded")


def test_a_library_of_the_same_version_that_was_replaced(bed):
    os.mkdir(bed.path("old"))
    library = shutil.copy(SHIM.split(":")[0], bed.path("old/libmtls_shim.so"))
    program = preloaded(bed, library)
    has_not(examine(program.pid)[1], "other_version", "library_replaced")
    os.rename(shutil.copy(library, library + ".new"), library)
    found = examine(program.pid)[1]
    has(found, "library_replaced", "loaded")
    has_not(found, "other_version")


# ---- its connections -----------------------------------------------------------------------


def test_governed_connections(bed):
    os.mkdir(bed.path("metrics"))
    bed.port, path = policy(bed, metrics_dir=bed.path("metrics"))
    bed.server_policy = path
    server = bed.serve(bed.python("keeper.py", "threads", bed.port))
    context = odd.client_context(bed.authority, bed.client_cert)
    raw = socket.create_connection(("127.0.0.1", bed.port), timeout=10)
    with context.wrap_socket(raw, server_hostname="localhost") as conn:
        conn.sendall(b"ping")
        equal(conn.recv(4), b"ping", "echo")

        def look():
            status, found = examine(server.pid)
            equal(status, 0, found)
            has_not(found, "ungoverned", "not_counted")
            return "governed 1, plaintext by policy 0" in has(found, "connections")["text"]
        wait_until(look, "a governed connection")
    wait_until(lambda: "governed 0," in examine(server.pid)[1]["connections"]["text"],
               "its end")


# ---- names, and where there is none ----------------------------------------------------------


def test_the_name_that_it_was_started_by(bed):
    """Debian's redis-server is a link to redis-check-rdb."""
    link = bed.path("ordersd")
    os.symlink(PYTHON, link)
    for start, beside in ((PYTHON, ""), (link, " (ordersd)")):
        program = waiting(bed, argv=[start], run=False)
        text = has(examine(program.pid)[1], "process")["text"]
        equal(text.split(", ")[0], f"it is {PYTHON}{beside}", "what it is")
        program.stop()


def test_without_proc(bed):
    """A bare chroot: a program can be judged there, and a process cannot."""
    root = bed.path("root")
    os.mkdir(root)
    inside = ("unshare", "-m", "sh", "-ec", """
        root=$1; shift
        for folder in /*; do
            case $folder in /proc | /sys) continue ;; esac
            if [ -h "$folder" ]; then cp -a "$folder" "$root/"
            elif [ -d "$folder" ]; then
                mkdir -p "$root$folder"; mount --rbind "$folder" "$root$folder"
            fi
        done
        exec chroot "$root" "$@" """, "sh", root)
    status, found = examine(os.getpid(), within=inside)
    equal(status, 1, found)
    has(found, "no_proc")
    has_not(found, "not_found", "not_loaded")
    status, found = examine(PYTHON, within=inside)
    equal(status, 0, found)
    has(found, "loadable")


# ---- keys and certificates -----------------------------------------------------------------


def test_a_key_that_an_acl_lets_be_read(bed):
    nobody = pwd.getpwnam("nobody")
    os.chmod(bed.dir, 0o755)
    os.chmod(bed.authority.folder, 0o755)
    path = policy(bed)[1]
    os.chmod(path, 0o644)
    words = (PYTHON, "-p", path, "--user", "nobody")
    has(examine(*words)[1], "unreadable_file")

    def entry(tag, permissions, who=0xffffffff):
        return struct.pack("<HHI", tag, permissions, who)
    # acl(5): owner rw-, user nobody r--, group ---, mask r--, others ---
    acl = struct.pack("<I", 2) + entry(1, 6) + entry(2, 4, nobody.pw_uid) + entry(4, 0) + \
        entry(0x10, 4) + entry(0x20, 0)
    key = bed.server_cert.key
    before = os.stat(key).st_mode & 0o777
    try:
        os.setxattr(key, "system.posix_acl_access", acl)
        found = examine(*words)[1]
        has(found, "readable_files")
        has_not(found, "unreadable_file")
        # The mask takes it away again, as chmod g= does.
        os.setxattr(key, "system.posix_acl_access",
                    acl.replace(entry(0x10, 4), entry(0x10, 0)))
        has(examine(*words)[1], "unreadable_file")
    finally:
        os.removexattr(key, "system.posix_acl_access")
        os.chmod(key, before)


def test_certificates_that_do_not_hold_today(bed):
    for name, days, code in (("ended", (-9, -1), "expired"), ("early", (1, 9),
                                                              "not_yet_valid")):
        made = bed.authority.issue(name, "DNS:localhost", days=days)
        path = bed.policy(name, "", {"own": made})
        status, found = examine(PYTHON, "-p", path)
        equal(status, 78, found)
        has(found, code)
        has_not(found, "policy", "identity")
        if not found[code]["text"].startswith(f"{path}:7: "):
            raise AssertionError(found[code]["text"])


main(globals(), needs_shim=True)
