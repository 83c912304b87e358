"""Starting programs, waiting for them without sleeping blindly, ending what was started."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LISTEN = "0A"  # the state column of /proc/net/tcp


_reserved = []  # for as long as this process lives


def _reserve(port):
    """Whether the port is this call's alone, among all tests that run on this machine."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0mtls-test-port-{port}")
    except OSError:
        name.close()
        return False
    _reserved.append(name)
    return True


def free_port(host="127.0.0.1"):
    """A port for a program to listen at: free, no other test's until this one has ended, and
    not one of those that the kernel gives to outgoing connections, any of which could take it
    before the program does."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        end = int(file.read().split()[0])
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        port = random.randrange(min(10000, end // 2), end)
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            with contextlib.suppress(OSError):
                sock.bind((host, port))
                if _reserve(port):
                    return port


def is_listening(port):
    """Looks in /proc/net: dialling would be a connection that the server sees."""
    wanted = f":{port:04X}"
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(path, encoding="ascii") as file:
            for line in file:
                fields = line.split()
                if fields[1].endswith(wanted) and fields[3] == LISTEN:
                    return True
    return False


def wait_until(condition, what, seconds=10):
    """Returns the condition's first true value; AssertionError after the time."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.01)


def tail(path, size=1500):
    """The end of a file, fit to be printed."""
    with open(path, "rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - size))
        text = file.read().decode("ascii", "replace")
    strange = sum(not c.isprintable() and c not in "\n\t" or c == "\ufffd" for c in text)
    return repr(text[-100:]) if strange > len(text) // 10 else text


class Program:
    """A started program in a session of its own, its output in files."""

    def __init__(self, folder, name, argv, env=None, stdin=None, cwd=None, pass_fds=(),
                 user=None, group=None):
        self.name = name
        self.out_path = os.path.join(folder, name + ".out")
        self.err_path = os.path.join(folder, name + ".err")
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen(
                argv, stdin=stdin if stdin is not None else subprocess.DEVNULL, stdout=out,
                stderr=err, env=env, cwd=cwd, start_new_session=True, pass_fds=pass_fds,
                bufsize=0, user=user, group=group,
                extra_groups=None if user is None else [])
        self.pid = self.process.pid

    @property
    def out(self):
        with open(self.out_path, "rb") as file:
            return file.read()

    @property
    def err(self):
        with open(self.err_path, "rb") as file:
            return file.read().decode("utf-8", "replace")

    def listens(self, port, seconds=20):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode} "
                                     f"before it listened: {tail(self.err_path)}")
            return is_listening(port)
        wait_until(ready, f"{self.name} to listen on {port}", seconds)
        return self

    def feed(self, data):
        """Writes to the program's stdin (a pipe, left open) without waiting for it."""
        def write():
            left = memoryview(data)
            try:
                while left:
                    left = left[self.process.stdin.write(left):]
            except OSError:
                pass  # it ended; its exit status is what tests look at
        threading.Thread(target=write, daemon=True).start()

    def wait(self, seconds=30):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {seconds} s") from None

    def ok(self, seconds=30):
        """Waits for the end and insists on exit status 0."""
        status = self.wait(seconds)
        if status != 0:
            raise AssertionError(f"{self.name} ended with {status}: {tail(self.err_path)}")
        return self

    def says(self, text, seconds=20):
        """Waits until the text is in the output."""
        wanted = text.encode() if isinstance(text, str) else text
        wait_until(lambda: wanted in self.out or self.process.poll() is not None,
                   f"{self.name} to say {text!r}", seconds)
        if wanted not in self.out:
            raise AssertionError(f"{self.name} ended without saying {text!r}: "
                                 f"{tail(self.err_path)}")

    def stop(self, number=signal.SIGTERM, seconds=5):
        """Ends the program and whatever else is in its process group."""
        if self.process.poll() is None:
            self._kill(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        # The leader may be gone and its children not; the group's number is still ours.
        self._kill(signal.SIGKILL)
        self.process.wait(5)
        if self.process.stdin:
            self.process.stdin.close()

    def _kill(self, number):
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass
