"""A server that speaks first, as SMTP's do: speaks_first.py PORT HOW

HOW: echo   a banner, then an echo, in a thread for each connection
     close  a banner, and the connection is closed at once
     exit   the same, and the program ends
     half   a banner and shutdown(SHUT_WR), then what the client says goes to stdout
     epoll  a banner, then an echo, from an edge-triggered loop that never blocks
     fork   a child for each connection sends the banner and echoes
     hand   the banner is written before that, and the child takes its time
     exec   the connection becomes stdin and stdout of "cat", after the banner
     pass   a worker gets each connection by SCM_RIGHTS, and does as echo does
     large  two megabytes are written before anything is read
"""

import array
import os
import select
import socket
import sys
import threading
import time

BANNER = b"220 banner MTLS-TEST-MARKER\r\n"
LARGE = (b"%06d|" * 1000 % tuple(range(1000))) * 300


def echo(conn):
    with conn:
        while data := conn.recv(65536):
            conn.sendall(data)


def greet(conn):
    conn.sendall(BANNER)
    echo(conn)


def half(conn):
    with conn:
        conn.sendall(BANNER)
        conn.shutdown(socket.SHUT_WR)
        data = b""
        while more := conn.recv(65536):
            data += more
        print("heard", data.decode(), flush=True)


def in_child(conn):
    if os.fork() == 0:
        greet(conn)
        os._exit(0)
    conn.close()


def hand_over(conn):
    conn.sendall(BANNER)
    if os.fork() == 0:
        time.sleep(0.3)
        echo(conn)
        os._exit(0)
    conn.close()


def by_exec(conn):
    if os.fork() == 0:
        conn.sendall(BANNER)
        os.dup2(conn.fileno(), 0)
        os.dup2(conn.fileno(), 1)
        conn.close()
        os.execvp("cat", ["cat"])
    conn.close()


def large(conn):
    conn.sendall(LARGE)
    echo(conn)


def worker(channel):
    while True:
        data, parts, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(4))
        if not data:
            os._exit(0)
        fds = array.array("i")
        fds.frombytes(parts[0][2])
        threading.Thread(target=greet, args=(socket.socket(fileno=fds[0]),)).start()


def passing():
    near, far = socket.socketpair()
    if os.fork() == 0:
        near.close()
        worker(far)
    far.close()

    def give(conn):
        near.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                               array.array("i", [conn.fileno()]))])
        conn.close()
    return give


def loop(listener):
    """Reads and writes only when epoll says so, each until EAGAIN."""
    poller = select.epoll()
    poller.register(listener.fileno(), select.EPOLLIN)
    conns, queues = {}, {}
    while True:
        for fd, events in poller.poll():
            if fd == listener.fileno():
                conn, _ = listener.accept()
                conn.setblocking(False)
                conns[conn.fileno()], queues[conn.fileno()] = conn, bytearray(BANNER)
                poller.register(conn.fileno(),
                                select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
                continue
            ended = False
            try:
                while events & ~select.EPOLLOUT:
                    data = conns[fd].recv(10)
                    if not data:
                        ended = True
                        break
                    queues[fd] += data
            except BlockingIOError:
                pass
            except ConnectionResetError:
                ended = True
            try:
                while queues[fd]:
                    del queues[fd][:conns[fd].send(queues[fd])]
            except (BlockingIOError, ConnectionResetError, BrokenPipeError):
                pass
            if ended:
                conns.pop(fd).close()


def main():
    how = sys.argv[2]
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64) as listener:
        if how == "epoll":
            loop(listener)
        serve = {"half": half, "fork": in_child, "hand": hand_over, "exec": by_exec,
                 "large": large}.get(how)
        serve = passing() if how == "pass" else serve
        while True:
            conn, _ = listener.accept()
            if how in ("close", "exit"):
                conn.sendall(BANNER)
                conn.close()
                if how == "exit":
                    os._exit(0)
            elif how in ("fork", "hand", "exec", "pass"):
                serve(conn)
            else:
                threading.Thread(target=serve or greet, args=(conn,), daemon=True).start()


main()
