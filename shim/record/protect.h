/*
 * One record: its header, its limits, sealing and opening it.
 */
#ifndef SHIM_RECORD_PROTECT_H
#define SHIM_RECORD_PROTECT_H

#include "shim/record/record.h"

#define RECORD_INNER_TYPE_LEN 1 /* TLS 1.3 hides the type behind the plaintext */

/* What is in an opened record. */
struct record_content {
    uint8_t type; /* enum record_type; of TLS 1.3 the inner type */
    uint8_t *data;
    size_t len;
};

/* Returns how many bytes of every record are not plaintext; at least. */
size_t record_protect_overhead(const struct record *rec);

/* Returns where in a record its plaintext starts, for sealing in place. */
size_t record_protect_prefix(const struct record *rec);

/*
 * Checks the RECORD_HEADER_LEN bytes that a record starts with.
 *
 *   alert  out  on failure: the alert to answer with
 *
 * Returns  the record's length with its header: at least the overhead and at most
 *          RECORD_CIPHERTEXT_MAX; -EPROTO when no such record may come.
 * Source   RFC 8446 sections 5.1 and 5.2; RFC 5246 section 6.2.
 */
ssize_t record_protect_check(const struct record *rec, const uint8_t *header,
                             uint8_t *alert) __attribute__((warn_unused_result));

/*
 * Seals len <= RECORD_PLAINTEXT_MAX bytes at buf + prefix into a record at buf, with the
 * sending key; the caller holds its lock and has room for the overhead.
 *
 * Returns  the record's length; -EKEYEXPIRED, -EIO.
 */
ssize_t record_protect_seal(struct record_conn *conn, uint8_t type, uint8_t *buf,
                            size_t len) __attribute__((warn_unused_result));

/*
 * Opens the record of total bytes (record_protect_check() has seen its header) at buf
 * with the receiving key; the caller holds its lock.
 *
 *   to       out  where its plaintext goes, with RECORD_INNER_TYPE_LEN more bytes; NULL:
 *                 it is opened in place
 *   content  out  points into that
 *   alert    out  on failure: the alert to answer with
 *
 * Returns  0; -EPROTO: nothing of the record's plaintext is left there.
 */
int record_protect_open(struct record_conn *conn, uint8_t *buf, size_t total, uint8_t *to,
                        struct record_content *content, uint8_t *alert)
    __attribute__((warn_unused_result));

#endif
