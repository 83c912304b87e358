"""Echo servers in event loops of every kind: server_NAME(port) and client_NAME(port)."""

import asyncio
import select
import selectors
import socket

from common import dial, listen, payload, run, same

DATA = payload(1_000_000)
CLIENTS = 8


class Echo:
    """A non-blocking echo on one connection, reading in small bites."""

    def __init__(self, sock, bite, drain):
        sock.setblocking(False)
        self.sock, self.bite, self.drain = sock, bite, drain
        self.queue = bytearray()
        self.eof = False

    def on_readable(self):
        while len(self.queue) < 200_000 or self.drain:
            try:
                data = self.sock.recv(self.bite)
            except BlockingIOError:
                return
            if not data:
                self.eof = True
                return
            self.queue += data
            if not self.drain:
                return

    def on_writable(self):
        try:
            while self.queue:
                del self.queue[:self.sock.send(self.queue)]
        except BlockingIOError:
            pass

    @property
    def done(self):
        return self.eof and not self.queue


def serve_with_poller(port, register, wait, change, bite, drain=False):
    """An event loop over any poller; ends when CLIENTS connections have ended."""
    listener = listen(port)
    listener.setblocking(False)
    register(listener.fileno(), True, False)
    echoes, ended = {}, 0
    while ended < CLIENTS:
        events = wait()
        same(bool(events), True, "something happened within the time")
        for fd, readable, writable in events:
            if fd == listener.fileno():
                try:
                    while True:
                        conn = listener.accept()[0]
                        echoes[conn.fileno()] = Echo(conn, bite, drain)
                        register(conn.fileno(), True, drain)
                except BlockingIOError:
                    continue
            echo = echoes[fd]
            if readable and not echo.eof:
                echo.on_readable()
            echo.on_writable()
            if echo.done:
                change(fd, False, False)
                echo.sock.close()
                del echoes[fd]
                ended += 1
            elif not drain:
                change(fd, not echo.eof and len(echo.queue) < 200_000, bool(echo.queue))


def server_select(port):
    reading, writing = set(), set()

    def change(fd, read, write):
        (reading.add if read else reading.discard)(fd)
        (writing.add if write else writing.discard)(fd)

    def wait():
        readable, writable, _ = select.select(reading, writing, [], 20)
        return [(fd, fd in readable, fd in writable) for fd in {*readable, *writable}]
    serve_with_poller(port, change, wait, change, 1000)


def server_poll(port):
    poller = select.poll()

    def change(fd, read, write):
        if read or write:
            poller.register(fd, read * select.POLLIN | write * select.POLLOUT)
        elif fd in known:
            poller.unregister(fd)
        known.add(fd)
    known = set()

    def wait():
        return [(fd, bool(e & ~select.POLLOUT), bool(e & select.POLLOUT))
                for fd, e in poller.poll(20_000)]
    serve_with_poller(port, change, wait, change, 100)


def epoll_server(port, flags, bite, drain):
    poller = select.epoll()

    def bits(read, write):
        return flags | read * select.EPOLLIN | write * select.EPOLLOUT

    def change(fd, read, write):
        if read or write:
            poller.modify(fd, bits(read, write))
        else:
            poller.unregister(fd)

    def wait():
        return [(fd, bool(e & ~select.EPOLLOUT), bool(e & select.EPOLLOUT))
                for fd, e in poller.poll(20)]
    serve_with_poller(port, lambda fd, r, w: poller.register(fd, bits(r, w)), wait, change,
                      bite, drain)


def server_epoll(port):
    epoll_server(port, 0, 1000, False)


def server_epoll_edge(port):
    epoll_server(port, select.EPOLLET, 1000, True)


def server_selectors(port):
    selector = selectors.DefaultSelector()
    read_bit, write_bit = selectors.EVENT_READ, selectors.EVENT_WRITE

    def change(fd, read, write):
        if fd in selector.get_map():
            selector.unregister(fd)
        if read or write:
            selector.register(fd, read * read_bit | write * write_bit)

    def wait():
        return [(key.fd, bool(e & read_bit), bool(e & write_bit))
                for key, e in selector.select(20)]
    serve_with_poller(port, change, wait, change, 30_000)


def client_echoes(port):
    """CLIENTS connections at a time, each sends and reads everything by select."""
    socks = [dial(port) for _ in range(CLIENTS)]
    sent = dict.fromkeys(socks, 0)
    got = {sock: bytearray() for sock in socks}
    for sock in socks:
        sock.setblocking(False)
    while any(len(data) < len(DATA) for data in got.values()):
        writers = [sock for sock in socks if sent[sock] < len(DATA)]
        readable, writable, _ = select.select(socks, writers, [], 20)
        same(bool(readable or writable), True, "something happened within the time")
        for sock in writable:
            try:
                sent[sock] += sock.send(DATA[sent[sock]:sent[sock] + 50_000])
            except BlockingIOError:
                pass
        for sock in readable:
            try:
                data = sock.recv(70_000)
            except BlockingIOError:
                continue
            same(bool(data), True, "data, not the end")
            got[sock] += data
    for sock in socks:
        same(bytes(got[sock]), DATA, "echo")
        sock.setblocking(True)
        sock.shutdown(socket.SHUT_WR)
        same(sock.recv(10), b"", "end of stream")
        sock.close()


def server_asyncio(port):
    async def main():
        ended = asyncio.Semaphore(0)

        async def serve(reader, writer):
            while data := await reader.read(10_000):
                writer.write(data)
                await writer.drain()
            writer.close()
            await writer.wait_closed()
            ended.release()
        async with await asyncio.start_server(serve, "127.0.0.1", port):
            for _ in range(CLIENTS):
                await asyncio.wait_for(ended.acquire(), 30)
    asyncio.run(main())


def client_asyncio(port):
    async def one():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def write():
            for start in range(0, len(DATA), 30_000):
                writer.write(DATA[start:start + 30_000])
                await writer.drain()
            writer.write_eof()
        task = asyncio.create_task(write())
        same(await reader.read(-1), DATA, "echo")
        await task
        writer.close()

    async def main():
        await asyncio.wait_for(asyncio.gather(*[one() for _ in range(CLIENTS)]), 40)
    asyncio.run(main())


run(globals())
