#include "config/build.h"

#include <stdint.h>
#include <string.h>

void *
build_alloc(struct build *build, size_t count, size_t size)
{
    void *memory = NULL;

    if (count < SIZE_MAX / 2 / size) {
        memory = arena_alloc(build->arena, count * size);
    }
    if (memory == NULL) {
        build->short_of_memory = true;
    }
    return memory;
}

char *
build_copy(struct build *build, const char *text)
{
    char *copy = arena_copy(build->arena, text, strlen(text));

    if (copy == NULL) {
        build->short_of_memory = true;
    }
    return copy;
}

char *
build_path(struct build *build, const char *text)
{
    size_t len = strlen(build->dir) + strlen(text) + 2;
    char *path;

    if (text[0] == '/') {
        return build_copy(build, text);
    }
    path = build_alloc(build, len, 1);
    if (path != NULL) {
        snprintf(path, len, "%s/%s", strcmp(build->dir, "/") == 0 ? "" : build->dir,
                 text);
    }
    return path;
}
