/*
 * Streams on governed fds: libc's own would read and write behind our back.
 */
#ifndef SHIM_INTERPOSE_STDIO_H
#define SHIM_INTERPOSE_STDIO_H

/* fd has become governed: if it is 0, 1 or 2, stdin, stdout or stderr goes through us. */
void stdio_governed(int fd);

/* The number is about to be closed or reused: libc's own stream is back in its place. */
void stdio_left(int fd);

/* At exit, while sessions are still open: flushes what is on them. */
void stdio_end(void);

#endif
