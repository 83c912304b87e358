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

#endif
