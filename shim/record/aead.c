#include "shim/record/aead.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/chacha20_poly1305.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/memory.h>

#define CACHE_LINE_LEN 64

struct record_aead {
    _Atomic uint64_t epoch; /* of the key that is expanded here; 0 = none */
    bool has_aes;
    union {
        Aes aes;
        ChaChaPoly_Aead chacha; /* lives for one record; here so that it gets wiped */
    };
};

size_t
record_aead_key_len(uint8_t suite)
{
    return suite == RECORD_AES_128_GCM ? 16 : 32;
}

struct record_aead *
record_aead_new(void)
{
    size_t len =
        (sizeof(struct record_aead) + CACHE_LINE_LEN - 1) & ~(size_t)(CACHE_LINE_LEN - 1);
    struct record_aead *aead = aligned_alloc(CACHE_LINE_LEN, len);

    if (aead != NULL) {
        memset(aead, 0, len);
    }
    return aead;
}

void
record_aead_free(struct record_aead *aead)
{
    if (aead == NULL) {
        return;
    }
    if (aead->has_aes) {
        wc_AesFree(&aead->aes);
    }
    wc_ForceZero(aead, sizeof(*aead));
    free(aead);
}

/* Expands the AES key if it is not the one that is there. */
static int
expand(struct record_aead *aead, uint8_t suite, const struct record_dir *dir)
{
    if (aead->epoch == dir->epoch) {
        return 0;
    }
    /* A fork in the middle of this must not find the new epoch with half a key. */
    aead->epoch = 0;
    if (!aead->has_aes && wc_AesInit(&aead->aes, NULL, INVALID_DEVID) != 0) {
        return -EIO;
    }
    aead->has_aes = true;
    if (wc_AesGcmSetKey(&aead->aes, dir->key, (word32)record_aead_key_len(suite)) != 0) {
        return -EIO;
    }
    aead->epoch = dir->epoch;
    return 0;
}

static int
chacha(ChaChaPoly_Aead *state, const struct record_dir *dir,
       const struct record_aead_job *job, int is_encrypt,
       uint8_t tag[RECORD_AEAD_TAG_LEN])
{
    if (wc_ChaCha20Poly1305_Init(state, dir->key, job->nonce, is_encrypt) != 0 ||
        wc_ChaCha20Poly1305_UpdateAad(state, job->aad, (word32)job->aad_len) != 0 ||
        wc_ChaCha20Poly1305_UpdateData(state, job->data, job->data, (word32)job->len) !=
            0 ||
        wc_ChaCha20Poly1305_Final(state, tag) != 0) {
        return -EIO;
    }
    return 0;
}

int
record_aead_seal(struct record_aead *aead, uint8_t suite, const struct record_dir *dir,
                 const struct record_aead_job *job)
{
    if (suite == RECORD_CHACHA20_POLY1305) {
        return chacha(&aead->chacha, dir, job, CHACHA20_POLY1305_AEAD_ENCRYPT, job->tag);
    }
    int err = expand(aead, suite, dir);

    if (err == 0 &&
        wc_AesGcmEncrypt(&aead->aes, job->data, job->data, (word32)job->len, job->nonce,
                         RECORD_NONCE_LEN, job->tag, RECORD_AEAD_TAG_LEN, job->aad,
                         (word32)job->aad_len) != 0) {
        err = -EIO;
    }
    return err;
}

static int
open_in_place(struct record_aead *aead, uint8_t suite, const struct record_dir *dir,
              const struct record_aead_job *job)
{
    int err;

    if (suite == RECORD_CHACHA20_POLY1305) {
        uint8_t tag[RECORD_AEAD_TAG_LEN];

        err = chacha(&aead->chacha, dir, job, CHACHA20_POLY1305_AEAD_DECRYPT, tag);
        if (err == 0 && wc_ChaCha20Poly1305_CheckTag(job->tag, tag) != 0) {
            err = -EBADMSG;
        }
        return err;
    }
    err = expand(aead, suite, dir);
    if (err != 0) {
        return err;
    }
    err = wc_AesGcmDecrypt(&aead->aes, job->data, job->data, (word32)job->len, job->nonce,
                           RECORD_NONCE_LEN, job->tag, RECORD_AEAD_TAG_LEN, job->aad,
                           (word32)job->aad_len);
    return err == 0 ? 0 : err == AES_GCM_AUTH_E ? -EBADMSG : -EIO;
}

int
record_aead_open(struct record_aead *aead, uint8_t suite, const struct record_dir *dir,
                 const struct record_aead_job *job)
{
    int err = open_in_place(aead, suite, dir, job);

    if (err != 0) {
        wc_ForceZero(job->data, job->len);
    }
    return err;
}
