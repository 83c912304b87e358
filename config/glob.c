#include "config/glob.h"

#include <string.h>

/* Not tolower(), which asks the locale. */
static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/*
 * Only the last '*' is ever gone back to: what an earlier one could take, the later one
 * can take as well. That keeps the time at worst pattern times text.
 */
static bool
match(const char *pattern, const char *text, size_t len, bool fold)
{
    const char *end = text + len;
    const char *star = NULL;
    const char *retry = NULL;

    while (text < end) {
        if (*pattern == '*') {
            star = pattern++;
            retry = text;
        } else if (*pattern != '\0' && (*pattern == '?' || *pattern == *text ||
                                        (fold && lower(*pattern) == lower(*text)))) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

bool
policy_glob(const char *pattern, const char *text)
{
    return match(pattern, text, strlen(text), false);
}

bool
glob_any_case(const char *pattern, const char *text)
{
    return match(pattern, text, strlen(text), true);
}

bool
glob_host(const char *pattern, const char *name)
{
    size_t len = strlen(name);

    if (len > 1 && name[len - 1] == '.') {
        len--;
    }
    return match(pattern, name, len, true);
}
