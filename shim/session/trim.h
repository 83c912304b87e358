/*
 * Memory of connections that are idle: the pages of their buffers go back to the kernel.
 *
 * Every few seconds the service thread looks at all of them.  Whoever reads and writes
 * does no more for it than to say that a page was touched.
 */
#ifndef SHIM_SESSION_TRIM_H
#define SHIM_SESSION_TRIM_H

/* Looks, if it is time to. For the service thread alone. */
void trim_look(void);

#endif
