/*
 * The command line of a command: one table gives parsing and help.  --help (-h) and
 * --version (-V) are understood everywhere, and need no row.
 */
#ifndef TOOLS_CTL_OPTIONS_H
#define TOOLS_CTL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <unistd.h> /* for optind */

/* An option. It has a value, which goes to text; or it is a switch: it sets on, or, where
 * the last one of several counts, puts its name into text. With neither text nor on it
 * goes to the page's take(), as often as it is there. */
struct options_row {
    const char *name;  /* without the hyphens */
    char letter;       /* the same in short; 0 = there is none */
    const char *value; /* what stands behind it, for the help; NULL = it is a switch */
    const char **text; /* the last one counts; as it was if the option is not there */
    bool *on;
    const char *help; /* \n where the next line is to begin */
};

enum options_operands { OPTIONS_NONE, OPTIONS_OPTIONAL, OPTIONS_ONE, OPTIONS_MANY };

/* What a command says of itself. */
struct options_page {
    const char *command;
    const char *usage;   /* "usage: ..."; whole lines, as all that follows */
    const char *about;   /* in front of the options */
    const char *notes;   /* behind them */
    const char *operand; /* what the command is about; NULL with OPTIONS_NONE */
    enum options_operands operands;
    /* Returns 0; anything else when the value will not do, which was said. */
    int (*take)(void *context, const char *name, const char *value);
    void *context;
};

#define OPTIONS_COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/*
 * Takes the options off a command line; the operands begin at argv[optind].
 *
 *   rows   in   at most 30
 *
 * Returns  -1 to go on; else the exit status: help or version was printed, or what is
 *          wrong.
 */
int options_read(const struct options_page *page, const struct options_row *rows,
                 size_t count, int argc, char **argv);

/* Says what is wrong with a command line, and how it is meant. Returns CTL_EXIT_USAGE. */
int options_wrong(const struct options_page *page, const char *what, const char *why);

/* Says which version this is, on standard output. */
void options_print_version(void);

#endif
