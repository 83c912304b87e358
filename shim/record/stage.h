/*
 * A staging area for one thread, where ciphertext lies between the kernel and the caller.
 *
 * Two are mapped when a thread first needs one, and when it ends some wait, emptied, for
 * the next thread: who has one may call what takes another.  A signal handler that
 * interrupts a thread in the middle of its work gets one of its own, too.
 */
#ifndef SHIM_RECORD_STAGE_H
#define SHIM_RECORD_STAGE_H

#include <stdint.h>

#include "shim/record/record.h"

/* One sealed batch, or as much read at once; what is left fits the record's tx_buffer. */
#define RECORD_STAGE_LEN (RECORD_TX_BUFFER_LEN - RECORD_SKEW)

/*
 * Takes an area of RECORD_STAGE_LEN bytes; its content is undefined.
 *
 * Returns  the area, to be given back by the same thread, the last one first; NULL when
 *          out of memory.
 * Safe     async-signal-safe but for a thread's very first use.
 */
uint8_t *record_stage_take(void);
void record_stage_give(uint8_t *stage);

/* The area that this thread has taken, and keeps, if one begins there; else NULL. */
uint8_t *record_stage_taken_at(uintptr_t address);

#endif
