/*
 * PEM: blocks of base64 between "-----BEGIN LABEL-----" and "-----END LABEL-----".
 */
#ifndef CONFIG_PEM_H
#define CONFIG_PEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEM_LABEL_LEN 40

struct pem_block {
    char label[PEM_LABEL_LEN];
    bool has_headers; /* encrypted the old way (RFC 1421): der is not filled in */
    uint8_t *der;
    size_t len;
};

/* Whether a text holds a block at all; else it may be DER. */
bool pem_is(const char *text);

/*
 * Finds and decodes the next block; what is between blocks is skipped.
 *
 *   at     in/out  where to go on, in a text that ends with a NUL
 *   block  out     to be released with pem_done()
 *
 * Returns  1; 0 when there are no more; -EBADMSG for a broken block; -ENOMEM.
 * Source   RFC 7468.
 */
int pem_next(const char **at, struct pem_block *block)
    __attribute__((warn_unused_result));

/* Wipes and frees; safe on a zeroed struct. */
void pem_done(struct pem_block *block);

#endif
