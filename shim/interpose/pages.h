/*
 * The library's own pages at start.
 */
#ifndef SHIM_INTERPOSE_PAGES_H
#define SHIM_INTERPOSE_PAGES_H

/*
 * Has the kernel map the library's code at once. A start runs through most of it, and
 * each part would be a page fault of its own: one call is cheaper, in a virtual machine
 * by far. The pages are those of the file, so that they cost no memory.
 *
 * Safe    at any time; leaves errno alone. Nothing happens before Linux 5.14.
 */
void pages_bring_in(void);

#endif
