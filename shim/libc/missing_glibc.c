/*
 * Functions that older versions of glibc do not have under these names, for ourselves and
 * for the archives that are linked in: with them the library needs nothing newer than
 * glibc 2.17 (tests/tools/exports.sh).  None is exported.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Functions until 2.33, but of other names (__fxstat). */
int
fstat(int fd, struct stat *about)
{
    return (int)syscall(SYS_fstat, fd, about);
}

int
stat(const char *path, struct stat *about)
{
    return (int)syscall(SYS_newfstatat, AT_FDCWD, path, about, 0);
}

int
fstatat(int folder, const char *path, struct stat *about, int flags)
{
    return (int)syscall(SYS_newfstatat, folder, path, about, flags);
}

int
memfd_create(const char *name, unsigned flags)
{
    return (int)syscall(SYS_memfd_create, name, flags);
}

ssize_t
getrandom(void *buf, size_t len, unsigned flags)
{
    return (ssize_t)syscall(SYS_getrandom, buf, len, flags);
}

pid_t
gettid(void)
{
    return (pid_t)syscall(SYS_gettid);
}

void
explicit_bzero(void *buf, size_t len)
{
    memset(buf, 0, len);
    __asm__ volatile(""
                     :
                     : "r"(buf)
                     : "memory"); /* it is looked at: not to be left out */
}

/* GNU's strerror_r gives its own text for what it knows, and needs the buffer for none.
 */
const char *
strerrordesc_np(int error)
{
    static char none[1];
    return strerror_r(error, none, 0);
}

/* Since 2.38 the headers send strtol() and its like here. */
long old_strtol(const char *text, char **end, int base) __asm__("strtol");
unsigned long old_strtoul(const char *text, char **end, int base) __asm__("strtoul");
long __isoc23_strtol(const char *text, char **end, int base);
long long __isoc23_strtoll(const char *text, char **end, int base);
unsigned long __isoc23_strtoul(const char *text, char **end, int base);
unsigned long long __isoc23_strtoull(const char *text, char **end, int base);

long
__isoc23_strtol(const char *text, char **end, int base)
{
    return old_strtol(text, end, base);
}

long long
__isoc23_strtoll(const char *text, char **end, int base)
{
    return old_strtol(text, end, base);
}

unsigned long
__isoc23_strtoul(const char *text, char **end, int base)
{
    return old_strtoul(text, end, base);
}

unsigned long long
__isoc23_strtoull(const char *text, char **end, int base)
{
    return old_strtoul(text, end, base);
}
