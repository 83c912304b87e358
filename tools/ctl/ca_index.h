/* The index: a text file with a line for each certificate that the CA issued. */
#ifndef TOOLS_CTL_CA_INDEX_H
#define TOOLS_CTL_CA_INDEX_H

#include "tools/ctl/ca_store.h"

#include <stdbool.h>
#include <stdint.h>

#define CA_SERIAL_LEN 16            /* octets; RFC 5280 allows 20 */
#define CA_SERIAL_TEXT (2 * 20 + 1) /* hex of the longest serial */
#define CA_NAME_TEXT 201            /* NAME, which is also a file's name */
#define CA_TIME_TEXT sizeof("2000-01-01T00:00:00Z")

struct ca_entry {
    char serial[CA_SERIAL_TEXT]; /* lower-case hex */
    char name[CA_NAME_TEXT];
    int64_t not_after;  /* seconds since the epoch */
    int64_t revoked_at; /* 0 while it is good */
};

struct ca_index {
    struct ca_entry *entries;
    size_t count;
    uint64_t crl_number; /* of the last revocation list */
};

/* Reads the index; 0 or -E..., reported with the line.  ca_index_done() frees it. */
int ca_index_load(const struct ca_store *store, struct ca_index *index)
    __attribute__((warn_unused_result));

/* Writes it back, whole. */
int ca_index_save(const struct ca_store *store, const struct ca_index *index)
    __attribute__((warn_unused_result));

/* Adds a certificate; 0 or -ENOMEM. */
int ca_index_add(struct ca_index *index, const struct ca_entry *entry)
    __attribute__((warn_unused_result));

void ca_index_done(struct ca_index *index);

/* Writes a moment as RFC 3339 in UTC; returns text. */
const char *ca_index_time(int64_t when, char text[CA_TIME_TEXT]);

/* Whether a NAME is fit to be the name of files and a word of the index. */
bool ca_index_name_valid(const char *name);

#endif
