/* What symbol.c needs of glibc, and dlvsym(3), as dlsym(3) is there. */
#include "shim/interpose/symbol.h"

#include <dlfcn.h>

#include "shim/interpose/jump.h"
#include "shim/interpose/real.h"

typedef void *dlvsym_function(void *handle, const char *name, const char *version);

const struct link_map *
symbol_first_object(void)
{
    Dl_info info;
    struct link_map *object = NULL;
    return dladdr1((void *)symbol_first_object, &info, (void **)&object,
                   RTLD_DL_LINKMAP) != 0
               ? object
               : NULL;
}

JUMPS INTERPOSE void *
dlvsym(void *handle, const char *name, const char *version)
{
    static void *_Atomic kept;
    dlvsym_function *loaders;
    *(void **)&loaders = symbol_behind(&kept, "dlvsym");
    void *next = symbol_next(handle, __builtin_return_address(0), name);
    if (next != NULL) {
        return next;
    }
    if (handle == RTLD_NEXT || handle == RTLD_DEFAULT) {
        JUMP loaders(handle, name, version);
    }
    void *found = loaders(handle, name, version);
    void *ours = found != NULL ? symbol_ours(name) : NULL;
    return ours == NULL ? found
                        : symbol_choose(ours, found, loaders(RTLD_NEXT, name, version));
}
