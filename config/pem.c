#include "config/pem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/coding.h>
#include <wolfssl/wolfcrypt/memory.h>

static const char begin_mark[] = "-----BEGIN ";
static const char dashes[] = "-----";

bool
pem_is(const char *text)
{
    return strstr(text, begin_mark) != NULL;
}

/* Copies what is no white space. */
static size_t
squeeze(const char *text, size_t len, uint8_t *out)
{
    size_t kept = 0;

    for (size_t i = 0; i < len; i++) {
        if (strchr(" \t\r\n", text[i]) == NULL) {
            out[kept++] = (uint8_t)text[i];
        }
    }
    return kept;
}

static int
decode(const char *text, size_t len, struct pem_block *block)
{
    uint8_t *squeezed = malloc(len + 1);
    word32 der_len = (word32)(len + 4);
    size_t kept;
    int rc = -EBADMSG;

    block->der = malloc(len + 4);
    if (squeezed == NULL || block->der == NULL) {
        free(squeezed);
        return -ENOMEM;
    }
    kept = squeeze(text, len, squeezed);
    if (kept > 0 && Base64_Decode(squeezed, (word32)kept, block->der, &der_len) == 0) {
        block->len = der_len;
        rc = der_len > 0 ? 0 : -EBADMSG;
    }
    if (rc != 0) {
        wc_ForceZero(block->der, len + 4);
    }
    wc_ForceZero(squeezed, len + 1);
    free(squeezed);
    return rc;
}

/* Returns what follows the label's "-----"; NULL when it is broken. */
static const char *
read_label(const char *text, char label[PEM_LABEL_LEN])
{
    const char *end = strstr(text, dashes);
    size_t len = end != NULL ? (size_t)(end - text) : PEM_LABEL_LEN;

    if (len >= PEM_LABEL_LEN || memchr(text, '\n', len) != NULL) {
        return NULL;
    }
    memcpy(label, text, len);
    label[len] = '\0';
    return end + strlen(dashes);
}

static int
next_block(const char **at, struct pem_block *block)
{
    char end_mark[PEM_LABEL_LEN + 16];
    const char *text = strstr(*at, begin_mark);
    const char *end;
    const char *headers;

    if (text == NULL) {
        return 0;
    }
    text = read_label(text + strlen(begin_mark), block->label);
    if (text == NULL) {
        return -EBADMSG;
    }
    snprintf(end_mark, sizeof(end_mark), "-----END %s-----", block->label);
    end = strstr(text, end_mark);
    if (end == NULL) {
        return -EBADMSG;
    }
    *at = end + strlen(end_mark);
    headers = memchr(text, ':', (size_t)(end - text));
    block->has_headers = headers != NULL;
    if (!block->has_headers) {
        int rc = decode(text, (size_t)(end - text), block);

        return rc == 0 ? 1 : rc;
    }
    return 1;
}

int
pem_next(const char **at, struct pem_block *block)
{
    int rc;

    memset(block, 0, sizeof(*block));
    rc = next_block(at, block);
    if (rc < 0) {
        pem_done(block);
    }
    return rc;
}

void
pem_done(struct pem_block *block)
{
    if (block->der != NULL) {
        wc_ForceZero(block->der, block->len);
        free(block->der);
    }
    memset(block, 0, sizeof(*block));
}
