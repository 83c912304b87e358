/*
 * What a policy names as a file or a directory of files.
 */
#ifndef CONFIG_FOLDER_H
#define CONFIG_FOLDER_H

#include "config/problem.h"

enum folder_files {
    FOLDER_CERTIFICATES, /* *.pem, *.crt and *.cer */
    FOLDER_LISTS,        /* *.pem and *.crl */
};

/*
 * Calls visit for the file, or for each file of the directory that has one of these
 * endings, in the order of their names, until one call does not return 0.
 *
 *   place  in  the file or directory; gets problems with it
 *
 * Returns  0; -EINVAL after a problem, also when there is none; what visit returned.
 */
int folder_each(const struct problem_place *place, enum folder_files files,
                int (*visit)(void *context, const char *path), void *context);

/* The same for what is known to be a directory. */
int folder_each_in(const struct problem_place *place, enum folder_files files,
                   int (*visit)(void *context, const char *path), void *context);

#endif
