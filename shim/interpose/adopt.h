/*
 * Connections that come with the process: inetd(8) style.
 */
#ifndef SHIM_INTERPOSE_ADOPT_H
#define SHIM_INTERPOSE_ADOPT_H

/*
 * A connected TCP socket on fd 0 at start is an inbound connection: it falls under the
 * inbound rules before main can touch it.  Its copies on fds 1 and 2 go with it.
 */
void adopt_inherited(void);

#endif
