#include "shim/target/own.h"

#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/auxv.h>

bool
target_own_loader(char loader[PATH_MAX])
{
    const ElfW(Phdr) *headers = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    unsigned long count = getauxval(AT_PHNUM);
    const ElfW(Phdr) *named = NULL;
    uintptr_t base = 0;
    for (unsigned long i = 0; headers != NULL && i < count; i++) {
        if (headers[i].p_type == PT_PHDR) {
            base = (uintptr_t)headers - headers[i].p_vaddr;
        } else if (headers[i].p_type == PT_INTERP) {
            named = &headers[i];
        }
    }
    if (named == NULL) {
        return false;
    }
    snprintf(loader, PATH_MAX, "%s", (const char *)(base + named->p_vaddr));
    return true;
}
