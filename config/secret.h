/*
 * Private keys in files.
 */
#ifndef CONFIG_SECRET_H
#define CONFIG_SECRET_H

#include "config/file.h"
#include "config/material.h"
#include "config/problem.h"

/*
 * Reads a file that is nobody else's business: not open to others, and to its group for
 * reading only, and only if root owns it and the group is not root's own.
 *
 *   file  out  to be released with file_done()
 *
 * Returns  0; -EINVAL after a problem.
 */
int secret_read(const struct problem_place *place, struct file *file);

/* As secret_read(), and cuts the text after its first line, which must not be empty. */
int secret_read_line(const struct problem_place *place, struct file *file);

/*
 * Reads a private key: PEM or DER, PKCS#8 or the traditional form, decrypted with the
 * passphrase where it is encrypted.  Neither file may be open to others, see
 * secret_read().
 *
 *   place       in   the key's file; gets problems
 *   passphrase  in   the passphrase's file; its file is NULL without one
 *   key         out  DER; on the heap, for the caller to wipe and free
 *
 * Returns  0; -EINVAL after a problem.
 */
int secret_load(const struct problem_place *place, const struct problem_place *passphrase,
                struct material_blob *key);

#endif
