/*
 * What this machine's cores can do with the wolfCrypt that the library is linked with:
 * one line of JSON. AEAD is a record's: 16 KiB at once, key expanded beforehand; both
 * ways.
 *
 *   limits [SECONDS-EACH]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/curve25519.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>

#define RECORD_LEN 16384
#define DIGEST_LEN 32
#define HEADER_LEN 5
#define BATCH_COUNT 16

static WC_RNG rng;
static Aes aes;
static ecc_key signer;
static curve25519_key own;
static curve25519_key peer;
static byte record[RECORD_LEN];
static byte sealed[RECORD_LEN];
static byte nonce[GCM_NONCE_MID_SZ];
static byte header[HEADER_LEN];
static byte tag[WC_AES_BLOCK_SIZE];
static byte digest[DIGEST_LEN] = {1}; /* wolfCrypt signs no digest that is all 0 */
static byte signature[ECC_MAX_SIG_SIZE];
static word32 signature_len;

static int
seal(void)
{
    return wc_AesGcmEncrypt(&aes, sealed, record, RECORD_LEN, nonce, sizeof(nonce), tag,
                            sizeof(tag), header, HEADER_LEN);
}

static int
open_record(void)
{
    return wc_AesGcmDecrypt(&aes, record, sealed, RECORD_LEN, nonce, sizeof(nonce), tag,
                            sizeof(tag), header, HEADER_LEN);
}

static int
sign(void)
{
    signature_len = sizeof(signature);
    return wc_ecc_sign_hash(digest, DIGEST_LEN, signature, &signature_len, &rng, &signer);
}

static int
verify(void)
{
    int good = 0;
    int err =
        wc_ecc_verify_hash(signature, signature_len, digest, DIGEST_LEN, &good, &signer);

    return err ? err : !good;
}

static int
keygen(void)
{
    wc_curve25519_init(&own);
    return wc_curve25519_make_key(&rng, CURVE25519_KEYSIZE, &own);
}

static int
ecdh(void)
{
    byte secret[CURVE25519_KEYSIZE];
    word32 len = sizeof(secret);

    return wc_curve25519_shared_secret(&own, &peer, secret, &len);
}

static void
check(int err, const char *what)
{
    if (err != 0) {
        fprintf(stderr, "limits: %s: error %d\n", what, err);
        exit(EXIT_FAILURE);
    }
}

static double
cpu_now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Runs a step for so long on the processor; returns how often a second. */
static double
rate(int (*step)(void), const char *name, double seconds)
{
    double start = cpu_now();
    double took;
    long count = 0;

    do {
        for (int i = 0; i < BATCH_COUNT; i++) {
            check(step(), name);
        }
        count += BATCH_COUNT;
        took = cpu_now() - start;
    } while (took < seconds);
    return (double)count / took;
}

int
main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 0.3;
    const byte key[AES_128_KEY_SIZE] = {1};

    check(wc_InitRng(&rng), "random numbers");
    check(wc_AesInit(&aes, NULL, INVALID_DEVID), "AES");
    check(wc_AesGcmSetKey(&aes, key, sizeof(key)), "AES key");
    check(wc_ecc_init(&signer), "ECC");
    check(wc_ecc_make_key_ex(&rng, DIGEST_LEN, &signer, ECC_SECP256R1), "ECC key");
    check(wc_curve25519_init(&peer), "X25519");
    check(wc_curve25519_make_key(&rng, CURVE25519_KEYSIZE, &peer), "X25519 key");
    printf("{\"seal_GB_s\": %.4f, ", rate(seal, "seal", seconds) * RECORD_LEN / 1e9);
    printf("\"open_GB_s\": %.4f, ",
           rate(open_record, "open", seconds) * RECORD_LEN / 1e9);
    printf("\"sign_s\": %.1f, ", rate(sign, "sign", seconds));
    printf("\"verify_s\": %.1f, ", rate(verify, "verify", seconds));
    printf("\"keygen_s\": %.1f, ", rate(keygen, "keygen", seconds));
    printf("\"ecdh_s\": %.1f}\n", rate(ecdh, "ecdh", seconds));
    return EXIT_SUCCESS;
}
