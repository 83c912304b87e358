/*
 * The state of files on disk as stat(2) tells it: whether it is worth reading them again.
 */
#ifndef CONFIG_STAMP_H
#define CONFIG_STAMP_H

#include "config/folder.h"

#include <stdbool.h>
#include <stdint.h>

/* Of any number of files; begins zeroed. */
struct stamp {
    uint64_t hash;
    int64_t newest_ns; /* the latest change to any of them, CLOCK_REALTIME */
};

/*
 * Adds a file, or a directory as folder_each() goes through it; links are followed.  That
 * it cannot be found, or looked at, is a state, too.
 *
 *   path  in  NULL adds nothing
 *
 * Looks at each file once.  Safe: threads; allocates for directories.
 */
void stamp_add(struct stamp *stamp, const char *path);
void stamp_add_folder(struct stamp *stamp, const char *path, enum folder_files files);

static inline bool
stamp_equal(const struct stamp *a, const struct stamp *b)
{
    return a->hash == b->hash;
}

/*
 * Whether the files were changed a moment ago: somebody may be writing still.
 *
 *   now_ns  in  CLOCK_REALTIME
 */
bool stamp_is_fresh(const struct stamp *stamp, int64_t now_ns);

#endif
