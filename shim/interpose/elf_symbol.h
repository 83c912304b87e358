/*
 * Symbols of objects that are loaded, without the loader: where dlsym(3) itself is ours.
 *
 * Source   System V gABI, "Dynamic Section" and "Hash Table"; the GNU hash table as in
 *          glibc's elf/dl-lookup.c.
 */
#ifndef SHIM_INTERPOSE_ELF_SYMBOL_H
#define SHIM_INTERPOSE_ELF_SYMBOL_H

#include <link.h>

/*
 * Finds what an object defines for others under a name, in whatever version.
 *
 * Returns  its address; NULL: the object defines no such symbol.
 * Safe     threads, signals; allocates nothing.
 */
void *elf_symbol(const struct link_map *object, const char *name);

#endif
