/*
 * Authenticated encryption with wolfCrypt, one expanded key for each direction.
 *
 * The expanded key belongs to one process; it is made again when dir->epoch says that
 * the key in the (possibly shared) record is another one.
 */
#ifndef SHIM_RECORD_AEAD_H
#define SHIM_RECORD_AEAD_H

#include "shim/record/nonce.h"
#include "shim/record/record.h"

#define RECORD_AEAD_TAG_LEN 16

/* One record's worth of work. */
struct record_aead_job {
    const uint8_t *nonce; /* RECORD_NONCE_LEN bytes */
    const uint8_t *aad;
    size_t aad_len;
    uint8_t *data; /* sealed in place */
    uint8_t *out;  /* opened to this place: data itself, or other memory */
    size_t len;    /* without the tag */
    uint8_t *tag;  /* RECORD_AEAD_TAG_LEN bytes: written by seal, compared by open */
};

/* Returns the length of the suite's key in bytes. */
size_t record_aead_key_len(uint8_t suite);

void record_aead_done(struct record_aead *aead); /* wipes it: it is zeros, as at first */

/*
 * Seals or opens with the key in dir, whose lock the caller holds.
 *
 * Returns  0; -EBADMSG what was to be opened is not authentic (nothing of it is in out);
 *          -EIO wolfCrypt failed otherwise.
 * Safe     allocates nothing; one thread at a time for each aead (dir's lock).
 * Source   RFC 5116; RFC 8439.
 */
int record_aead_seal(struct record_aead *aead, uint8_t suite,
                     const struct record_dir *dir, const struct record_aead_job *job)
    __attribute__((warn_unused_result));
int record_aead_open(struct record_aead *aead, uint8_t suite,
                     const struct record_dir *dir, const struct record_aead_job *job)
    __attribute__((warn_unused_result));

#endif
