#include "shim/target/script.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

int
target_script_parse(const char *head, size_t len, struct target_script *script)
{
    char line[TARGET_SCRIPT_LINE];
    bool whole;
    char *start;
    char *end;

    memset(script, 0, sizeof(*script));
    if (len < 2 || memcmp(head, "#!", 2) != 0) {
        return -ENOEXEC;
    }
    len = len < sizeof(line) ? len : sizeof(line) - 1;
    memcpy(line, head, len);
    line[len] = '\0';
    end = strchr(line, '\n');
    whole = end != NULL || len < sizeof(line) - 1;
    if (end != NULL) {
        *end = '\0';
    }
    start = line + 2 + strspn(line + 2, " \t");
    end = start + strcspn(start, " \t");
    /* A name that may go on past what the kernel looks at is not run. */
    if (end == start || (*end == '\0' && !whole)) {
        return -ENOEXEC;
    }
    memcpy(script->interpreter, start, (size_t)(end - start));
    start = end + strspn(end, " \t");
    end = start + strlen(start);
    while (end > start && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    memcpy(script->argument, start, (size_t)(end - start));
    return 0;
}

/* Whether an option of env(1) takes the next word as its value. */
static bool
env_option_takes_word(const char *word)
{
    return strcmp(word, "-u") == 0 || strcmp(word, "--unset") == 0 ||
           strcmp(word, "-C") == 0 || strcmp(word, "--chdir") == 0;
}

void
target_script_env(const char *argument, char program[TARGET_SCRIPT_LINE])
{
    char words[TARGET_SCRIPT_LINE];
    char *state = NULL;
    bool options = true;
    const char *split = NULL;

    program[0] = '\0';
    if (strncmp(argument, "-S", 2) == 0) {
        split = argument + 2;
    } else if (strncmp(argument, "-vS", 3) == 0) {
        split = argument + 3;
    } else if (strncmp(argument, "--split-string=", 15) == 0) {
        split = argument + 15;
    }
    if (split == NULL) {
        /* The kernel passes one word, spaces and all. */
        if (argument[0] != '-' && strchr(argument, '=') == NULL) {
            memccpy(program, argument, '\0', TARGET_SCRIPT_LINE);
        }
        return;
    }
    memccpy(words, split, '\0', sizeof(words));
    for (char *word = strtok_r(words, " \t", &state); word != NULL;
         word = strtok_r(NULL, " \t", &state)) {
        if (options && word[0] == '-') {
            options = strcmp(word, "--") != 0;
            if (env_option_takes_word(word)) {
                (void)strtok_r(NULL, " \t", &state);
            }
        } else if (strchr(word, '=') != NULL) {
            options = false; /* an assignment: only the program can follow */
        } else {
            memccpy(program, word, '\0', TARGET_SCRIPT_LINE);
            return;
        }
    }
}
