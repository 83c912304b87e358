/*
 * PKCS#12: a private key and its certificates in one encrypted file.
 */
#ifndef CONFIG_PKCS12_H
#define CONFIG_PKCS12_H

#include "config/certs.h"
#include "config/material.h"
#include "config/problem.h"

/*
 * Reads such a file, which no group or others may have access to.
 *
 *   place       in   the file; gets problems
 *   passphrase  in   the passphrase's file; its file is NULL for an empty passphrase
 *   visit       in   called for each certificate of the chain: the key's own first, then
 *                    the one that signed it, and so on; self-signed ones are left out
 *   key         out  DER, PKCS#8; on the heap, for the caller to wipe and free
 *
 * Returns  0; -EINVAL after a problem; what visit returned.
 * Source   RFC 7292.
 */
int pkcs12_load(const struct problem_place *place, const struct problem_place *passphrase,
                int (*visit)(void *context, const struct certs_one *cert), void *context,
                struct material_blob *key);

#endif
