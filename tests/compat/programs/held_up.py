"""A call that waits for a handshake which does not go on, and signals meanwhile:
held_up.py PORT read|write INTERRUPTS. Prints what the call says."""

import ctypes
import errno
import signal
import sys

from common import dial

libc = ctypes.CDLL(None, use_errno=True)


def fill(sock):
    sock.setblocking(False)
    try:
        while True:
            sock.send(bytes(4096))
    except BlockingIOError:
        sock.setblocking(True)


def main():
    port, what, interrupts = int(sys.argv[1]), sys.argv[2], sys.argv[3] == "True"
    sock = dial(port)
    if what == "write":
        fill(sock)
    for number, flag in (signal.SIGALRM, interrupts), (signal.SIGUSR1, not interrupts):
        signal.signal(number, lambda *_: None)
        signal.siginterrupt(number, flag)
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    result = 1
    while result > 0:  # on plain TCP the kernel may find room for a few bytes yet
        result = getattr(libc, what)(sock.fileno(), ctypes.create_string_buffer(10), 10)
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(errno.errorcode[ctypes.get_errno()] if result < 0 else result)


main()
