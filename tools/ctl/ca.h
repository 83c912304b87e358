/*
 * The development CA behind `mtlsctl ca`.
 *
 *   ca.c           commands                    ca_options.c  the command line
 *   ca_issue.c     init and issue              ca_sub.c      CAs below this one
 *   ca_sign.c      signing requests            ca_renew.c    the same for longer
 *   ca_p12.c       export                      ca_revoke.c   revoke and crl
 *   ca_list.c      list                        ca_output.c   the files of a NAME
 *   ca_store.c     directory, files, lock      ca_index.c    what was issued
 *   ca_template.c  what a certificate says     ca_cert.c     making certificates
 *   ca_crl.c       making revocation lists     ca_key.c      private keys
 *   ca_san.c       names and constraints       ca_read.c     certificates taken apart
 *   ca_der.c       a small writer of DER
 */
#ifndef TOOLS_CTL_CA_H
#define TOOLS_CTL_CA_H

#include <stddef.h>

#define CA_DEFAULT_DIR "ca"
#define CA_DEFAULT_NAME "mtls-shim development CA"
#define CA_DEFAULT_KEY "p256"
#define CA_DEFAULT_CA_DAYS 3650
#define CA_DEFAULT_SUB_DAYS 1825
#define CA_DEFAULT_DAYS 365
#define CA_DEFAULT_CRL_DAYS 30
#define CA_BACKDATE_S (5 * 60) /* for clocks that are a little behind ours */
#define CA_MAX_NAMES 64        /* alternative names in one certificate */

/* Prints "mtlsctl: ca: TEXT" on stderr; returns rc for the caller to hand on. */
int ca_error(int rc, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
