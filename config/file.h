/*
 * Reading the small files that a policy is made of.
 */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define FILE_LEN_MAX ((size_t)1 << 20) /* four times a bundle of every public CA */

struct file {
    uint8_t *data; /* len bytes and a NUL behind them */
    size_t len;
    mode_t mode; /* permission bits */
    uid_t owner;
    gid_t group;
};

/*
 * Reads a regular file whole.
 *
 *   file  out  to be released with file_done(); zeroed on failure
 *
 * Returns  0; -EISDIR for a directory; -EFBIG when it is too large; -EINVAL for what is
 *          no file (a device, a pipe); else what open or read said.
 * Safe     allocates; goes past the functions that the shim interposes.
 */
int file_read(const char *path, struct file *file) __attribute__((warn_unused_result));

/* Says in words why file_read() failed. */
const char *file_error(int rc);

/* Wipes and frees; safe on a zeroed struct and twice. */
void file_done(struct file *file);

#endif
