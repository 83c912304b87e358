/* The files that a NAME has, and its line in the index. */
#ifndef TOOLS_CTL_CA_OUTPUT_H
#define TOOLS_CTL_CA_OUTPUT_H

#include "tools/ctl/ca_cert.h"
#include "tools/ctl/ca_options.h"

struct ca_output {
    char key[PATH_MAX];  /* NAME.key */
    char cert[PATH_MAX]; /* NAME.pem: the certificate, then those of CAs below the root */
};

/*
 * Finds out where the files of the options' NAME are: in --out, else in the store.
 *
 * Returns  0; -EINVAL for a NAME that cannot be one; -ENAMETOOLONG; all reported.
 */
int ca_output_find(const struct ca_store *store, const struct ca_options *options,
                   struct ca_output *output) __attribute__((warn_unused_result));

/* Whether a file may be written: 0, or -EEXIST when it is there and --force is not given,
 * reported. */
int ca_output_is_free(const char *path, const struct ca_options *options)
    __attribute__((warn_unused_result));

/*
 * Enters a certificate in the index, before it exists anywhere else: whatever exists can
 * be revoked.
 *
 * Returns  0 or -E..., reported.
 */
int ca_output_record(const struct ca_store *store, const struct ca_made *made,
                     const char *name) __attribute__((warn_unused_result));

/*
 * Writes a certificate and what is above it, and its key.
 *
 *   output  in  the key's file is renamed into place first, the certificate's last: who
 *               sees a new certificate finds its key, and who reads the certificate
 *               before the key and between the two finds that they do not belong
 *               together, and has only to read again
 *   key     in  NULL: only the certificate is written
 *
 * Returns  0 or -E..., reported.
 */
int ca_output_write(const struct ca_output *output, const struct ca_authority *authority,
                    struct ca_key *key, const struct ca_made *made)
    __attribute__((warn_unused_result));

/* Says what was made; asked is the end that was wanted, which the CA's may come before.
 */
void ca_output_tell(const char *path, const struct ca_made *made, int64_t asked);

#endif
