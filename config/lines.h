/*
 * The lines of a policy file: checked one by one, then taken apart by inih.
 */
#ifndef CONFIG_LINES_H
#define CONFIG_LINES_H

#include <stdbool.h>
#include <stddef.h>

/* Who hears of what the lines hold; text lives only during the call. */
struct lines_handler {
    /* "[header]"; NULL when the line tried to be one and is broken */
    void (*section)(void *context, int line, const char *header);
    /* "key = value" */
    void (*value)(void *context, int line, const char *key, const char *value);
    /* an indented line, which goes on with the value of the key before it */
    void (*more)(void *context, int line, const char *value);
    void (*problem)(void *context, int line, const char *text);
    void *context;
};

/*
 * Reads a text line by line.
 *
 *   text, len  in  the whole file
 *
 * Every line that cannot be understood is a problem and is left out.
 *
 * Returns  whether this is text; a NUL is a problem and ends the reading.
 */
bool lines_read(const char *text, size_t len, const struct lines_handler *handler);

#endif
