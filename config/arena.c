#include "config/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_LEN 8000 /* room in a usual chunk */

struct chunk {
    struct chunk *next;
    size_t used;
    size_t len;
    alignas(max_align_t) char data[];
};

struct arena {
    struct chunk *chunks; /* the newest first; only it has room */
};

struct arena *
arena_new(void)
{
    return calloc(1, sizeof(struct arena));
}

void
arena_free(struct arena *arena)
{
    struct chunk *next;

    if (arena == NULL) {
        return;
    }
    for (struct chunk *chunk = arena->chunks; chunk != NULL; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(arena);
}

static struct chunk *
chunk_with_room(struct arena *arena, size_t len)
{
    struct chunk *chunk = arena->chunks;
    size_t room = len > CHUNK_LEN ? len : CHUNK_LEN;

    if (chunk != NULL && chunk->len - chunk->used >= len) {
        return chunk;
    }
    chunk = calloc(1, sizeof(*chunk) + room);
    if (chunk != NULL) {
        chunk->len = room;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    return chunk;
}

void *
arena_alloc(struct arena *arena, size_t len)
{
    const size_t align = alignof(max_align_t);
    struct chunk *chunk;
    void *memory;

    if (len > SIZE_MAX / 2) {
        return NULL;
    }
    len = (len + align - 1) / align * align;
    chunk = chunk_with_room(arena, len);
    if (chunk == NULL) {
        return NULL;
    }
    memory = chunk->data + chunk->used;
    chunk->used += len;
    return memory;
}

char *
arena_copy(struct arena *arena, const char *text, size_t len)
{
    char *copy = arena_alloc(arena, len + 1);

    if (copy != NULL) {
        memcpy(copy, text, len);
    }
    return copy;
}
