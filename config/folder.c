#include "config/folder.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool
has_ending(const char *name, const char *const endings[])
{
    const char *end = strrchr(name, '.');

    if (end == NULL || name[0] == '.') {
        return false;
    }
    while (*endings != NULL && strcmp(*endings, end) != 0) {
        endings++;
    }
    return *endings != NULL;
}

static int
is_certificate(const struct dirent *entry)
{
    static const char *const endings[] = {".pem", ".crt", ".cer", NULL};

    return has_ending(entry->d_name, endings);
}

static int
is_list(const struct dirent *entry)
{
    static const char *const endings[] = {".pem", ".crl", NULL};

    return has_ending(entry->d_name, endings);
}

/* In the order of the names, so that every start does the same. */
static int
by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int
folder_each_in(const struct problem_place *place, enum folder_files files,
               int (*visit)(void *context, const char *path), void *context)
{
    struct dirent **entries;
    char path[PATH_MAX];
    int count = scandir(place->file, &entries,
                        files == FOLDER_LISTS ? is_list : is_certificate, by_name);
    int rc = 0;

    if (count < 0) {
        return problem_in(place, "%s", strerror(errno));
    }
    for (int i = 0; i < count; i++) {
        int len = snprintf(path, sizeof(path), "%s/%s", place->file, entries[i]->d_name);

        if (rc == 0) {
            rc = len < PATH_MAX ? visit(context, path)
                                : problem_in(place, "%s", strerror(ENAMETOOLONG));
        }
        free(entries[i]);
    }
    free(entries);
    if (count == 0) {
        rc = problem_in(place, files == FOLDER_LISTS
                                   ? "no *.pem or *.crl in this directory"
                                   : "no *.pem, *.crt or *.cer in this directory");
    }
    return rc;
}

int
folder_each(const struct problem_place *place, enum folder_files files,
            int (*visit)(void *context, const char *path), void *context)
{
    struct stat status;

    if (stat(place->file, &status) == 0 && S_ISDIR(status.st_mode)) {
        return folder_each_in(place, files, visit, context);
    }
    return visit(context, place->file);
}
