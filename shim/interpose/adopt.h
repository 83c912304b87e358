/*
 * Connections that come with the process: left by the image before an exec, or given to
 * it by inetd(8) or systemd.socket(5).
 */
#ifndef SHIM_INTERPOSE_ADOPT_H
#define SHIM_INTERPOSE_ADOPT_H

/*
 * Takes over the sessions whose memfds are among the open fds, each with the fds that are
 * its socket.  A connected TCP socket on fd 0, or among the LISTEN_FDS, that has none is
 * an inbound connection: it falls under the inbound rules before main can touch it, and
 * its copies go with it.
 */
void adopt_inherited(void);

#endif
