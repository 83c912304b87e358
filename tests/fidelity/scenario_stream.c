/* Sizes: what is written in pieces of one size is read in pieces of another. */
#include "tests/fidelity/fidelity.h"

#define TOTAL                                                                            \
    40000 /* what is sure to fit the kernel's buffers, however it is written             \
           */
#define LARGE 3000000

/* param of the rows: written * 0x1000000 + read */
#define SIZES(written, read) ((long)(written)*0x1000000 + (read))

static size_t
written_size(const struct t *t)
{
    return (size_t)(t->param / 0x1000000);
}

static size_t
read_size(const struct t *t)
{
    return (size_t)(t->param % 0x1000000);
}

/* ---- all is there before the first read: every count is known
 * --------------------------------- */

static size_t
total_of(const struct t *t)
{
    /* The kernel counts each small piece as a buffer of its own. */
    return written_size(t) < 100 ? written_size(t) * 100 : TOTAL;
}

static void
write_pieces(struct t *t)
{
    int one = 1;
    size_t total = total_of(t);
    char *data = t_data(total, 1);
    setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    for (size_t done = 0; done < total; done += written_size(t)) {
        size_t len = total - done < written_size(t) ? total - done : written_size(t);
        ssize_t n = write(t->fd, data + done, len);
        if (n != (ssize_t)len) {
            t_say(t, "write at %zu = %zd %s", done, n, strerrorname_np(errno));
        }
    }
    t_sent(t, t->fd);
    t_tell(t);
    t_wait(t);
}

static void
read_pieces(struct t *t)
{
    size_t total = total_of(t);
    char *data = malloc(total + read_size(t));
    size_t done = 0;
    long count = 0;
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    for (;; count++) {
        int available = -1;
        if (count < 3) {
            ioctl(t->fd, FIONREAD, &available);
            t_say(t, "%s", available > 0 ? "something is there" : "nothing is there");
        }
        ssize_t n = done < total ? read(t->fd, data + done, read_size(t)) : 0;
        if (n <= 0) {
            break;
        }
        done += (size_t)n;
        if (count < 5 || done == total) {
            t_say(t, "read %zd", n);
        }
    }
    t_say(t, "%ld reads", count);
    t_bytes(t, data, (long)done);
    free(data);
    t_tell(t);
}

/* ---- peeked at first
 * ---------------------------------------------------------------------------- */

static void
peek_pieces(struct t *t)
{
    size_t len = read_size(t);
    char *data = malloc(TOTAL);
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    for (int i = 0; i < 4; i++) {
        memset(data, 0, len);
        long n = T(recv(t->fd, data, len, MSG_PEEK | MSG_DONTWAIT));
        t_bytes(t, data, n);
        n = T(recv(t->fd, data, len / 2, MSG_DONTWAIT));
        t_bytes(t, data, n);
    }
    free(data);
    t_tell(t);
}

/* ---- waited for in one call
 * ------------------------------------------------------------------------ */

static void
read_waitall(struct t *t)
{
    size_t len = read_size(t);
    char *data = malloc(len);
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    long n = T(recv(t->fd, data, len, MSG_WAITALL));
    t_bytes(t, data, n);
    free(data);
    t_tell(t);
}

/* ---- more than any buffer holds, both sides at work
 * ---------------------------------------------- */

static void
write_large(struct t *t)
{
    char *data = t_data(LARGE, 2);
    for (size_t done = 0; done < LARGE; done += written_size(t)) {
        size_t left = LARGE - done;
        t_write_all(t, t->fd, data + done,
                    left < written_size(t) ? left : written_size(t));
    }
    T(shutdown(t->fd, SHUT_WR));
    t_wait(t);
}

static void
read_large(struct t *t)
{
    char *data = malloc(LARGE + read_size(t));
    size_t done = 0;
    size_t n;
    do {
        n = t_read_all(t, t->fd, data + done, read_size(t));
        done += n;
    } while (n == read_size(t) && done < LARGE);
    t_bytes(t, data, (long)done);
    t_await(t, t->fd, POLLRDHUP);
    T(read(t->fd, data, 1));
    free(data);
    t_tell(t);
}

/* ---- there and back, at the same time
 * --------------------------------------------------------------- */

static void
duplex(struct t *t)
{
    char *out = t_data(LARGE, t->accepting ? 3 : 4);
    char *in = malloc(LARGE);
    size_t sent = 0;
    size_t received = 0;
    while (sent < LARGE || received < LARGE) {
        struct pollfd wanted = {
            .fd = t->fd,
            .events =
                (short)((sent < LARGE ? POLLOUT : 0) | (received < LARGE ? POLLIN : 0)),
        };
        if (poll(&wanted, 1, 4000) != 1) {
            t_say(t, "no progress: sent %zu, received %zu", sent, received);
            break;
        }
        if ((wanted.revents & POLLIN) != 0) {
            size_t len =
                LARGE - received < read_size(t) ? LARGE - received : read_size(t);
            ssize_t n = read(t->fd, in + received, len);
            received += n > 0 ? (size_t)n : 0;
        }
        if ((wanted.revents & POLLOUT) != 0) {
            size_t len = LARGE - sent < written_size(t) ? LARGE - sent : written_size(t);
            ssize_t n = write(t->fd, out + sent, len);
            sent += n > 0 ? (size_t)n : 0;
        }
    }
    t_bytes(t, in, (long)received);
    free(in);
    t_meet(t);
}

/* ---- a full buffer
 * --------------------------------------------------------------------------------- */

/* How much fits is the kernel's affair; that the same is read is ours. */
static void
fill_up(struct t *t)
{
    size_t done = t_fill_up(t->fd);
    t_say(t, "%s", done > 0 ? "something was sent" : "nothing");
    t_tell(t); /* full */
    T_BLOCKS(write(t->fd, "a", 1));
    T(send(t->fd, "a", 1, MSG_DONTWAIT));
    t_tell(t);
    t_wait(t); /* half of it has been read */
    t_await(t, t->fd, POLLOUT);
    T(send(t->fd, "!", 1, MSG_DONTWAIT));
    T(shutdown(t->fd, SHUT_WR));
    t_say(t, "the end");
    t_tell(t);
    t_wait(t);
}

static void
empty_out(struct t *t)
{
    char *data = malloc(1 << 20);
    t_wait(t);
    t_wait(t);
    for (;;) {
        struct pollfd ready = {.fd = t->fd, .events = POLLIN};
        if (poll(&ready, 1, 50) != 1) {
            break;
        }
        (void)recv(t->fd, data, 1 << 20, MSG_DONTWAIT);
    }
    t_tell(t);
    t_wait(t);
    size_t n = t_read_all(t, t->fd, data, 1 << 20);
    t_say(t, "then \"%.*s\"", (int)n, data);
    free(data);
    t_tell(t);
}

#define PIECES(written, read)                                                            \
    {                                                                                    \
        "stream.pieces." #written "_" #read, write_pieces, read_pieces,                  \
            SIZES(written, read), T_DIRECT, NULL                                         \
    }
#define PEEK(written, read)                                                              \
    {                                                                                    \
        "stream.peek." #written "_" #read, write_pieces, peek_pieces,                    \
            SIZES(written, read), T_DIRECT, NULL                                         \
    }
#define WAITALL(written, read)                                                           \
    {                                                                                    \
        "stream.waitall." #written "_" #read, write_pieces, read_waitall,                \
            SIZES(written, read), T_DIRECT | T_BLOCKING, NULL                            \
    }
#define LARGE_ROW(written, read)                                                         \
    {                                                                                    \
        "stream.large." #written "_" #read, write_large, read_large,                     \
            SIZES(written, read), 0, NULL                                                \
    }
#define DUPLEX(written, read)                                                            \
    {                                                                                    \
        "stream.duplex." #written "_" #read, duplex, duplex, SIZES(written, read),       \
            T_NONBLOCKING, NULL                                                          \
    }

const struct scenario scenarios_stream[] = {
    PIECES(1, 1),
    PIECES(1, 7),
    PIECES(1, 100),
    PIECES(1, 1000000),
    PIECES(7, 1),
    PIECES(7, 3),
    PIECES(7, 1000),
    PIECES(100, 1),
    PIECES(100, 99),
    PIECES(100, 101),
    PIECES(100, 4096),
    PIECES(1000, 16384),
    PIECES(1400, 4),
    PIECES(1400, 1400),
    PIECES(4096, 1),
    PIECES(4096, 4096),
    PIECES(4096, 8192),
    PIECES(8191, 8192),
    PIECES(16383, 100),
    PIECES(16384, 1),
    PIECES(16384, 16383),
    PIECES(16384, 16384),
    PIECES(16384, 16385),
    PIECES(16385, 16384),
    PIECES(16385, 5),
    PIECES(40000, 1),
    PIECES(40000, 13),
    PIECES(40000, 1000),
    PIECES(40000, 16384),
    PIECES(40000, 20000),
    PIECES(40000, 65536),
    PIECES(40000, 1000000),
    PEEK(1, 10),
    PEEK(100, 50),
    PEEK(100, 1000),
    PEEK(4096, 100),
    PEEK(4096, 4096),
    PEEK(16384, 16384),
    PEEK(40000, 100),
    PEEK(40000, 16384),
    PEEK(40000, 20000),
    PEEK(40000, 40000),
    WAITALL(1, 100),
    WAITALL(7, 700),
    WAITALL(100, 40000),
    WAITALL(16384, 40000),
    WAITALL(40000, 40000),
    LARGE_ROW(1000, 1000000),
    LARGE_ROW(10000, 500),
    LARGE_ROW(16384, 16384),
    LARGE_ROW(65536, 65536),
    LARGE_ROW(3000000, 4096),
    LARGE_ROW(3000000, 3000000),
    DUPLEX(1000, 1000000),
    DUPLEX(16384, 16384),
    DUPLEX(3000000, 100000),
    DUPLEX(3000000, 3000000),
    {"stream.full", fill_up, empty_out, 0, T_DIRECT, NULL},
    {0},
};
