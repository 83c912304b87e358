#!/usr/bin/env python3
"""A TCP relay that records what passes, byte for byte, in both directions.

As a class:    with Relay(("127.0.0.1", 4433)) as relay: ... relay.port, relay.recordings
As a command:  relay.py [--listen HOST:PORT] --dir DIR TARGET_HOST:PORT
               prints the port it listens on; at SIGTERM or SIGINT it writes
               DIR/N.client and DIR/N.server for each connection and ends.

A FIN is passed on as a FIN after the bytes before it, a reset as a reset: the programs
at both ends see what they would see without the relay.
"""

import argparse
import errno
import os
import select
import signal
import socket
import struct
import sys
import threading

BUFFER_MAX = 1 << 20
CHUNK = 1 << 18


class Recording:
    """One connection: what the client sent, what the server sent, and how it ended."""

    def __init__(self):
        self.client = bytearray()
        self.server = bytearray()
        self.reset = False
        self.done = False


class _End:
    """One socket of a connection and the direction that is read from it."""

    def __init__(self, sock, record):
        self.sock = sock
        self.record = record      # bytes read from this socket
        self.queue = bytearray()  # bytes yet to be written to this socket
        self.eof = False          # its FIN was seen
        self.finish = False       # FIN is to be sent once the queue is empty
        self.finished = False     # FIN was sent
        self.peer = None
        self.connected = True
        self.events = None        # what epoll watches, None = not registered


class Relay:
    def __init__(self, target, listen=("127.0.0.1", 0)):
        self.target = target
        self.recordings = []
        family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(listen)
        self._listener.listen(512)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._wake_read, self._wake_write = os.pipe()
        self._epoll = select.epoll()
        self._ends = {}
        self._recording_of = {}
        self._command = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the relay; connections that are still open are reset."""
        if self._thread.is_alive():
            self._tell("stop")
            self._thread.join(10)

    def cut(self, how="fin"):
        """Ends all connections from the middle: "fin" or "reset"; returns when done."""
        self._done.clear()
        self._tell(how)
        self._done.wait(10)

    def _tell(self, command):
        self._command = command
        os.write(self._wake_write, b"x")

    # ---- the thread ----------------------------------------------------------------

    def _run(self):
        self._epoll.register(self._listener.fileno(), select.EPOLLIN)
        self._epoll.register(self._wake_read, select.EPOLLIN)
        running = True
        while running:
            for fd, events in self._epoll.poll():
                if fd == self._wake_read:
                    os.read(fd, 1)
                    running = self._obey(self._command)
                elif fd == self._listener.fileno():
                    self._accept()
                elif fd in self._ends:
                    self._serve(self._ends[fd], events)
        self._listener.close()
        self._epoll.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _obey(self, command):
        for end in list(self._ends.values()):
            if end.sock.fileno() >= 0:
                self._drop(end, reset=command != "fin")
        self._done.set()
        return command != "stop"

    def _accept(self):
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        family = socket.AF_INET6 if ":" in self.target[0] else socket.AF_INET
        server = socket.socket(family, socket.SOCK_STREAM)
        recording = Recording()
        self.recordings.append(recording)
        near, far = _End(client, recording.client), _End(server, recording.server)
        near.peer, far.peer = far, near
        for end in (near, far):
            end.sock.setblocking(False)
            end.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._ends[end.sock.fileno()] = end
            self._recording_of[end] = recording
        code = server.connect_ex(self.target)
        if code not in (0, errno.EINPROGRESS):
            self._drop(near, reset=True)
            return
        far.connected = code == 0
        self._watch(near)
        self._watch(far)

    def _serve(self, end, events):
        try:
            if not end.connected:
                code = end.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    raise OSError(code, "connect")
                end.connected = True
            if events & (select.EPOLLIN | select.EPOLLERR | select.EPOLLHUP):
                self._read(end)
            self._write(end)
            self._write(end.peer)
        except BlockingIOError:
            pass
        except OSError:
            self._drop(end, reset=True)
            return
        if end.eof and end.finished and end.peer.eof and end.peer.finished:
            self._drop(end, reset=False)
            return
        self._watch(end)
        self._watch(end.peer)

    def _read(self, end):
        if end.eof:
            code = end.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, "reset")
            return
        if len(end.peer.queue) >= BUFFER_MAX:
            return
        try:
            data = end.sock.recv(CHUNK)
        except BlockingIOError:
            return
        if data:
            end.record += data
            end.peer.queue += data
        else:
            end.eof = True
            end.peer.finish = True

    def _write(self, end):
        if not end.connected:
            return
        try:
            while end.queue:
                sent = end.sock.send(end.queue)
                del end.queue[:sent]
        except BlockingIOError:
            return
        if end.finish and not end.finished:
            end.finished = True
            end.sock.shutdown(socket.SHUT_WR)

    def _watch(self, end):
        """Brings epoll's idea of a socket up to date with what it waits for."""
        events = 0
        if not end.eof and end.connected and len(end.peer.queue) < BUFFER_MAX:
            events |= select.EPOLLIN
        if end.queue or not end.connected:
            events |= select.EPOLLOUT
        # Nothing more can come: leaving it in would report EPOLLHUP for ever.
        wanted = None if end.eof and end.finished else events
        if wanted == end.events:
            return
        if wanted is None:
            self._epoll.unregister(end.sock.fileno())
        elif end.events is None:
            self._epoll.register(end.sock.fileno(), wanted)
        else:
            self._epoll.modify(end.sock.fileno(), wanted)
        end.events = wanted

    def _drop(self, end, reset):
        recording = self._recording_of.pop(end, None)
        if recording:
            recording.reset = reset
            recording.done = True
        for one in (end, end.peer):
            self._recording_of.pop(one, None)
            fd = one.sock.fileno()
            if fd < 0:
                continue
            self._ends.pop(fd, None)
            if reset:
                try:
                    one.sock.send(one.queue)  # what was read before the reset came first
                except OSError:
                    pass
                linger = struct.pack("ii", 1, 0)
                one.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            one.sock.close()


def address(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)


def main():
    parser = argparse.ArgumentParser(description="recording TCP relay")
    parser.add_argument("--listen", type=address, default=("127.0.0.1", 0))
    parser.add_argument("--dir", required=True)
    parser.add_argument("target", type=address)
    options = parser.parse_args()
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    relay = Relay(options.target, options.listen)
    print(relay.port, flush=True)
    signal.sigwait(signals)
    relay.close()
    os.makedirs(options.dir, exist_ok=True)
    for number, recording in enumerate(relay.recordings):
        for side in ("client", "server"):
            with open(os.path.join(options.dir, f"{number}.{side}"), "wb") as file:
                file.write(getattr(recording, side))


if __name__ == "__main__":
    sys.exit(main())
