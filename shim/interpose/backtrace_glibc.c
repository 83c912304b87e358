/* backtrace_symbols_fd(3): libc writes to any fd behind our back. */
#include "shim/interpose/governed.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <limits.h>
#include <stddef.h>

enum { LINE_LEN = 1024 };

/* For handlers of crashes: allocates nothing, as libc's own. */
static void
print_frame(int fd, void *address)
{
    char line[PATH_MAX + LINE_LEN];
    Dl_info info = {0};
    int len;
    if (dladdr(address, &info) == 0 || info.dli_fname == NULL) {
        len = snprintf(line, sizeof(line), "[%p]\n", address);
    } else {
        const char *base =
            info.dli_sname != NULL ? info.dli_saddr : (const char *)info.dli_fbase;
        ptrdiff_t offset = (const char *)address - base;
        len = snprintf(line, sizeof(line), "%s(%s%c0x%tx)[%p]\n", info.dli_fname,
                       info.dli_sname != NULL ? info.dli_sname : "",
                       offset < 0 ? '-' : '+', offset < 0 ? -offset : offset, address);
    }
    if (len > 0) {
        (void)!write(fd, line,
                     (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1);
    }
}

INTERPOSE void
backtrace_symbols_fd(void *const *frames, int count, int fd)
{
    real_need();
    if (!table_has(fd)) {
        real.backtrace_symbols_fd(frames, count, fd);
        return;
    }
    for (int i = 0; i < count; i++) {
        print_frame(fd, frames[i]);
    }
}
