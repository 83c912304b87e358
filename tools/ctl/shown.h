/* Certificates in files, as a peer would show them: its own first. */
#ifndef TOOLS_CTL_SHOWN_H
#define TOOLS_CTL_SHOWN_H

#include "config/certs.h"
#include "shim/session/chain.h"

struct shown {
    struct certs_one certs[CHAIN_COUNT_MAX];
    int count;
};

/*
 * Adds the certificates of a file, PEM or DER.
 *
 *   path   in      the file
 *   what   in      how problems on stderr begin: "mtlsctl: verify"
 *   shown  in/out  zeroed at first; to be released with shown_done(), also on failure
 *
 * Returns  0; -EINVAL, reported.
 */
int shown_read(const char *path, const char *what, struct shown *shown);
void shown_done(struct shown *shown);

#endif
