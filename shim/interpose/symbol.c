/*
 * dlsym(3): who asks libc itself for a function, by dlopen("libc.so.6") as Python's
 * ctypes and Java's JNA do, would get the one behind ours; its connections would be
 * plaintext, and nobody would read the TLS of those that it is given.
 *
 * RTLD_NEXT and RTLD_DEFAULT mean what the caller sees, so that a jump leads to the
 * loader. A library behind this one that asks for what comes next, to call it from a
 * function of that name, gets it, since ours leads to that function. Without one, or
 * loaded too late for ours to know it, it gets ours.
 */
#include "shim/interpose/symbol.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

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

/* ---- who asks ---------------------------------------------------------------------- */

/* How many objects the program was started with. They stay: what is loaded later comes
 * behind them in the loader's list. */
static atomic_int count_at_start;

/* The place in that list of the object that an address is in. */
struct place {
    ElfW(Addr) address;
    int number;
    bool found;
};

static int
look(struct dl_phdr_info *object, size_t len, void *context)
{
    struct place *place = context;
    (void)len;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        place->found |=
            segment->p_type == PT_LOAD &&
            place->address - object->dlpi_addr - segment->p_vaddr < segment->p_memsz;
    }
    place->number += !place->found;
    return place->found;
}

__attribute__((constructor)) static void
count_objects(void)
{
    struct place nowhere = {0};
    (void)dl_iterate_phdr(look, &nowhere);
    atomic_store(&count_at_start, nowhere.number);
}

/* Whether the object, one of those at the start, is behind this library, and has no
 * function of that name. */
static bool
lacks(int number, const char *name)
{
    const struct link_map *library = find_this_library();
    const struct link_map *object = library;
    bool is_behind = false;
    while (object != NULL && object->l_prev != NULL) {
        object = object->l_prev;
    }
    while (number-- > 0 && object != NULL) {
        is_behind |= object == library;
        object = object->l_next;
    }
    return is_behind && object != NULL && elf_symbol(object, name) == NULL;
}

void *
symbol_next(const void *handle, const void *caller, const char *name)
{
    struct place place = {.address = (ElfW(Addr))caller};
    int count = atomic_load(&count_at_start);
    void *ours = handle == RTLD_NEXT && count > 0 ? symbol_ours(name) : NULL;
    if (ours == NULL || dl_iterate_phdr(look, &place) == 0) {
        return NULL;
    }
    return place.number >= count || lacks(place.number, name) ? ours : NULL;
}

/* ---- the answer -------------------------------------------------------------------- */

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
    void *next = symbol_next(handle, __builtin_return_address(0), name);
    if (next != NULL) {
        return next;
    }
    if (handle == RTLD_NEXT || handle == RTLD_DEFAULT) {
        JUMP loaders(handle, name);
    }
    void *found = loaders(handle, name);
    void *ours = found != NULL ? symbol_ours(name) : NULL;
    return ours == NULL ? found : symbol_choose(ours, found, loaders(RTLD_NEXT, name));
}
