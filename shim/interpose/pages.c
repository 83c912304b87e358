#include "shim/interpose/pages.h"

#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* for headers older than the kernel */
#endif

/* The linker's: where the library begins, at the address 0 of its program headers. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

void
pages_bring_in(void)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t base = (uintptr_t)&__ehdr_start;
    const ElfW(Phdr) *segment = (const void *)(base + __ehdr_start.e_phoff);
    int errno_before = errno;
    for (unsigned i = 0; i < __ehdr_start.e_phnum; i++) {
        if (segment[i].p_type == PT_LOAD && (segment[i].p_flags & PF_X) != 0) {
            uintptr_t start = (base + segment[i].p_vaddr) & ~(page - 1);
            size_t len = base + segment[i].p_vaddr + segment[i].p_memsz - start;
            (void)madvise((void *)start, len, MADV_POPULATE_READ);
        }
    }
    errno = errno_before;
}
