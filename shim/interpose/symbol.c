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

static const struct link_map *_Atomic this_library;

/* The dynamic section of this library.
 * NOLINTNEXTLINE(readability-redundant-declaration): musl has none in <link.h> */
extern ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden")));

static const struct link_map *
find_this_library(void)
{
    const struct link_map *object = atomic_load(&this_library);
    if (object == NULL) {
        object = symbol_first_object();
        while (object != NULL && object->l_ld != _DYNAMIC) {
            object = object->l_next;
        }
        atomic_store(&this_library, object);
    }
    return object;
}

void *
symbol_ours(const char *name)
{
    const struct link_map *object = find_this_library();
    return object != NULL ? elf_symbol(object, name) : NULL;
}

void *
symbol_behind(void *_Atomic *kept, const char *name)
{
    void *found = atomic_load(kept);
    if (found != NULL) {
        return found;
    }
    const struct link_map *object = find_this_library();
    while (found == NULL && object != NULL && (object = object->l_next) != NULL) {
        found = elf_symbol(object, name);
    }
    atomic_store(kept, found);
    return found;
}

void *
symbol_choose(void *ours, void *found, void *behind)
{
    if (behind == NULL) {
        (void)dlerror(); /* it is not for the program */
    }
    return found == behind ? ours : found;
}

JUMPS INTERPOSE void *
dlsym(void *handle, const char *name)
{
    static void *_Atomic kept;
    dlsym_function *loaders;
    *(void **)&loaders = symbol_behind(&kept, "dlsym");
    if (handle == RTLD_NEXT || handle == RTLD_DEFAULT) {
        JUMP loaders(handle, name);
    }
    void *found = loaders(handle, name);
    void *ours = found != NULL ? symbol_ours(name) : NULL;
    return ours == NULL ? found : symbol_choose(ours, found, loaders(RTLD_NEXT, name));
}
