/* What symbol.c needs of musl. */
#include "shim/interpose/symbol.h"

#include <dlfcn.h>
#include <stddef.h>

const struct link_map *
symbol_first_object(void)
{
    struct link_map *object = NULL;
    void *program = dlopen(NULL, RTLD_LAZY);
    return program != NULL && dlinfo(program, RTLD_DI_LINKMAP, &object) == 0 ? object
                                                                             : NULL;
}
