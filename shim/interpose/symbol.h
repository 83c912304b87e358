/* Functions of ours by name, for who would get libc's: dlsym(3), dlvsym(3). */
#ifndef SHIM_INTERPOSE_SYMBOL_H
#define SHIM_INTERPOSE_SYMBOL_H

#include <link.h>

/* Returns  the function of that name that this library exports; NULL = none. */
void *symbol_ours(const char *name);

/* Where the loader's list can be read from: this library is there, or comes later. */
const struct link_map *symbol_first_object(void);

#endif
