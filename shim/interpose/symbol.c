/*
 * dlsym(3): who asks libc itself for a function, by dlopen("libc.so.6") as Python's
 * ctypes and Java's JNA do, would get the one behind ours; its connections would be
 * plaintext, and nobody would read the TLS of those that it is given.
 *
 * RTLD_NEXT and RTLD_DEFAULT mean what the caller sees, so that a jump leads to the
 * loader. Who asks for what comes next does so to call it from a function of that name:
 * it gets it.
 */
#include "shim/interpose/symbol.h"

#include <dlfcn.h>
#include <stdatomic.h>

#include "shim/interpose/elf_symbol.h"
#include "shim/interpose/jump.h"
#include "shim/interpose/real.h"

typedef void *dlsym_function(void *handle, const char *name);

/* Not real.dlsym: memory allocators ask for functions when they are called first, and
 * finding all of ours may call them. */
static dlsym_function *_Atomic loaders_own;
static const struct link_map *_Atomic this_library; /* once loaders_own is set */

/* The dynamic section of this library. */
extern ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden")));

/*
 * Objects are in the list in the order in which they are searched.  dl_iterate_phdr(3)
 * would do, if the runtimes of sanitizers did not interpose it and then call dlsym()
 * before they can serve it.  Two threads may do this at once: both find the same.
 */
static dlsym_function *
loaders_dlsym(void)
{
    dlsym_function *function = atomic_load(&loaders_own);
    const struct link_map *object = function == NULL ? symbol_first_object() : NULL;
    while (object != NULL && object->l_ld != _DYNAMIC) {
        object = object->l_next;
    }
    if (object != NULL) {
        atomic_store(&this_library, object);
        while (function == NULL && (object = object->l_next) != NULL) {
            *(void **)&function = elf_symbol(object, "dlsym");
        }
        atomic_store(&loaders_own, function);
    }
    return function;
}

void *
symbol_ours(const char *name)
{
    return loaders_dlsym() != NULL ? elf_symbol(atomic_load(&this_library), name) : NULL;
}

JUMPS INTERPOSE void *
dlsym(void *handle, const char *name)
{
    dlsym_function *loaders = loaders_dlsym();
    if (handle == RTLD_NEXT || handle == RTLD_DEFAULT) {
        JUMP loaders(handle, name);
    }
    void *found = loaders(handle, name);
    void *ours = found != NULL ? symbol_ours(name) : NULL;
    if (ours == NULL) {
        return found;
    }
    void *behind = loaders(RTLD_NEXT, name);
    if (behind == NULL) {
        (void)dlerror(); /* it is not for the program */
    }
    return found == behind ? ours : found;
}
