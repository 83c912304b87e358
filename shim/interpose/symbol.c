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
#include <stdint.h>

#include "shim/interpose/elf_symbol.h"
#include "shim/interpose/jump.h"
#include "shim/interpose/real.h"

typedef void *dlsym_function(void *handle, const char *name);

/* Not real.dlsym: memory allocators ask for functions when they are called first, and
 * finding all of ours may call them. */
static dlsym_function *_Atomic loaders_own;
static struct dl_phdr_info this_library; /* once loaders_own is set */

static bool
is_within(const struct dl_phdr_info *object, const void *address)
{
    bool is = false;
    for (ElfW(Half) i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        uintptr_t offset = (uintptr_t)address - object->dlpi_addr - header->p_vaddr;
        is = is || (header->p_type == PT_LOAD && offset < header->p_memsz);
    }
    return is;
}

struct search {
    bool is_past_ours;
    void *found;
};

/* For dl_iterate_phdr(3): objects come in the order in which they are searched. */
static int
look_behind(struct dl_phdr_info *object, size_t len, void *context)
{
    struct search *search = context;
    (void)len;
    if (is_within(object, &this_library)) {
        this_library = *object;
        search->is_past_ours = true;
    } else if (search->is_past_ours) {
        search->found = elf_symbol(object, "dlsym");
    }
    return search->found != NULL;
}

/* Two threads may do this at once: both find the same. */
static dlsym_function *
loaders_dlsym(void)
{
    dlsym_function *function = atomic_load(&loaders_own);
    if (function == NULL) {
        struct search search = {false, NULL};
        dl_iterate_phdr(look_behind, &search);
        *(void **)&function = search.found;
        atomic_store(&loaders_own, function);
    }
    return function;
}

void *
symbol_ours(const char *name)
{
    return loaders_dlsym() != NULL ? elf_symbol(&this_library, name) : NULL;
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
