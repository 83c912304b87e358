/*
 * A position in a list of buffers of the caller.
 */
#ifndef SHIM_RECORD_IOV_H
#define SHIM_RECORD_IOV_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct record_iov {
    const struct iovec *next; /* the buffer that `at` lies in */
    int count;                /* buffers left, with that one */
    size_t at;                /* bytes of it that are done */
    size_t left;              /* bytes of all that are not */
};

/* Starts at the first byte of iov[0..count); what exceeds SSIZE_MAX is not looked at. */
struct record_iov record_iov_make(const struct iovec *iov, int count);

/* Copies len <= pos->left bytes out of the buffers, unless they lie there already, and
 * steps over them. */
void record_iov_gather(struct record_iov *pos, uint8_t *to, size_t len);

/* Copies len <= pos->left bytes into the buffers, and steps over them. */
void record_iov_scatter(struct record_iov *pos, const uint8_t *from, size_t len);

#endif
