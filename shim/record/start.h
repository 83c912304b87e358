/*
 * How a record gets its keys.
 */
#ifndef SHIM_RECORD_START_H
#define SHIM_RECORD_START_H

#include "shim/record/record.h"

/* Gives one direction its keys. */
void record_start_dir(struct record_dir *dir, const struct record_secrets *from);

/* Where the ticket is that waits: behind what a batch and control messages may take. */
static inline uint8_t *
record_ticket(const struct record_conn *conn)
{
    return conn->tx_buffer + RECORD_TX_QUEUE_LEN;
}

/* Whether we have such a version, enum record_suite and length of its hash. */
bool record_is_known(uint16_t version, unsigned suite, uint8_t hash_len);

#endif
