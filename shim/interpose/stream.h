/*
 * What the streams of stdio need that no header of libc gives: it is in libc's FILE.
 */
#ifndef SHIM_INTERPOSE_STREAM_H
#define SHIM_INTERPOSE_STREAM_H

#include <stdbool.h>
#include <stdio.h>

/* What a cookie stream's write function returns for an error: fopencookie(3) wants 0, and
 * musl -1. */
extern const ssize_t stream_write_error;

/* Whether FILE is as we know it. If not, no program may be started: it could write to a
 * governed fd behind our back. */
bool stream_is_known(void);

/* What fileno(3) says of a cookie stream, which itself makes no use of it. */
void stream_set_fd(FILE *stream, int fd);
int stream_get_fd(const FILE *stream);

/* Which of the two the stream lets the program do. */
void stream_allow(FILE *stream, bool reads, bool writes);

/*
 * Has the program's stdin, stdout or stderr do what a cookie stream does, until
 * stream_end_standard(). What it has not written yet goes that way, too.
 *
 *   fd      in  0 to 2
 *   stream  in  the cookie stream, for that fd; it is never closed
 *
 * Returns  the stream that the program has now: one of the two.
 */
FILE *stream_begin_standard(int fd, FILE *stream);

/* Nothing is freed: a thread may be in the middle of it.  What is buffered is lost, as it
 * is when the number of a plain stream is closed under it.  Returns libc's own. */
FILE *stream_end_standard(int fd);

/* Whether the fd's standard stream is one that was begun. */
bool stream_is_standard(int fd);

#endif
