/* What libc's <netinet/tcp.h> does not know of TCP_INFO yet, and linux/tcp.h does; the
 * two cannot be included together. */
#ifndef TESTS_FIDELITY_WINDOW_H
#define TESTS_FIDELITY_WINDOW_H

#include <stdbool.h>

/*
 * Whether the other end's kernel takes nothing more: its window is closed, and all that
 * was sent has arrived.  A window that is open by less than a segment is used up only
 * after a timer (RFC 9293, 3.8.6.2.1): until then a full socket is not full for good.
 */
bool window_is_closed(int fd);

#endif
