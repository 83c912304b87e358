#include "config/secret.h"

#include "config/pem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/memory.h>

/* A program that is not root can be given root's file by its group alone: Kubernetes does
 * so with secrets (fsGroup), Debian with the group ssl-cert. Nobody is meant by root's
 * own group: there it is an oversight. */
static bool
is_private(const struct file *file)
{
    mode_t others = file->mode & (S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH);

    return others == 0 || (others == S_IRGRP && file->owner == 0 && file->group != 0);
}

int
secret_read(const struct problem_place *place, struct file *file)
{
    int rc = file_read(place->file, file);

    if (rc != 0) {
        return problem_in(place, "%s", file_error(rc));
    }
    if (!is_private(file)) {
        problem_in(place, "its mode %04o lets group or others in: chmod 600 %s",
                   (unsigned)file->mode, place->file);
        file_done(file);
        return -EINVAL;
    }
    return 0;
}

int
secret_read_line(const struct problem_place *place, struct file *file)
{
    int rc = secret_read(place, file);

    if (rc != 0) {
        return rc;
    }
    /* A NUL stands behind what was read. */
    file->data[strcspn((const char *)file->data, "\r\n")] = '\0';
    if (file->data[0] == '\0') {
        file_done(file);
        return problem_in(place, "its first line is empty: want the passphrase");
    }
    return 0;
}

/* EncryptedPrivateKeyInfo begins with a sequence, the other forms with a number. */
static bool
is_encrypted_der(const uint8_t *der, size_t len)
{
    size_t at = 2;

    if (len < at) {
        return false;
    }
    at += (der[1] & 0x80) != 0 ? der[1] & 0x7fU : 0; /* X.690, section 8.1.3.5 */
    return at < len && der[at] == (ASN_SEQUENCE | ASN_CONSTRUCTED);
}

/* Decrypts in place. */
static int
decrypt(const struct problem_place *place, const struct problem_place *passphrase,
        struct material_blob *key)
{
    struct file file;
    const char *text;
    int rc;

    if (passphrase->file == NULL) {
        return problem_in(place, "is encrypted, and there is no passphrase_file");
    }
    if (secret_read_line(passphrase, &file) != 0) {
        return -EINVAL;
    }
    text = (const char *)file.data;
    rc = wc_DecryptPKCS8Key(key->data, (word32)key->len, text, (int)strlen(text));
    file_done(&file);
    if (rc <= 0) {
        return problem_in(place,
                          "cannot be decrypted: a wrong passphrase in %s, or no AES "
                          "encryption",
                          passphrase->file);
    }
    /* The plain key was moved to the front: the rest of it lies behind. */
    wc_ForceZero(key->data + rc, key->len - (size_t)rc);
    key->len = (size_t)rc;
    return 0;
}

static int
take(const struct problem_place *place, const struct problem_place *passphrase,
     const uint8_t *der, size_t len, struct material_blob *key)
{
    key->data = malloc(len);
    if (key->data == NULL) {
        return problem_in(place, "%s", strerror(ENOMEM));
    }
    memcpy(key->data, der, len);
    key->len = len;
    return is_encrypted_der(der, len) ? decrypt(place, passphrase, key) : 0;
}

static bool
is_key_label(const char *label)
{
    size_t len = strlen(label);
    static const char end[] = "PRIVATE KEY";

    return len >= strlen(end) && strcmp(label + len - strlen(end), end) == 0;
}

static int
load_pem(const struct problem_place *place, const struct problem_place *passphrase,
         const char *text, struct material_blob *key)
{
    struct pem_block block;
    int found;
    int rc;

    /* Other blocks may come first: EC PARAMETERS, or the certificate. */
    while ((found = pem_next(&text, &block)) > 0 && !is_key_label(block.label)) {
        pem_done(&block);
    }
    if (found <= 0) {
        return problem_in(place,
                          found == 0 ? "holds no private key" : "a broken PEM block");
    }
    if (block.has_headers) {
        rc =
            problem_in(place, "is encrypted in an old way: rewrite it with openssl pkcs8 "
                              "-topk8 -v2 aes256");
    } else {
        rc = take(place, passphrase, block.der, block.len, key);
    }
    pem_done(&block);
    return rc;
}

int
secret_load(const struct problem_place *place, const struct problem_place *passphrase,
            struct material_blob *key)
{
    struct file file;
    const char *text;
    int rc = secret_read(place, &file);

    if (rc != 0) {
        return rc;
    }
    text = (const char *)file.data;
    if (pem_is(text)) {
        rc = load_pem(place, passphrase, text, key);
    } else if (file.len == 0 || file.data[0] != (ASN_SEQUENCE | ASN_CONSTRUCTED)) {
        rc = problem_in(place, "holds no private key, neither PEM nor DER");
    } else {
        rc = take(place, passphrase, file.data, file.len, key);
    }
    file_done(&file);
    return rc;
}
