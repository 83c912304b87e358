/*
 * Memory for handshakes.
 *
 * A handshake needs tens of KiB for a millisecond, most of it in a few large pieces.
 * Taken from the program's heap they would leave it pages that were written to, and what
 * the program allocates next, and may never touch, would lie there: memory that it would
 * not have used without us, for as long as it lives. Large pieces therefore come from
 * pages of our own, which go back to the kernel; small ones, and what finds no place,
 * from malloc().
 */
#ifndef SHIM_SESSION_HEAP_H
#define SHIM_SESSION_HEAP_H

#include <stddef.h>

/* Has wolfSSL take its memory here. To be called before it is used by more than a thread.
 */
void heap_start(void);

/* Between the two, what wolfSSL allocates on this thread is for a handshake; else it may
 * stay, and is malloc()'s. They may be nested. */
void heap_begin(void);
void heap_end(void);

/*
 * As malloc(3) and free(3); also across fork.
 *
 * Safe     threads, without a lock; async-signal-safe where malloc() is not needed.
 */
void *heap_alloc(size_t len);
void heap_free(void *memory);

/* As calloc(3) of one. */
void *heap_alloc_zero(size_t len);

/* Gives the pages back that were not in use since the call before this one; for one
 * thread at a time. */
void heap_trim(void);

#endif
