#include "shim/record/aead.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/chacha20_poly1305.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/memory.h>

/* What else is in an Aes, two thirds of it, is tables for processors without instructions
 * for this: there it is made again for each record. */
#if defined(WOLFSSL_AESNI)
#define NEEDS_TABLES(aes) (!(aes)->use_aesni)
#define HAS_INSTRUCTIONS(aes) ((aes)->use_aesni = 1)
#elif defined(__aarch64__) && defined(WOLFSSL_ARMASM) &&                                 \
    !defined(WOLFSSL_ARMASM_NO_HW_CRYPTO)
#define NEEDS_TABLES(aes) (!(aes)->use_aes_hw_crypto || !(aes)->use_pmull_hw_crypto)
#define HAS_INSTRUCTIONS(aes) ((aes)->use_aes_hw_crypto = (aes)->use_pmull_hw_crypto = 1)
#else
#define NEEDS_TABLES(aes) true
#define HAS_INSTRUCTIONS(aes) ((void)(aes))
#endif

_Static_assert(sizeof(((Aes *)NULL)->key) == RECORD_AEAD_SCHEDULE_LEN &&
                   sizeof(((Aes *)NULL)->gcm.H) == RECORD_AEAD_HASH_KEY_LEN &&
                   offsetof(Aes, key) == 0,
               "what is kept is all of it");

size_t
record_aead_key_len(uint8_t suite)
{
    return suite == RECORD_AES_128_GCM ? 16 : 32;
}

void
record_aead_done(struct record_aead *aead)
{
    wc_ForceZero(aead, sizeof(*aead));
}

/* Makes aes, and keeps of it what is worth keeping. */
static int
expand(Aes *aes, struct record_aead *aead, uint8_t suite, const struct record_dir *dir)
{
    /* A fork in the middle of this must not find the new epoch with half a key. */
    aead->epoch = 0;
    memset(aes, 0, sizeof(*aes));
    if (wc_AesInit(aes, NULL, INVALID_DEVID) != 0 ||
        wc_AesGcmSetKey(aes, dir->key, (word32)record_aead_key_len(suite)) != 0) {
        return -EIO;
    }
    if (!NEEDS_TABLES(aes)) {
        memcpy(aead->schedule, aes->key, sizeof(aead->schedule));
        memcpy(aead->hash_key, aes->gcm.H, sizeof(aead->hash_key));
        atomic_signal_fence(memory_order_seq_cst);
        aead->epoch = dir->epoch;
    }
    return 0;
}

/* All but the key schedule, and the tables that nobody reads then. */
static void
clear_rest(Aes *aes)
{
    char *start = (char *)aes;

    memset(start + sizeof(aes->key), 0, offsetof(Aes, gcm) - sizeof(aes->key));
    memset(start + offsetof(Aes, gcm) + sizeof(aes->gcm), 0,
           sizeof(*aes) - offsetof(Aes, gcm) - sizeof(aes->gcm));
}

/* The key of dir, ready for use; to be wiped with wipe(). */
static int
prepare(Aes *aes, struct record_aead *aead, uint8_t suite, const struct record_dir *dir)
{
    if (aead->epoch != dir->epoch) {
        return expand(aes, aead, suite, dir);
    }
    clear_rest(aes);
    aes->keylen = (int)record_aead_key_len(suite);
    aes->rounds = (word32)aes->keylen / 4 + 6; /* FIPS 197, section 5 */
    /* All of it: gcc copies a length that it does not know by "rep movs", 100 cycles. */
    memcpy(aes->key, aead->schedule, sizeof(aead->schedule));
    memcpy(aes->gcm.H, aead->hash_key, sizeof(aead->hash_key));
    HAS_INSTRUCTIONS(aes);
    return 0;
}

static void
wipe(Aes *aes)
{
    bool has_tables = NEEDS_TABLES(aes);

    wc_ForceZero(aes->key, sizeof(aes->key));
    wc_ForceZero(&aes->gcm, has_tables ? sizeof(aes->gcm) : sizeof(aes->gcm.H));
}

static int
chacha(const struct record_dir *dir, const struct record_aead_job *job, uint8_t *out,
       int is_encrypt, uint8_t tag[RECORD_AEAD_TAG_LEN])
{
    ChaChaPoly_Aead state;
    int err = 0;

    if (wc_ChaCha20Poly1305_Init(&state, dir->key, job->nonce, is_encrypt) != 0 ||
        wc_ChaCha20Poly1305_UpdateAad(&state, job->aad, (word32)job->aad_len) != 0 ||
        wc_ChaCha20Poly1305_UpdateData(&state, job->data, out, (word32)job->len) != 0 ||
        wc_ChaCha20Poly1305_Final(&state, tag) != 0) {
        err = -EIO;
    }
    wc_ForceZero(&state, sizeof(state));
    return err;
}

int
record_aead_seal(struct record_aead *aead, uint8_t suite, const struct record_dir *dir,
                 const struct record_aead_job *job)
{
    if (suite == RECORD_CHACHA20_POLY1305) {
        return chacha(dir, job, job->data, CHACHA20_POLY1305_AEAD_ENCRYPT, job->tag);
    }
    Aes aes;
    int err = prepare(&aes, aead, suite, dir);

    if (err == 0 &&
        wc_AesGcmEncrypt(&aes, job->data, job->data, (word32)job->len, job->nonce,
                         RECORD_NONCE_LEN, job->tag, RECORD_AEAD_TAG_LEN, job->aad,
                         (word32)job->aad_len) != 0) {
        err = -EIO;
    }
    wipe(&aes);
    return err;
}

static int
open_chacha(const struct record_dir *dir, const struct record_aead_job *job)
{
    uint8_t tag[RECORD_AEAD_TAG_LEN];

    int err = chacha(dir, job, job->out, CHACHA20_POLY1305_AEAD_DECRYPT, tag);
    if (err == 0 && wc_ChaCha20Poly1305_CheckTag(job->tag, tag) != 0) {
        err = -EBADMSG;
    }
    return err;
}

static int
open_aes(struct record_aead *aead, uint8_t suite, const struct record_dir *dir,
         const struct record_aead_job *job)
{
    Aes aes;
    int err = prepare(&aes, aead, suite, dir);

    if (err == 0) {
        err = wc_AesGcmDecrypt(&aes, job->out, job->data, (word32)job->len, job->nonce,
                               RECORD_NONCE_LEN, job->tag, RECORD_AEAD_TAG_LEN, job->aad,
                               (word32)job->aad_len);
        err = err == 0 ? 0 : err == AES_GCM_AUTH_E ? -EBADMSG : -EIO;
    }
    wipe(&aes);
    return err;
}

int
record_aead_open(struct record_aead *aead, uint8_t suite, const struct record_dir *dir,
                 const struct record_aead_job *job)
{
    int err = suite == RECORD_CHACHA20_POLY1305 ? open_chacha(dir, job)
                                                : open_aes(aead, suite, dir, job);

    if (err != 0) {
        wc_ForceZero(job->out, job->len);
    }
    return err;
}
