/* The CA's directory: its lock, and files that change whole or not at all. */
#ifndef TOOLS_CTL_CA_STORE_H
#define TOOLS_CTL_CA_STORE_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

struct ca_store {
    char dir[PATH_MAX - 64];
    int lock; /* the lock file, held until ca_store_close() */
};

struct ca_file {
    const char *path;
    mode_t mode;
    const char *data;
    size_t len;
};

/*
 * Makes the directory (mode 0700) if need be, and locks it for a new CA.
 *
 * Returns  0; -EEXIST when a CA is there already; another -E...; all reported.
 */
int ca_store_create(struct ca_store *store, const char *dir)
    __attribute__((warn_unused_result));

/* Opens and locks the directory of an existing CA; 0 or -E..., reported. */
int ca_store_open(struct ca_store *store, const char *dir)
    __attribute__((warn_unused_result));

void ca_store_close(struct ca_store *store);

/* Writes DIR/NAME to path (PATH_MAX bytes); returns path. */
char *ca_store_path(const struct ca_store *store, const char *name, char *path);

/*
 * Reads a file of the CA.
 *
 *   data  out  NUL-terminated, for free(); may be secret: the caller wipes it
 *
 * Returns  0 or -E..., reported.
 */
int ca_store_read(const struct ca_store *store, const char *name, char **data,
                  size_t *len) __attribute__((warn_unused_result));

/* The same for a file wherever it is. */
int ca_store_read_path(const char *path, char **data, size_t *len)
    __attribute__((warn_unused_result));

/*
 * Replaces files together: all are written beside their places and synced first, then
 * renamed; when that fails half-way the old ones are put back.
 *
 *   files, count  in  at most two
 *
 * Returns  0 or -E..., reported.
 */
int ca_store_replace(const struct ca_file *files, size_t count)
    __attribute__((warn_unused_result));

#endif
