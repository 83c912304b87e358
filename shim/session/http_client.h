/*
 * One question and one answer over HTTP, within a time: blocks, for a thread that has
 * nothing else to do. Past our own rules: what it does is never governed.
 */
#ifndef SHIM_SESSION_HTTP_CLIENT_H
#define SHIM_SESSION_HTTP_CLIENT_H

#include <stdatomic.h>

#include "shim/session/http.h"

#define HTTP_CLIENT_WORDS_LEN 96

/*
 * Sends a POST and reads the answer; no redirect is followed. The thread is one that
 * works (thread.h), and rests while it waits; not while it looks up a name.
 *
 *   deadline_ms  in   CLOCK_MONOTONIC; but for the time that looking up a name takes
 *   fd           out  the socket while there is one, else -1: who forks closes it in the
 *                     child
 *   room         out  HTTP_ANSWER_MAX bytes, answer points into it
 *   words        out  on failure: what is wrong
 *
 * Returns  0; -EPROTO, the answer cannot be used; -ETIMEDOUT; other -errno of the
 * network.
 */
int http_client_post(const struct url *url, const uint8_t *body, size_t body_len,
                     int64_t deadline_ms, _Atomic int *fd, uint8_t *room,
                     struct http_answer *answer, char words[HTTP_CLIENT_WORDS_LEN]);

#endif
