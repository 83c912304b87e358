#!/usr/bin/env python3
"""An echo server that says how each connection ends: keeper.py HOW PORT [USER]

HOW: threads   a thread blocks in recv for each connection
     prefork   processes accept from the same socket, each with threads
     forking   a process for each connection, forked after accept
     exec      as forking, and after the first data a program is executed
     loop      one thread, epoll, non-blocking sockets
     stubborn  as threads, and after an error of recv it goes on sending
Once it listens it becomes USER, for good.
"""

import errno
import json
import os
import pwd
import selectors
import socket
import sys
import threading
import time


def tell(peer, end):
    line = json.dumps({"peer": peer[1], "end": end}) + "\n"
    os.write(1, line.encode())


def name_of(error):
    return errno.errorcode.get(error.errno, str(error))


def serve(conn, peer):
    try:
        while data := conn.recv(4096):
            conn.sendall(data)
        tell(peer, "EOF")
    except OSError as error:
        tell(peer, name_of(error))
    conn.close()


def threads(listener):
    while True:
        conn, peer = listener.accept()
        threading.Thread(target=serve, args=(conn, peer), daemon=True).start()


def send_on(conn, peer):
    """Whatever the client does; it is told apart by the port plus 65536."""
    try:
        while conn.recv(4096):
            conn.sendall(b"ping")
    except OSError as error:
        tell(peer, name_of(error))
    try:
        while True:
            conn.sendall(b"more")
            time.sleep(0.05)
    except OSError as error:
        tell((peer[0], peer[1] + 65536), name_of(error))


def stubborn(listener):
    while True:
        conn, peer = listener.accept()
        threading.Thread(target=send_on, args=(conn, peer), daemon=True).start()


def prefork(listener):
    for _ in range(3):
        if os.fork() == 0:
            threads(listener)
    os.wait()


def forking(listener):
    while True:
        conn, peer = listener.accept()
        if os.fork() == 0:
            listener.close()
            serve(conn, peer)
            os._exit(0)
        conn.close()


def execute(listener):
    while True:
        conn, peer = listener.accept()
        if os.fork() == 0:
            listener.close()
            conn.sendall(conn.recv(4096))
            os.set_inheritable(conn.fileno(), True)
            os.execv(sys.executable, [sys.executable, __file__, "handle", str(conn.fileno())])
        conn.close()


def handle(fd):
    conn = socket.socket(fileno=fd)
    serve(conn, conn.getpeername())


def loop(listener):
    selector = selectors.EpollSelector()
    selector.register(listener, selectors.EVENT_READ)
    listener.setblocking(False)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                conn, peer = listener.accept()
                conn.setblocking(False)
                selector.register(conn, selectors.EVENT_READ, peer)
                continue
            try:
                data = key.fileobj.recv(4096)
                if data:
                    key.fileobj.sendall(data)
                    continue
                tell(key.data, "EOF")
            except BlockingIOError:
                continue
            except OSError as error:
                tell(key.data, name_of(error))
            selector.unregister(key.fileobj)
            key.fileobj.close()


def main():
    if sys.argv[1] == "handle":
        handle(int(sys.argv[2]))
        return
    listener = socket.create_server(("127.0.0.1", int(sys.argv[2])), backlog=128)
    if len(sys.argv) > 3:
        user = pwd.getpwnam(sys.argv[3])
        os.setgroups([])
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    ways = {"exec": execute}
    ways.get(sys.argv[1], globals().get(sys.argv[1]))(listener)


main()
