/*
 * The record layer: TLS 1.3 and TLS 1.2 AEAD records on a flat struct.
 *
 * struct record holds no pointer, so that it can live in memory shared over fork and,
 * later, cross exec.  What belongs to one process (expanded AEAD keys, the addresses of
 * the buffers) is in struct record_conn.
 *
 * No function here ever blocks: all system calls are made with MSG_DONTWAIT.  Waiting
 * is the caller's business and is done without any lock held.
 *
 * Readiness: undelivered plaintext always has at least one unread byte behind it in the
 * kernel's receive queue (the sentinel), so that poll on the raw socket tells the truth.
 * An end of stream by close_notify is made lasting with shutdown(SHUT_RD), which for poll
 * and recv is what a FIN is, and sends nothing; an error of ours with SHUT_RDWR.
 */
#ifndef SHIM_RECORD_RECORD_H
#define SHIM_RECORD_RECORD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#define RECORD_PLAINTEXT_MAX 16384
#define RECORD_HEADER_LEN 5
#define RECORD_CIPHERTEXT_MAX (RECORD_HEADER_LEN + RECORD_PLAINTEXT_MAX + 256)
#define RECORD_BATCH_COUNT 4 /* full records sealed per send */
#define RECORD_BATCH_PLAINTEXT_MAX (RECORD_BATCH_COUNT * RECORD_PLAINTEXT_MAX)

/* Sizes of the two buffers that belong to a record; untouched pages cost nothing. */
#define RECORD_RX_BUFFER_LEN 69632 /* one record, or what is peeked at of several */
#define RECORD_TX_BUFFER_LEN 69632 /* one sealed batch, rounded up to pages; a ticket */

/*
 * Where in a page records are put, so that their plaintext begins at 64.  Programs'
 * buffers begin at 0 or 16, and "rep movs", which kernel and libc copy with, takes 20
 * times as long on AMD's Zen 3 and 4 when its destination is 1 to 15 bytes after its
 * source, modulo 4096.
 */
#define RECORD_SKEW (64 - RECORD_HEADER_LEN)

#define RECORD_TICKET_LEN_MAX 384 /* of our own NewSessionTicket messages */
#define RECORD_HELD_LEN_MAX 2048  /* sealed, in wait of what MSG_MORE has announced */
#define RECORD_TX_QUEUE_LEN (RECORD_TX_BUFFER_LEN - RECORD_TICKET_LEN_MAX)

enum record_suite {
    RECORD_AES_128_GCM,
    RECORD_AES_256_GCM,
    RECORD_CHACHA20_POLY1305,
};

/* The real system calls; each as its libc namesake, but no cancellation point: lock.h.
 * Filled in once, before any use. */
struct record_io {
    ssize_t (*recv)(int fd, void *buf, size_t len, int flags);
    ssize_t (*send)(int fd, const void *buf, size_t len, int flags);
    int (*shutdown)(int fd, int how);
    int (*inq)(int fd); /* bytes that have come: tcp(7), SIOCINQ; -1 = an error */
};
extern struct record_io record_io;

struct record_conn;

/*
 * Gets each NewSessionTicket of TLS 1.3 that came within one record; NULL = nobody does.
 * Set once, before any use.
 *
 *   body  in  the message without its header; not checked
 *
 * Called with the lock of rx held, wherever record_read() may be called: it must not
 * wait, allocate or change errno.
 */
extern void (*record_ticket_taker)(struct record_conn *conn, const uint8_t *body,
                                   size_t len);

/* What a handshake hands over for one direction. */
struct record_secrets {
    uint8_t key[32];
    uint8_t iv[12];     /* TLS 1.3 and ChaCha20: 12 bytes; TLS 1.2 GCM: 4 (salt) */
    uint8_t secret[48]; /* TLS 1.3: application traffic secret, for KeyUpdate */
    uint64_t seq;       /* of the next record */
};

/* Messages between the records of application data; guarded by the lock of rx. */
struct record_control {
    uint8_t message[5];       /* TLS 1.3: what has come of a handshake message */
    uint8_t message_len;      /* bytes in it */
    uint32_t message_rest;    /* bytes of a ticket still to be skipped */
    uint16_t handshake_count; /* handshake records since the last application data */
    uint8_t key_update_count; /* KeyUpdates since then */
    uint8_t idle_count;       /* empty records and ignored warnings since then */
};

/* One direction. Its lock guards it; reader and writer sit on separate cache lines. */
struct record_dir {
    pthread_mutex_t lock; /* process-shared, robust */
    uint64_t seq;
    uint64_t epoch; /* grows with each new key, so that cached AEADs notice */
    uint8_t key[32];
    uint8_t iv[12];
    uint8_t secret[48];
    uint32_t start; /* first byte of what is kept in this direction's buffer */
    uint32_t len;   /* its length */
    /* rx: ciphertext of an incomplete record or, with leftover set, plaintext.
     * tx: sealed bytes that the kernel has not taken yet. */
    uint32_t sentinel; /* rx: bytes of opened records that were left in the kernel */
    bool leftover;
    bool small_reads;    /* rx: the last record did not fit what the program asked for */
    bool held;           /* tx: what is kept waits for more; the kernel was not asked */
    uint8_t touched;     /* this direction's buffer has pages to give back: looks at
                            it, by record_trim(), until they are */
    uint32_t reach;      /* and has been written to so far, but for the ticket's place;
                            from record_touch() alone */
    _Atomic bool closed; /* rx: close_notify came; tx: close_notify was sealed */
    _Atomic int error;   /* negative errno that ended this direction, 0 while alive */
    _Atomic uint64_t bytes; /* plaintext delivered or accepted so far */
} __attribute__((aligned(64)));

struct record {
    uint16_t version; /* 0x0303 or 0x0304 */
    uint8_t suite;    /* enum record_suite */
    uint8_t hash_len; /* 32 or 48: hash of the suite, for KeyUpdate */
    bool truncation_is_eof;
    _Atomic bool truncated;     /* a FIN came without close_notify, and was an error */
    _Atomic bool input_ignored; /* record_ignore_input: a FIN is an end of stream */
    _Atomic bool key_update_wanted; /* the peer asked; sent before our next record */
    bool key_update_request;    /* and it asks the peer for one; under the lock of tx */
    _Atomic uint8_t alert_sent; /* description of the fatal alert sent, 255 = none */
    _Atomic uint8_t alert_received; /* description of the fatal alert got, 255 = none */
    struct record_control control;
    bool had_ticket;     /* the ticket's place in the buffer of tx has been used */
    uint16_t ticket_len; /* 0 = none waits. TLS 1.3 server: goes out before our first
                            data; at the end of the buffer of tx, under its lock */
    struct record_dir rx, tx;
};

/*
 * What this process has carried in one direction: written under the direction's lock,
 * read by anybody, also by other processes.  A cache line of its own.
 */
struct record_count {
    _Atomic uint64_t bytes; /* plaintext delivered or accepted */
    _Atomic uint64_t records;
} __attribute__((aligned(64)));

#define RECORD_AEAD_SCHEDULE_LEN 240
#define RECORD_AEAD_HASH_KEY_LEN 16

/* The expanded key of one direction; private to record/. All zeros: none yet. */
struct record_aead {
    _Atomic uint64_t epoch; /* of the key that is expanded here; 0 = none */
    uint8_t schedule[RECORD_AEAD_SCHEDULE_LEN];
    uint8_t hash_key[RECORD_AEAD_HASH_KEY_LEN];
};

/* One process's view of a record. Zeroed by record_conn_init. */
struct record_conn {
    struct record *rec;
    uint8_t *rx_buffer; /* RECORD_RX_BUFFER_LEN bytes, zero pages at first */
    uint8_t *tx_buffer; /* RECORD_TX_BUFFER_LEN bytes */
    struct record_aead rx_aead, tx_aead;   /* under the direction's lock */
    struct record_count *_Atomic rx_count; /* the owner's; NULL = nobody counts */
    struct record_count *_Atomic tx_count;
};

/*
 * Prepares the locks of a zeroed record; keys come later.
 *
 * Returns  0 or -errno of pthread_mutex_init.
 */
int record_init(struct record *rec);

/*
 * Gives a record its keys: from here on it carries application data.
 *
 *   read, write  in  copied; the caller wipes its own
 *
 * Returns  0; -EINVAL for a version, suite or hash length that is not supported.
 */
int record_start(struct record *rec, uint16_t version, enum record_suite suite,
                 uint8_t hash_len, const struct record_secrets *read,
                 const struct record_secrets *write);

/*
 * Has a NewSessionTicket go out in front of the first application data, by the same
 * system call: by itself it would cost a packet, and a client that has closed meanwhile
 * would answer with a reset, which plain TCP gives only to who writes.
 *
 *   message  in  with its header, to be sent as it is; of TLS 1.3, and longer than
 *                RECORD_TICKET_LEN_MAX it is not sent
 *
 * To be called before the record is used.
 */
void record_give_ticket(struct record_conn *conn, const uint8_t *message, size_t len);

bool record_ticket_waits(const struct record_conn *conn); /* a hint, without the lock */

/*
 * Sends the ticket that still waits by itself. Only for a connection that is idle: the
 * peer has sent nothing that was not read, and has not closed.
 *
 * Returns  0 none waits, or it will have to wait for data; -EAGAIN some is pending;
 *          -errno (sticky).
 */
int record_send_ticket(struct record_conn *conn, int fd)
    __attribute__((warn_unused_result));

/* Wipes all secrets and destroys the locks; nobody may be using the record. */
void record_done(struct record *rec);

/* Binds this process's view. */
void record_conn_init(struct record_conn *conn, struct record *rec, uint8_t *rx_buffer,
                      uint8_t *tx_buffer);

/* Wipes the expanded keys; the record and its buffers are the owner's. */
void record_conn_done(struct record_conn *conn);

/*
 * Reads plaintext without blocking.
 *
 *   fd         in   the socket
 *   iov,count  out  where plaintext goes; nothing is written past the returned count
 *   flags      in   MSG_PEEK: as recv(2), as far as RECORD_RX_BUFFER_LEN goes;
 *                   other flags are ignored
 *
 * Reads on while there is room and the kernel has data, so a short count means that
 * nothing more was there.
 *
 * Returns  > 0 bytes; 0 end of stream (close_notify; FIN when truncation_is_eof or
 *          after record_ignore_input); -EAGAIN nothing yet; -ECONNRESET the peer sent
 *          a fatal alert or cut the stream short; -EPROTO the peer broke the protocol
 *          (the fitting alert was sent and the socket shut down); other -errno of recv.
 *          Errors are sticky.
 *          -EFAULT for a bad buffer is not detected here.
 * Safe     any number of threads and processes; not from a signal handler that
 *          interrupted the same direction of the same record (-EDEADLK then).
 * Source   RFC 8446 sections 5 and 6; RFC 5246 section 6.2.3.3; RFC 5288; RFC 7905.
 */
ssize_t record_read(struct record_conn *conn, int fd, const struct iovec *iov, int count,
                    int flags);

/*
 * Works on what has come in without delivering anything, so that the answer holds for
 * the next record_read: handles tickets, KeyUpdates and alerts, assembles a record.
 *
 * Returns  1 a read would not give -EAGAIN; 0 it would.
 */
int record_readable(struct record_conn *conn, int fd);

/* Bytes of plaintext that are deliverable now (FIONREAD); see queue.h for how exact. */
size_t record_available(struct record_conn *conn, int fd);

/*
 * Seals and sends plaintext without blocking: pending bytes first, then as many batches
 * as the kernel takes.  Bytes counted as accepted are either in the kernel or pending.
 *
 *   flags  in  flags for the real send (MSG_NOSIGNAL, MSG_MORE); MSG_DONTWAIT is added.
 *              With MSG_MORE up to RECORD_HELD_LEN_MAX sealed bytes are held: the next
 *              write takes them along, or record_flush() sends them, which is due within
 *              the 200 ms of tcp(7)
 *
 * Returns  > 0 bytes accepted (short: the kernel is full); 0 for a total length of 0;
 *          -EAGAIN nothing was accepted; -EPIPE after record_close_notify (no signal is
 *          raised here); -errno of send (sticky; for EPIPE the kernel raises SIGPIPE
 *          each time, as flags say); -EPROTO, -ECONNRESET when reading found the end;
 *          -EKEYEXPIRED TLS 1.2 has no more sequence numbers (sticky); -EDEADLK in a
 *          signal handler, as above; -ENOMEM for want of a staging area (not sticky).
 */
ssize_t record_write(struct record_conn *conn, int fd, const struct iovec *iov, int count,
                     int flags);

/*
 * Where the plaintext of a batch is to lie in a stage so that record_write() seals it in
 * place: it then is ciphertext.  It may lie so and be copied all the same.
 *
 *   stage  in   the thread's own: see stage.h
 *   len    in   what there is
 *   iov    out  at most RECORD_BATCH_PLAINTEXT_MAX of it
 *
 * Returns  how many pieces.
 */
int record_write_layout(const struct record_conn *conn, uint8_t *stage, size_t len,
                        struct iovec iov[RECORD_BATCH_COUNT]);

/* Sends pending bytes. Returns 0 when none are left, -EAGAIN, or -errno (sticky). */
int record_flush(struct record_conn *conn, int fd);
bool record_pending(const struct record_conn *conn); /* a hint, without the lock */
size_t record_held(
    const struct record_conn *conn); /* the same: bytes, for MSG_MORE's sake */

/*
 * Seals a close_notify once and gives the kernel what it takes.  Reading goes on.  The
 * caller ends TCP's stream next: the kernel waits for that, to send both in one segment.
 *
 * Returns  0 all is out; -EAGAIN something is pending: record_flush() later; -errno.
 */
int record_close_notify(struct record_conn *conn, int fd);

/*
 * Asks for a KeyUpdate of our sending keys, with or without asking the peer for one too.
 * TLS 1.3 only. It goes out before the next record (also by itself near the AEAD limit).
 *
 * Returns  0; -EOPNOTSUPP for TLS 1.2.
 */
int record_key_update(struct record_conn *conn, int fd, bool request_peer);

/*
 * Takes what no program would have seen (a sentinel, tickets, close_notify) out of the
 * kernel's queue before the last close, so that the kernel closes with FIN, not RST.
 * Undelivered application data stays: a plain socket would reset, too.
 *
 * Returns  1 the peer has ended its stream; -EAGAIN nothing is there, or nothing that can
 *          be told now; 0 application data is, or the connection is broken.
 */
int record_drain(struct record_conn *conn, int fd);

/*
 * Moves a started record, with what its buffers hold, to memory of its own.  For whoever
 * still has the old one, reading and writing end with -EPIPE.
 *
 *   to    out  its rec and buffers are set and zeroed; gets expanded keys
 *   from  in   loses its secrets
 *
 * Returns  0; -EDEADLK from a signal handler; -ENOMEM; -ECONNRESET: nothing has moved.
 */
int record_move(struct record_conn *to, struct record_conn *from, int fd)
    __attribute__((warn_unused_result));

/*
 * Takes over a record that somebody else has written, who need not mean well: what does
 * not fit together is refused, and locks are made anew.  What the buffers hold (start and
 * len of both directions) is the caller's to copy.
 *
 *   to    out  its rec and buffers are set and zeroed; gets expanded keys
 *   from  in   a copy that nobody can change any more
 *
 * Returns  0; -EINVAL; -ENOMEM.
 */
int record_import(struct record_conn *to, const struct record *from)
    __attribute__((warn_unused_result));

/*
 * Ends both directions for a reason that is not the peer's records: it is sent the fatal
 * alert, as far as the kernel takes it, and whoever waits for fd wakes up.
 *
 *   fd   in  -1 = none is to be had
 *   err  in  negative errno, sticky
 */
void record_cut(struct record_conn *conn, int fd, uint8_t alert, int err);

/* From here on a FIN reads as end of stream: the program itself shut the reading side. */
void record_ignore_input(struct record_conn *conn);

/*
 * Gives back the pages (madvise) of buffers that hold nothing, and did not when this was
 * called the last time, nor in between; cheap when there are none.
 *
 * Returns  whether there are pages left that may go the next time.
 */
bool record_trim(struct record_conn *conn);

#define RECORD_TOUCHED 2 /* until record_trim() has been called so often */

/*
 * Notes that a direction's buffer is written to; under its lock.
 *
 *   end  in  offset behind the last byte; 0: only the place of a ticket is
 */
static inline void
record_touch(struct record_dir *dir, size_t end)
{
    __atomic_store_n(&dir->touched, RECORD_TOUCHED, __ATOMIC_RELAXED); /* or without it */
    dir->reach = end > dir->reach ? (uint32_t)end : dir->reach;
}

#endif
