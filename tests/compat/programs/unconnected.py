"""Sockets that two processes have before one of them connects: client_NAME(port).

Whoever did not connect must not get a byte to the wire, nor one from it.
"""

import array
import errno
import os
import socket
import subprocess
import sys
import tempfile

from common import MARKER, in_child, listen, read_exactly, run, same, wait_for


def error_of(call, *arguments):
    try:
        return call(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]


def attempts(sock):
    """What every way of moving data says."""
    pipe_out, pipe_in = os.pipe()
    os.write(pipe_in, MARKER)
    with tempfile.TemporaryFile() as file:
        file.write(MARKER)
        file.flush()
        return {
            "send": error_of(sock.send, MARKER),
            "write": error_of(os.write, sock.fileno(), MARKER),
            "writev": error_of(os.writev, sock.fileno(), [MARKER]),
            "sendto": error_of(sock.sendto, MARKER, ("127.0.0.1", 1)),
            "sendmsg": error_of(sock.sendmsg, [MARKER]),
            "sendfile": error_of(os.sendfile, sock.fileno(), file.fileno(), 0, 5),
            "splice": error_of(os.splice, pipe_out, sock.fileno(), 5),
            "recv": error_of(sock.recv, 5, socket.MSG_DONTWAIT),
            "read": error_of(os.read, sock.fileno(), 5),
            "recvmsg": error_of(sock.recvmsg, 5),
        }


WRITING = ("send", "write", "writev", "sendto", "sendmsg", "sendfile", "splice")


def all_say(sock, write, read, when):
    for name, answer in attempts(sock).items():
        same(answer, write if name in WRITING else read, f"{name} {when}")


def connect_and_talk(sock, port):
    sock.connect(("localhost", port))
    sock.sendall(b"first\n")
    same(read_exactly(sock, 6), b"hello\n", "the answer")


def end(sock):
    sock.sendall(b"last\n")
    same(read_exactly(sock, 4), b"bye\n", "the last answer")
    sock.close()


def server(port):
    conn, _ = listen(port).accept()
    same(read_exactly(conn, 6), b"first\n", "the first line")
    conn.sendall(b"hello\n")
    same(read_exactly(conn, 5), b"last\n", "the last line")
    conn.sendall(b"bye\n")
    same(conn.recv(10), b"", "the end")


def child_that_connects(sock, port):
    """A child has connected the socket, and ends it at a word: its pid, where to say it."""
    here, there = socket.socketpair()

    def connect():
        connect_and_talk(sock, port)
        there.sendall(b"c")
        same(there.recv(1), b"g", "the parent's word")
        end(sock)
    pid = in_child(connect)
    same(here.recv(1), b"c", "the child's word")
    return pid, here


def client_fork(port):
    """The child connects; the parent has the same socket."""
    sock = socket.socket()
    all_say(sock, "EPIPE", "ENOTCONN", "before")
    pid, here = child_that_connects(sock, port)
    all_say(sock, "EACCES", "EACCES", "after the child has connected it")
    copy = socket.socket(fileno=os.dup(sock.fileno()))
    all_say(copy, "EACCES", "EACCES", "by a duplicate")
    here.sendall(b"g")
    wait_for(pid)


def client_plaintext(port):
    """The same where the policy leaves the connection alone: it works."""
    sock = socket.socket()
    here, there = socket.socketpair()
    pid = in_child(lambda: (connect_and_talk(sock, port), there.sendall(b"c")))
    same(here.recv(1), b"c", "the child's word")
    wait_for(pid)
    end(sock)


def client_passed(port):
    """Passed before it is connected, in both directions."""
    here, there = socket.socketpair()

    def work():
        _, control, _, _ = there.recvmsg(1, socket.CMSG_SPACE(4))
        number = array.array("i", control[0][2])[0]
        sock = socket.socket(fileno=number)
        all_say(sock, "EPIPE", "ENOTCONN", "before")
        there.sendall(b"g")
        same(there.recv(1), b"c", "the parent's word")
        all_say(sock, "EACCES", "EACCES", "after the parent has connected it")
        there.sendall(b"d")
    pid = in_child(work)
    sock = socket.socket()
    here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                           array.array("i", [sock.fileno()]))])
    same(here.recv(1), b"g", "the worker's word")
    connect_and_talk(sock, port)
    here.sendall(b"c")
    same(here.recv(1), b"d", "the worker's word")
    wait_for(pid)
    end(sock)


def inherited(number):
    """What client_exec() starts."""
    sock = socket.socket(fileno=number)
    all_say(sock, "EPIPE", "ENOTCONN", "before")
    print("ready", flush=True)
    same(sys.stdin.readline(), "go\n", "the parent's word")
    all_say(sock, "EACCES", "EACCES", "after the parent has connected it")


def client_exec(port):
    sock = socket.socket()
    sock.set_inheritable(True)
    with subprocess.Popen([sys.executable, __file__, "inherited", str(sock.fileno())],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          pass_fds=[sock.fileno()]) as child:
        same(child.stdout.readline(), b"ready\n", "the child's word")
        connect_and_talk(sock, port)
        child.communicate(b"go\n")
        same(child.returncode, 0, "the child's exit status")
    end(sock)


def stranger(number, execs=0):
    """Starts with a socket that another process has connected since it was passed on."""
    sock = socket.socket(fileno=number)
    all_say(sock, "EACCES", "EACCES", "as a program that was just started")
    if execs > 0:
        os.execv(sys.executable, [sys.executable, __file__, "stranger", str(number),
                                  str(execs - 1)])


def client_loading(port):
    """Connected after the child's exec has begun, and before its program could look."""
    sock = socket.socket()
    sock.set_inheritable(True)
    here, there = socket.socketpair()

    def work():
        same(there.recv(1), b"c", "the parent's word")
        os.execv(sys.executable, [sys.executable, __file__, "stranger", str(sock.fileno()),
                                  "1"])
    pid = in_child(work)
    connect_and_talk(sock, port)
    here.sendall(b"c")
    wait_for(pid)
    end(sock)


def client_system(port):
    """The same for a program that libc starts by itself."""
    sock = socket.socket()
    sock.set_inheritable(True)
    pid, here = child_that_connects(sock, port)
    command = f"'{sys.executable}' '{__file__}' stranger {sock.fileno()}"
    same(os.system(command), 0, "the status of system()")
    here.sendall(b"g")
    wait_for(pid)


def client_again(port):
    """A socket whose first attempt has failed may be anybody's again."""
    sock = socket.socket()
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    same(error_of(sock.connect, closed.getsockname()), "ECONNREFUSED", "nobody listens")
    pid, here = child_that_connects(sock, port)
    same(error_of(sock.connect, ("127.0.0.1", port)), "EISCONN", "connected once more")
    all_say(sock, "EACCES", "EACCES", "after the child has connected it")
    here.sendall(b"g")
    wait_for(pid)


run(globals())
