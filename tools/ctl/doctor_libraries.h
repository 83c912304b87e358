/*
 * The libraries that a program would be started with, found as ld.so(8) finds them and
 * without running anything.
 */
#ifndef TOOLS_CTL_DOCTOR_LIBRARIES_H
#define TOOLS_CTL_DOCTOR_LIBRARIES_H

#include <stdbool.h>
#include <stddef.h>

#define DOCTOR_LIBRARIES_MAX 1024

struct doctor_library {
    char *name; /* as it is asked for */
    char *path; /* NULL = not found */
};

/* The program itself comes first. */
struct doctor_libraries {
    struct doctor_library list[DOCTOR_LIBRARIES_MAX];
    size_t count;
};

/*
 * Finds them all.
 *
 *   program    in   its file
 *   libraries  out  to be released with doctor_libraries_done()
 */
void doctor_libraries_find(const char *program, struct doctor_libraries *libraries);
void doctor_libraries_done(struct doctor_libraries *libraries);

/* Whether a library is one of glibc itself, whose calls are the ones that are replaced.
 */
bool doctor_libraries_is_libc(const char *name);

#endif
