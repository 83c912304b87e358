#include "config/host.h"

#include <string.h>

#define LABEL_LEN_MAX 63

static bool
is_name_byte(char c, bool globs)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '_' || (globs && (c == '*' || c == '?'));
}

static bool
is_name(const char *text, size_t len, bool globs)
{
    size_t label = 0;

    if (len == 0 || len > HOST_LEN_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '.') {
            if (label == 0) {
                return false;
            }
            label = 0;
        } else if (!is_name_byte(text[i], globs) || ++label > LABEL_LEN_MAX) {
            return false;
        }
    }
    return label > 0;
}

char *
host_copy(struct arena *arena, const char *text, size_t len, bool globs)
{
    char *copy;

    if (len > 1 && text[len - 1] == '.') {
        len--;
    }
    if (!is_name(text, len, globs)) {
        return NULL;
    }
    copy = arena_copy(arena, text, len);
    for (size_t i = 0; copy != NULL && i < len; i++) {
        if (copy[i] >= 'A' && copy[i] <= 'Z') {
            copy[i] = (char)(copy[i] - 'A' + 'a');
        }
    }
    return copy;
}
