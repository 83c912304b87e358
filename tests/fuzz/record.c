/*
 * Whatever a peer sends, the record layer neither crashes nor spins, delivers nothing
 * that was not sealed for it, and keeps poll right.
 *
 * Byte 0 of an input says how: bits 0-2 the suite, bit 3 whether the rest is put on the
 * wire as it is or sealed first.  Byte 1: how it is read.  What is to be sealed comes as
 * pieces of: type, two bytes of length, padding, content.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/record/record.h"
#include "tests/lib/fuzz.h"
#include "tests/lib/record_wire.h"

#define WIRE_LEN_MAX 100000
#define PIECE_HEADER_LEN 4

static uint8_t *buffers;
static uint8_t wire_bytes[WIRE_LEN_MAX + 20000];
static uint8_t expected[WIRE_LEN_MAX]; /* application data that was sealed */
static size_t expected_len;
static const uint8_t *given; /* what the wire is made of */
static size_t given_len;

/* What is handed up as a ticket has come as one piece, sealed for us. */
static void
take_ticket(struct record_conn *conn, const uint8_t *body, size_t len)
{
    require(conn->rec->version == 0x0304 && len > 0);
    require(memmem(given, given_len, body, len) != NULL);
}

static struct wire
make_wire(uint8_t how)
{
    static const enum record_suite suites[] = {RECORD_AES_128_GCM, RECORD_AES_256_GCM,
                                               RECORD_CHACHA20_POLY1305};
    struct wire wire = {
        .version = (how & 4) != 0 ? 0x0303 : 0x0304,
        .suite = suites[(how & 3) % 3],
        .hash_len = (how & 3) == 1 ? 48 : 32,
    };

    memset(wire.keys.key, 'k', sizeof(wire.keys.key));
    memset(wire.keys.iv, 'i', sizeof(wire.keys.iv));
    memset(wire.keys.secret, 's', sizeof(wire.keys.secret));
    return wire;
}

/* Application data is to be delivered.  Behind a type 0 the type is the content's end. */
static void
expect(const struct wire *wire, uint8_t type, const uint8_t *data, size_t len)
{
    while (type == 0 && len > 0 && wire->version == 0x0304) {
        type = data[--len];
    }
    if (type == 23 && expected_len + len <= sizeof(expected)) {
        memcpy(expected + expected_len, data, len);
        expected_len += len;
    }
}

/* Seals the pieces of the input; what they hold is anything. Returns the length. */
static size_t
seal(struct wire *wire, const uint8_t *input, size_t len)
{
    size_t total = 0;

    while (len >= PIECE_HEADER_LEN && total < WIRE_LEN_MAX) {
        uint8_t type = input[0];
        size_t want = (size_t)(input[1] << 8 | input[2]) % 17000;
        size_t pad = input[3];

        input += PIECE_HEADER_LEN;
        len -= PIECE_HEADER_LEN;
        size_t n = want < len ? want : len;
        total += wire_seal(wire, type, input, n, pad, wire_bytes + total);
        expect(wire, type, input, n);
        if (wire->version == 0x0304 && type == 22 && n == 5 && input[0] == 24) {
            wire_update(wire);
        }
        input += n;
        len -= n;
    }
    return total;
}

static bool
is_readable(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};

    return poll(&pfd, 1, 0) == 1;
}

/* Reads until nothing comes; returns the last result. */
static ssize_t
read_all(struct record_conn *conn, int fd, uint8_t how, size_t *done)
{
    static uint8_t out[70000];
    static const size_t sizes[] = {1, 5, 16, 100, 4096, 16384, 65536, 70000};
    size_t size = sizes[how & 7];

    for (;;) {
        struct iovec iov[2] = {{out, size / 3}, {out + size / 3, size - size / 3}};

        if ((how & 8) != 0) {
            int readable = record_readable(conn, fd);
            require(!readable || is_readable(fd));
            require(readable || !is_readable(fd));
        }
        if ((how & 16) != 0) {
            size_t available = record_available(conn, fd);
            ssize_t n = record_read(conn, fd, iov, 2, MSG_PEEK);
            require((n > 0) == (available > 0));
            if (n < 0 && n != -EAGAIN) {
                return n; /* an error of the socket is told once */
            }
        }
        ssize_t n = record_read(conn, fd, iov, 2, 0);
        if (n <= 0) {
            return n;
        }
        require(*done + (size_t)n <= expected_len);
        require(memcmp(out, expected + *done, (size_t)n) == 0);
        *done += (size_t)n;
    }
}

static void
feed(struct record_conn *conn, const int fds[2], const uint8_t *wire, size_t len,
     uint8_t how)
{
    size_t step = (how & 32) != 0 ? 1 + len / 7 : len;
    size_t done = 0;
    ssize_t last = -EAGAIN;

    for (size_t at = 0; at < len && last == -EAGAIN; at += step) {
        size_t n = len - at < step ? len - at : step;

        require(send(fds[1], wire + at, n, MSG_NOSIGNAL) == (ssize_t)n);
        last = read_all(conn, fds[0], how, &done);
        require(last == -EAGAIN || is_readable(fds[0]));
    }
    if (last == -EAGAIN) {
        shutdown(fds[1], SHUT_WR);
        last = read_all(conn, fds[0], how, &done);
        require(last == -ECONNRESET || last == -EPROTO || last == 0);
    }
    /* It stays like that, but an error of the socket is told once. */
    ssize_t again = read_all(conn, fds[0], how, &done);
    require(again == last || (last == -ECONNRESET && again == 0));
    /* What is broken is left to the program, which may ask the socket why. */
    require(record_drain(conn, fds[0]) == (conn->rec->tx.error == 0));
    record_trim(conn);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
    struct record rec = {0};
    struct record_conn conn;
    int fds[2];
    int room = 1 << 20;

    if (len < 2 || len > WIRE_LEN_MAX) {
        return 0;
    }
    if (buffers == NULL) {
        buffers = mmap(NULL, RECORD_RX_BUFFER_LEN + RECORD_TX_BUFFER_LEN,
                       PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        record_io = (struct record_io){
            .recv = recv, .send = send, .shutdown = shutdown, .inq = wire_inq};
        record_ticket_taker = take_ticket;
    }
    expected_len = 0;
    given = input;
    given_len = len;
    struct wire wire = make_wire(input[0]);
    struct record_secrets write = wire.keys;
    require(record_init(&rec) == 0);
    require(record_start(&rec, wire.version, wire.suite, wire.hash_len, &wire.keys,
                         &write) == 0);
    record_conn_init(&conn, &rec, buffers, buffers + RECORD_RX_BUFFER_LEN);
    require(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    if ((input[0] & 8) != 0) {
        size_t n = seal(&wire, input + 2, len - 2);
        feed(&conn, fds, wire_bytes, n, input[1]);
    } else {
        feed(&conn, fds, input + 2, len - 2, input[1]);
    }
    close(fds[0]);
    close(fds[1]);
    record_conn_done(&conn);
    record_done(&rec);
    return 0;
}
