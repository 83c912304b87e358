/* sendfile, splice, sendmmsg and recvmmsg: many bytes or messages in one call. */
#include "tests/fidelity/fidelity.h"

#include <sys/mman.h>

static char buf[1 << 20];

/* A file of that many bytes. */
static int
make_file(size_t len)
{
    int fd = memfd_create("fidelity", 0);
    char *data = t_data(len, 9);
    if (write(fd, data, len) != (ssize_t)len) {
        abort();
    }
    lseek(fd, 0, SEEK_SET);
    return fd;
}

/* Reads up to the end. */
static void
take_all(struct t *t)
{
    size_t done = 0;
    ssize_t n;
    while ((n = read(t->fd, buf + done, sizeof(buf) - done)) > 0 ||
           (n < 0 && errno == EAGAIN)) {
        done += n > 0 ? (size_t)n : 0;
        t_await(t, t->fd, POLLIN);
    }
    t_bytes(t, buf, (long)done);
    t_tell(t);
}

/* ---- sendfile
 * ------------------------------------------------------------------------------- */

static void
send_file(struct t *t)
{
    int file = make_file(100000);
    off_t offset = 5;
    T(sendfile(t->fd, file, NULL, 10));
    T(lseek(file, 0, SEEK_CUR));
    T(sendfile(t->fd, file, &offset, 20));
    t_say(t, "offset %ld", (long)offset);
    T(lseek(file, 0, SEEK_CUR));
    T(sendfile(t->fd, file, NULL, 0));
    T(sendfile(t->fd, file, NULL, 20000));
    T(lseek(file, 0, SEEK_CUR));
    offset = 99990;
    T(sendfile(t->fd, file, &offset, 1000));
    T(sendfile(t->fd, file, &offset, 1000));
    t_say(t, "offset %ld", (long)offset);
    offset = 200000;
    T(sendfile(t->fd, file, &offset, 1000));
    offset = -1;
    T(sendfile(t->fd, file, &offset, 1000));
    T(sendfile64(t->fd, file, NULL, 7));
    T(sendfile(t->fd, -1, NULL, 10));
    T(sendfile(-1, file, NULL, 10));
    T(sendfile(t->fd, t->fd, NULL, 10));
    T(sendfile(t->fd, file, t_bad_page(), 10));
    T(sendfile(file, t->fd, NULL, 10));
    T(shutdown(t->fd, SHUT_WR));
    offset = 0;
    T(sendfile(t->fd, file, &offset, 10));
    t_say(t, "offset %ld", (long)offset);
    t_wait(t);
}

static void
send_file_whole(struct t *t)
{
    size_t len = (size_t)t->param;
    int file = make_file(len);
    size_t done = 0;
    while (done < len) {
        ssize_t n = sendfile(t->fd, file, NULL, len - done);
        if (n < 0 && errno == EAGAIN) {
            t_await(t, t->fd, POLLOUT);
            continue;
        }
        if (n <= 0) {
            t_say(t, "sendfile at %zu: %zd %s", done, n, strerrorname_np(errno));
            break;
        }
        done += (size_t)n;
    }
    T(lseek(file, 0, SEEK_CUR));
    T(shutdown(t->fd, SHUT_WR));
    t_wait(t);
}

static void
send_file_from_pipe(struct t *t)
{
    int ends[2];
    off_t offset = 0;
    T(pipe(ends));
    T(write(ends[1], "0123456789", 10));
    T(sendfile(t->fd, ends[0], &offset, 10));
    T(sendfile(t->fd, ends[0], NULL, 10));
    T(sendfile(t->fd, ends[1], NULL, 10));
    T(shutdown(t->fd, SHUT_WR));
    t_wait(t);
}

/* ---- from a pipe to the socket
 * ---------------------------------------------------------------- */

static void
splice_out(struct t *t)
{
    int ends[2];
    off64_t offset = 0;
    T(pipe(ends));
    T(splice(ends[0], NULL, t->fd, NULL, 100, SPLICE_F_NONBLOCK));
    T_BLOCKS(splice(ends[0], NULL, t->fd, NULL, 100, 0));
    T(write(ends[1], "0123456789", 10));
    T(splice(ends[0], NULL, t->fd, NULL, 4, 0));
    T(splice(ends[0], NULL, t->fd, NULL, 100, SPLICE_F_MORE));
    T(splice(ends[0], NULL, t->fd, NULL, 100, SPLICE_F_NONBLOCK));
    T(write(ends[1], "abcdef", 6));
    T(splice(ends[0], NULL, t->fd, NULL, 0, 0));
    T(splice(ends[0], &offset, t->fd, NULL, 3, 0));
    T(splice(ends[0], NULL, t->fd, &offset, 3, 0));
    T(splice(ends[0], NULL, t->fd, NULL, 3, 0x100));
    T(splice(ends[1], NULL, t->fd, NULL, 3, 0));
    T(splice(-1, NULL, t->fd, NULL, 3, 0));
    T(splice(ends[0], NULL, -1, NULL, 3, 0));
    T(splice(t->fd, NULL, t->fd, NULL, 3, SPLICE_F_NONBLOCK));
    T(splice(ends[0], NULL, t->fd, NULL, 3, SPLICE_F_MOVE));
    T(close(ends[1]));
    T(splice(ends[0], NULL, t->fd, NULL, 100, 0));
    T(splice(ends[0], NULL, t->fd, NULL, 100, 0));
    T(splice(ends[0], NULL, t->fd, NULL, 100, SPLICE_F_NONBLOCK));
    T(shutdown(t->fd, SHUT_WR));
    t_wait(t);
}

static void
splice_out_ended(struct t *t)
{
    int ends[2];
    T(pipe(ends));
    T(write(ends[1], "0123456789", 10));
    T(shutdown(t->fd, SHUT_WR));
    T(splice(ends[0], NULL, t->fd, NULL, 10, 0));
    t_wait(t);
}

/* More than the socket takes: nothing of what is left in the pipe is lost. */
static void
splice_out_full(struct t *t)
{
    int ends[2];
    T(pipe2(ends, O_NONBLOCK));
    t_fill_up(t->fd);
    T(write(ends[1], "0123456789", 10));
    T_BLOCKS(splice(ends[0], NULL, t->fd, NULL, 10, 0));
    int left = 0;
    T(ioctl(ends[0], FIONREAD, &left));
    t_say(t, "%d left", left);
    t_tell(t);
    t_wait(t);
    t_await(t, t->fd, POLLOUT);
    T(splice(ends[0], NULL, t->fd, NULL, 10, 0));
    T(shutdown(t->fd, SHUT_WR));
    t_tell(t);
    t_wait(t);
}

static void
take_full(struct t *t)
{
    struct pollfd ready = {.fd = t->fd, .events = POLLIN};
    t_wait(t);
    while (poll(&ready, 1, 80) == 1 && recv(t->fd, buf, sizeof(buf), MSG_DONTWAIT) > 0) {
    }
    t_tell(t);
    t_wait(t);
    size_t len = t_read_all(t, t->fd, buf, sizeof(buf));
    t_bytes(t, buf, (long)len);
    t_tell(t);
}

/* A megabyte by way of the pipe, in pieces as large as it holds. */
static void
splice_out_large(struct t *t)
{
    int ends[2];
    char *data = t_data(sizeof(buf), 8);
    size_t written = 0, sent = 0;
    if (pipe2(ends, O_NONBLOCK) != 0) {
        return;
    }
    while (sent < sizeof(buf)) {
        ssize_t n = write(ends[1], data + written, sizeof(buf) - written);
        written += n > 0 ? (size_t)n : 0;
        n = splice(ends[0], NULL, t->fd, NULL, 100000, SPLICE_F_NONBLOCK);
        if (n > 0) {
            sent += (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            t_await(t, t->fd, POLLOUT);
        } else {
            t_say(t, "splice: %zd %s", n, strerrorname_np(errno));
            break;
        }
    }
    T(shutdown(t->fd, SHUT_WR));
    t_wait(t);
}

/* ---- from the socket to a pipe
 * -------------------------------------------------------------------- */

static void
give(struct t *t)
{
    t_wait(t);
    T(write(t->fd, "0123456789", 10));
    t_tell(t);
    t_wait(t);
    T(shutdown(t->fd, SHUT_WR));
    t_tell(t);
    t_wait(t);
}

static void
splice_in(struct t *t)
{
    int ends[2];
    off64_t offset = 0;
    T(pipe2(ends, O_NONBLOCK));
    T_BLOCKS(splice(t->fd, NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK));
    T(close(ends[0]));
    T(close(ends[1]));
    T(pipe(ends));
    T_BLOCKS(splice(t->fd, NULL, ends[1], NULL, 100, 0));
    t_tell(t);
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    T(splice(t->fd, &offset, ends[1], NULL, 3, 0));
    T(splice(t->fd, NULL, ends[1], &offset, 3, 0));
    T(splice(t->fd, NULL, ends[0], NULL, 3, 0));
    T(splice(t->fd, NULL, ends[1], NULL, 3, 0x100));
    T(splice(t->fd, NULL, ends[1], NULL, 0, 0));
    T(splice(t->fd, NULL, ends[1], NULL, 4, 0));
    T(splice(t->fd, NULL, ends[1], NULL, 100, SPLICE_F_MOVE));
    T_BLOCKS(splice(t->fd, NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK));
    long n = T(read(ends[0], buf, 100));
    t_bytes(t, buf, n);
    t_tell(t);
    t_wait(t);
    t_await(t, t->fd, POLLRDHUP);
    T(splice(t->fd, NULL, ends[1], NULL, 100, 0));
    T_BLOCKS(splice(t->fd, NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK));
    T(close(ends[0]));
    T(splice(t->fd, NULL, ends[1], NULL, 100, 0));
    t_tell(t);
}

static void
splice_in_full(struct t *t)
{
    int ends[2];
    T(pipe2(ends, O_NONBLOCK));
    while (write(ends[1], buf, 4096) > 0) {
    }
    t_tell(t);
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    T(splice(t->fd, NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK));
    T(splice(t->fd, NULL, ends[1], NULL, 100, 0));
    T(recv(t->fd, buf, 100, MSG_PEEK));
    T(read(ends[0], buf, 8192));
    T(splice(t->fd, NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK));
    t_tell(t);
    t_wait(t);
    t_tell(t);
}

static void
give_large(struct t *t)
{
    t_write_all(t, t->fd, t_data(sizeof(buf), 7), sizeof(buf));
    T(shutdown(t->fd, SHUT_WR));
    t_wait(t);
}

static void
splice_in_large(struct t *t)
{
    int ends[2];
    size_t done = 0;
    if (pipe2(ends, O_NONBLOCK) != 0) {
        return;
    }
    for (;;) {
        ssize_t n = splice(t->fd, NULL, ends[1], NULL, 100000, SPLICE_F_NONBLOCK);
        if (n == 0) {
            break;
        }
        if (n < 0 && errno != EAGAIN) {
            t_say(t, "splice: %zd %s", n, strerrorname_np(errno));
            break;
        }
        if (n < 0) {
            t_await(t, t->fd, POLLIN);
        }
        while ((n = read(ends[0], buf + done, sizeof(buf) - done)) > 0) {
            done += (size_t)n;
        }
    }
    t_bytes(t, buf, (long)done);
    t_tell(t);
}

/* sendfile() from a socket. */
static void
send_file_to_pipe(struct t *t)
{
    int ends[2];
    off_t offset = 0;
    T(pipe(ends));
    t_tell(t);
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    T(sendfile(ends[1], t->fd, &offset, 4));
    T(sendfile(ends[1], t->fd, NULL, 4));
    long n = T(read(ends[0], buf, 4));
    t_bytes(t, buf, n);
    T(recv(t->fd, buf, 100, 0));
    t_tell(t);
    t_wait(t);
    t_tell(t);
}

/* ---- sendmmsg, recvmmsg
 * ------------------------------------------------------------------------------ */

static void
send_messages(struct t *t)
{
    struct iovec iov[3] = {{"abc", 3}, {"", 0}, {"defgh", 5}};
    struct mmsghdr msgs[3] = {0};
    for (int i = 0; i < 3; i++) {
        msgs[i].msg_hdr.msg_iov = &iov[i];
        msgs[i].msg_hdr.msg_iovlen = 1;
        msgs[i].msg_len = 77;
    }
    T(sendmmsg(t->fd, msgs, 3, 0));
    t_say(t, "%u %u %u", msgs[0].msg_len, msgs[1].msg_len, msgs[2].msg_len);
    T(sendmmsg(t->fd, msgs, 0, 0));
    T(sendmmsg(t->fd, NULL, 2, 0));
    msgs[1].msg_hdr.msg_iov = &(struct iovec){NULL, 5};
    T(sendmmsg(t->fd, msgs, 3, MSG_NOSIGNAL));
    T(shutdown(t->fd, SHUT_WR));
    T(sendmmsg(t->fd, msgs, 3, 0));
    T(sendmmsg(t->fd, msgs, 3, MSG_NOSIGNAL));
    t_wait(t);
}

static void
give_message(struct t *t)
{
    T(write(t->fd, "0123456789", 10));
    T(shutdown(t->fd, SHUT_WR));
    t_tell(t);
    t_wait(t);
}

static void
receive_messages(struct t *t)
{
    struct iovec iov[3] = {{buf, 4}, {buf + 4, 4}, {buf + 8, 4}};
    struct mmsghdr msgs[3] = {0};
    struct timespec limit = {0, 0};
    for (int i = 0; i < 3; i++) {
        msgs[i].msg_hdr.msg_iov = &iov[i];
        msgs[i].msg_hdr.msg_iovlen = 1;
        msgs[i].msg_len = 77;
    }
    t_wait(t);
    t_await(t, t->fd, POLLRDHUP);
    T(recvmmsg(t->fd, msgs, 0, 0, NULL));
    T(recvmmsg(t->fd, NULL, 1, 0, NULL));
    if (t->param == 0) {
        T(recvmmsg(t->fd, msgs, 2, MSG_WAITFORONE, NULL));
    } else if (t->param == 1) {
        T(recvmmsg(t->fd, msgs, 3, 0, &limit));
    } else {
        T(recvmmsg(t->fd, msgs, 3, MSG_DONTWAIT, NULL));
    }
    t_say(t, "%u %u %u", msgs[0].msg_len, msgs[1].msg_len, msgs[2].msg_len);
    t_bytes(t, buf, 12);
    limit.tv_nsec = -1;
    T(recvmmsg(t->fd, msgs, 3, 0, &limit));
    t_tell(t);
}

const struct scenario scenarios_transfer[] = {
    {"transfer.sendfile", take_all, send_file, 0, 0, NULL},
    {"transfer.sendfile.1000", take_all, send_file_whole, 1000, 0, NULL},
    {"transfer.sendfile.16384", take_all, send_file_whole, 16384, 0, NULL},
    {"transfer.sendfile.65537", take_all, send_file_whole, 65537, 0, NULL},
    {"transfer.sendfile.1000000", take_all, send_file_whole, 1000000, 0, NULL},
    {"transfer.sendfile.from_pipe", take_all, send_file_from_pipe, 0, 0, NULL},
    {"transfer.sendfile.to_pipe", give, send_file_to_pipe, 0, 0, NULL},
    {"transfer.splice.out", take_all, splice_out, 0, 0, NULL},
    {"transfer.splice.out_ended", take_all, splice_out_ended, 0, 0, NULL},
    {"transfer.splice.out_full", take_full, splice_out_full, 0, T_DIRECT, NULL},
    {"transfer.splice.out_large", take_all, splice_out_large, 0, 0, NULL},
    {"transfer.splice.in", give, splice_in, 0, 0, NULL},
    {"transfer.splice.in_full", give, splice_in_full, 0, 0, NULL},
    {"transfer.splice.in_large", give_large, splice_in_large, 0, 0, NULL},
    {"transfer.sendmmsg", take_all, send_messages, 0, 0, NULL},
    {"transfer.recvmmsg.waitforone", give_message, receive_messages, 0, 0, NULL},
    {"transfer.recvmmsg.limit", give_message, receive_messages, 1, 0, NULL},
    {"transfer.recvmmsg.dontwait", give_message, receive_messages, 2, 0, NULL},
    {0},
};
