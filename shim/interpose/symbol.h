/* Functions of ours by name, for who would get libc's: dlsym(3), dlvsym(3). */
#ifndef SHIM_INTERPOSE_SYMBOL_H
#define SHIM_INTERPOSE_SYMBOL_H

#include <link.h>

/* Returns  the function of that name that this library exports; NULL = none. */
void *symbol_ours(const char *name);

/*
 * What dlsym(RTLD_NEXT) is to give where the loader would step over this library.
 *
 *   handle  in  what dlsym() was given
 *   caller  in  an address in who asks
 *
 * Returns  ours; NULL: what the loader finds.
 */
void *symbol_next(const void *handle, const void *caller, const char *name);

/*
 * What the program gets for a name.
 *
 *   ours    in  symbol_ours(), not NULL
 *   found   in  what the loader has found
 *   behind  in  what it finds next behind this library; NULL, with an error, = nothing
 *
 * Returns  ours where found is what it calls; else found, which is somebody else's.
 */
void *symbol_choose(void *ours, void *found, void *behind);

/*
 * The first function of a name behind this library, without dlsym(3): memory allocators
 * and the runtimes of sanitizers ask for functions before they can be called, and finding
 * all of ours may call them.
 *
 *   kept  in/out  what was found before; NULL = nothing
 *
 * Returns  the function; NULL = there is none.
 * Safe     threads: all find the same.
 */
void *symbol_behind(void *_Atomic *kept, const char *name);

/* Where the loader's list can be read from: this library is there, or comes later. */
const struct link_map *symbol_first_object(void);

#endif
