/*
 * Memory that is given back all at once: everything of one policy.
 */
#ifndef CONFIG_ARENA_H
#define CONFIG_ARENA_H

#include <stddef.h>

struct arena;

/* Returns  an empty arena for arena_free(); NULL when memory is short. */
struct arena *arena_new(void);

/* Frees the arena and all that came from it; NULL is fine. */
void arena_free(struct arena *arena);

/*
 * Takes len zeroed bytes, aligned for anything, from the arena.
 *
 * Returns  memory that lives as long as the arena; NULL when memory is short.
 */
void *arena_alloc(struct arena *arena, size_t len);

/* Copies len bytes of text and ends them with a NUL; NULL when memory is short. */
char *arena_copy(struct arena *arena, const char *text, size_t len);

#endif
