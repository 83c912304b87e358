/* Finding the program to be started, and why one is refused. */
#ifndef SHIM_TARGET_FIND_H
#define SHIM_TARGET_FIND_H

#include <limits.h>

/* The exit statuses of env(1) and the shells. */
#define TARGET_EXIT_OWN 125       /* mtls-run itself failed */
#define TARGET_EXIT_REFUSED 126   /* the program is there and cannot be run */
#define TARGET_EXIT_NOT_FOUND 127 /* there is no such program */

struct target_refusal {
    int status;                    /* what to exit with */
    const char *code;              /* the cause, for programs: "static" */
    char text[2 * PATH_MAX + 256]; /* the cause, one line */
};

/* Fills in a refusal: printf-like text, and the status that suits rc; returns rc. */
int target_refuse(struct target_refusal *refusal, int rc, const char *code,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* 0 when execve(2) would look into the file; -E... as it would fail. */
int target_find_executable(const char *path) __attribute__((warn_unused_result));

/*
 * Resolves a program's name as execvp(3) does.
 *
 *   name     in   as given on the command line
 *   path     out  PATH_MAX bytes; holds a slash, so that no second search happens
 *   refusal  out  filled in on failure
 *
 * Returns  0, or -E... with refusal->status 126 or 127.
 */
int target_find_program(const char *name, char path[PATH_MAX],
                        struct target_refusal *refusal)
    __attribute__((warn_unused_result));

#endif
