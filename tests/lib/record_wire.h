/*
 * Records written and read by the letter of the RFCs, with wolfCrypt and without the code
 * under test: what a peer, honest or not, puts on the wire.
 */
#ifndef TESTS_LIB_RECORD_WIRE_H
#define TESTS_LIB_RECORD_WIRE_H

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/chacha20_poly1305.h>
#include <wolfssl/wolfcrypt/kdf.h>

#include "shim/record/record.h"

/* One direction as its sender, or its receiver, knows it. */
struct wire {
    uint16_t version;
    enum record_suite suite;
    uint8_t hash_len;
    struct record_secrets keys;
};

/* What record_io.inq gives for a real socket. */
static inline int
wire_inq(int fd)
{
    int count = 0;

    return ioctl(fd, FIONREAD, &count) == 0 ? count : -1;
}

static inline size_t
wire_key_len(const struct wire *wire)
{
    return wire->suite == RECORD_AES_128_GCM ? 16 : 32;
}

static inline bool
wire_is_explicit(const struct wire *wire)
{
    return wire->version == 0x0303 && wire->suite != RECORD_CHACHA20_POLY1305;
}

/* RFC 8446 section 7.2 */
static inline void
wire_update(struct wire *wire)
{
    struct record_secrets *keys = &wire->keys;
    uint8_t next[48];
    int digest = wire->hash_len == 48 ? WC_SHA384 : WC_SHA256;
    const byte *tls13 = (const byte *)"tls13 ";

    if (wc_Tls13_HKDF_Expand_Label(next, wire->hash_len, keys->secret, wire->hash_len,
                                   tls13, 6, (const byte *)"traffic upd", 11, NULL, 0,
                                   digest) != 0 ||
        wc_Tls13_HKDF_Expand_Label(keys->key, (word32)wire_key_len(wire), next,
                                   wire->hash_len, tls13, 6, (const byte *)"key", 3, NULL,
                                   0, digest) != 0 ||
        wc_Tls13_HKDF_Expand_Label(keys->iv, 12, next, wire->hash_len, tls13, 6,
                                   (const byte *)"iv", 2, NULL, 0, digest) != 0) {
        abort();
    }
    memcpy(keys->secret, next, wire->hash_len);
    keys->seq = 0;
}

static inline void
wire_nonce(const struct wire *wire, const uint8_t *explicit, uint8_t nonce[12])
{
    memset(nonce, 0, 12);
    if (wire_is_explicit(wire)) {
        memcpy(nonce, wire->keys.iv, 4);
        memcpy(nonce + 4, explicit, 8);
        return;
    }
    for (int i = 0; i < 8; i++) {
        nonce[11 - i] = (uint8_t)(wire->keys.seq >> 8 * i);
    }
    for (int i = 0; i < 12; i++) {
        nonce[i] ^= wire->keys.iv[i];
    }
}

/* Encrypts or decrypts into out; returns 0 when the tag was made, or is right. */
static inline int
wire_aead(const struct wire *wire, bool seal, const uint8_t *nonce, const uint8_t *aad,
          size_t aad_len, const uint8_t *in, size_t len, uint8_t *out, uint8_t *tag)
{
    const uint8_t *key = wire->keys.key;
    word32 n = (word32)len;

    if (wire->suite == RECORD_CHACHA20_POLY1305) {
        return seal ? wc_ChaCha20Poly1305_Encrypt(key, nonce, aad, (word32)aad_len, in, n,
                                                  out, tag)
                    : wc_ChaCha20Poly1305_Decrypt(key, nonce, aad, (word32)aad_len, in, n,
                                                  tag, out);
    }
    Aes aes;
    int err = wc_AesInit(&aes, NULL, INVALID_DEVID);
    err = err != 0 ? err : wc_AesGcmSetKey(&aes, key, (word32)wire_key_len(wire));
    if (err == 0) {
        err = seal ? wc_AesGcmEncrypt(&aes, out, in, n, nonce, 12, tag, 16, aad,
                                      (word32)aad_len)
                   : wc_AesGcmDecrypt(&aes, out, in, n, nonce, 12, tag, 16, aad,
                                      (word32)aad_len);
    }
    wc_AesFree(&aes);
    return err;
}

static inline size_t
wire_aad(const struct wire *wire, const uint8_t *header, size_t len, uint8_t aad[13])
{
    if (wire->version == 0x0304) {
        memcpy(aad, header, 5);
        return 5;
    }
    for (int i = 0; i < 8; i++) {
        aad[7 - i] = (uint8_t)(wire->keys.seq >> 8 * i);
    }
    memcpy(aad + 8, header, 3);
    aad[11] = (uint8_t)(len >> 8);
    aad[12] = (uint8_t)len;
    return 13;
}

/* Seals one record into out (len + pad + 64 bytes); returns its length, and steps seq. */
static inline size_t
wire_seal(struct wire *wire, uint8_t type, const void *data, size_t len, size_t pad,
          uint8_t *out)
{
    bool tls13 = wire->version == 0x0304;
    size_t prefix = wire_is_explicit(wire) ? 13 : 5;
    size_t inner = len + (tls13 ? 1 + pad : 0);
    size_t body = prefix - 5 + inner + 16;
    uint8_t *plain = calloc(1, inner + 1);
    uint8_t aad[13];
    uint8_t nonce[12];

    if (plain == NULL) {
        abort();
    }
    if (len > 0) {
        memcpy(plain, data, len);
    }
    if (tls13) {
        plain[len] = type;
    }
    out[0] = tls13 ? 23 : type;
    out[1] = 3;
    out[2] = 3;
    out[3] = (uint8_t)(body >> 8);
    out[4] = (uint8_t)body;
    if (wire_is_explicit(wire)) {
        for (int i = 0; i < 8; i++) {
            out[12 - i] = (uint8_t)(wire->keys.seq >> 8 * i);
        }
    }
    wire_nonce(wire, out + 5, nonce);
    size_t aad_len = wire_aad(wire, out, inner, aad);
    if (wire_aead(wire, true, nonce, aad, aad_len, plain, inner, out + prefix,
                  out + prefix + inner) != 0) {
        abort();
    }
    wire->keys.seq++;
    free(plain);
    return prefix + inner + 16;
}

/*
 * Opens the record at in (of have bytes) into out, and steps seq.  Returns the length of
 * its content, and its type; -1: not complete; -2: not authentic.
 */
static inline ssize_t
wire_open(struct wire *wire, const uint8_t *in, size_t have, uint8_t *out, uint8_t *type,
          size_t *total)
{
    size_t prefix = wire_is_explicit(wire) ? 13 : 5;
    uint8_t aad[13];
    uint8_t nonce[12];
    uint8_t tag[16];

    *total = have >= 5 ? 5 + (size_t)(in[3] << 8 | in[4]) : 5;
    if (have < *total || *total < prefix + 16) {
        return -1;
    }
    size_t inner = *total - prefix - 16;
    wire_nonce(wire, in + 5, nonce);
    size_t aad_len = wire_aad(wire, in, inner, aad);
    memcpy(tag, in + prefix + inner, 16);
    if (wire_aead(wire, false, nonce, aad, aad_len, in + prefix, inner, out, tag) != 0) {
        return -2;
    }
    wire->keys.seq++;
    *type = in[0];
    if (wire->version == 0x0304) {
        while (inner > 0 && out[inner - 1] == 0) {
            inner--;
        }
        *type = inner > 0 ? out[--inner] : 0;
    }
    return (ssize_t)inner;
}

#endif
