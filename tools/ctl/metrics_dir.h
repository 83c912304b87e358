/* Where metrics are, as the command line or the policy says. */
#ifndef TOOLS_CTL_METRICS_DIR_H
#define TOOLS_CTL_METRICS_DIR_H

/*
 *   dir      in  as given; NULL: the policy's
 *   path     in  the policy; NULL = the usual one
 *   command  in  for messages
 *
 * Returns  on the heap; NULL and stderr has the reason.
 */
char *metrics_dir(const char *dir, const char *path, const char *command);

/* The rows of both for options_read(). */
#define METRICS_DIR_ROWS(path, dir)                                                      \
    {"policy", 'p', "POLICY", &(path), NULL, "the policy that sets metrics_dir"},        \
    {                                                                                    \
        "dir", 'd', "DIR", &(dir), NULL, "the directory itself"                          \
    }

#endif
