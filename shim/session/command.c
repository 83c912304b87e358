#include "shim/session/command.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static char name[64];

static const char *
without_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

void
command_set(const char *path)
{
    bool is_named = path != NULL && strncmp(path, "/dev/fd/", 8) != 0;
    snprintf(name, sizeof(name), "%s", is_named ? without_folder(path) : "");
}

const char *
command_name(const char *program)
{
    return name[0] != '\0' ? name : without_folder(program);
}

const char *
command_other(const char *program)
{
    return name[0] != '\0' && strcmp(name, without_folder(program)) != 0 ? name : NULL;
}
