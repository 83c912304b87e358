#include "tools/ctl/options.h"

#include "tools/ctl/ctl.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 30, LETTERS_MAX = 2 * ROWS_MAX + 4, FIRST_ROW = 256 };

int
options_wrong(const struct options_page *page, const char *what, const char *why)
{
    fprintf(stderr, "mtlsctl: %s: %s: %s\n%s", page->command, what, why, page->usage);
    return CTL_EXIT_USAGE;
}

void
options_print_version(void)
{
    printf("mtlsctl %s\n", MTLS_SHIM_VERSION);
}

/* ---- the help ---------------------------------------------------------------------- */

/* "--policy, -p FILE"; returns its length, and prints nothing to a NULL. */
static int
put_name(FILE *out, const struct options_row *row)
{
    char name[64];
    char letter[8] = "";

    if (row->letter != '\0') {
        snprintf(letter, sizeof(letter), ", -%c", row->letter);
    }
    snprintf(name, sizeof(name), "--%s%s%s%s", row->name, letter,
             row->value != NULL ? " " : "", row->value != NULL ? row->value : "");
    return out != NULL ? fprintf(out, "%s", name) : (int)strlen(name);
}

static void
print_row(const struct options_row *row, int width)
{
    const char *at = row->help;

    printf("  ");
    printf("%*s", width - put_name(stdout, row) + 2, "");
    for (const char *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        printf("%.*s\n%*s", (int)(end - at), at, width + 4, "");
    }
    printf("%s\n", at);
}

static void
print_help(const struct options_page *page, const struct options_row *rows, size_t count)
{
    static const struct options_row everywhere[] = {
        {.name = "help", .letter = 'h', .help = "show this text"},
        {.name = "version", .letter = 'V', .help = "show the version"},
    };
    int width = put_name(NULL, &everywhere[1]);

    for (size_t i = 0; i < count; i++) {
        int len = put_name(NULL, &rows[i]);

        width = len > width ? len : width;
    }
    printf("%s%s\n", page->usage, page->about);
    for (size_t i = 0; i < count; i++) {
        print_row(&rows[i], width);
    }
    for (size_t i = 0; i < OPTIONS_COUNT(everywhere); i++) {
        print_row(&everywhere[i], width);
    }
    printf("\n%s", page->notes);
}

/* ---- parsing ----------------------------------------------------------------------- */

/* Writes the rows as getopt wants them. */
static void
translate(const struct options_row *rows, size_t count, struct option table[ROWS_MAX + 3],
          char letters[LETTERS_MAX])
{
    char *letter = letters;

    *letter++ = ':';
    *letter++ = 'h';
    *letter++ = 'V';
    for (size_t i = 0; i < count; i++) {
        int has_value = rows[i].value != NULL ? required_argument : no_argument;

        *table++ = (struct option){rows[i].name, has_value, NULL, FIRST_ROW + (int)i};
        if (rows[i].letter != '\0') {
            *letter++ = rows[i].letter;
            if (rows[i].value != NULL) {
                *letter++ = ':';
            }
        }
    }
    *letter = '\0';
    *table++ = (struct option){"help", no_argument, NULL, 'h'};
    *table++ = (struct option){"version", no_argument, NULL, 'V'};
    *table = (struct option){NULL, 0, NULL, 0};
}

static int
take(const struct options_page *page, const struct options_row *row)
{
    if (row->on != NULL) {
        *row->on = true;
    } else if (row->text != NULL) {
        *row->text = row->value != NULL ? optarg : row->name;
    } else {
        return page->take(page->context, row->name, optarg);
    }
    return 0;
}

static const struct options_row *
row_of(const struct options_row *rows, size_t count, int c)
{
    for (size_t i = 0; i < count; i++) {
        if (c == FIRST_ROW + (int)i || c == rows[i].letter) {
            return &rows[i];
        }
    }
    return NULL;
}

/* Returns -1 when there are as many as the command wants. */
static int
check_operands(const struct options_page *page, int count, char **operands)
{
    if (page->operands == OPTIONS_NONE && count > 0) {
        return options_wrong(page, operands[0], "there is nothing to be named");
    }
    if ((page->operands == OPTIONS_ONE || page->operands == OPTIONS_MANY) && count == 0) {
        return options_wrong(page, page->operand, "is missing");
    }
    if (page->operands != OPTIONS_MANY && count > 1) {
        return options_wrong(page, page->operand, "only one is taken");
    }
    return -1;
}

int
options_read(const struct options_page *page, const struct options_row *rows,
             size_t count, int argc, char **argv)
{
    struct option table[ROWS_MAX + 3];
    char letters[LETTERS_MAX];
    int c;

    translate(rows, count, table, letters);
    opterr = 0;
    while ((c = getopt_long(argc, argv, letters, table, NULL)) != -1) {
        const struct options_row *row = row_of(rows, count, c);

        if (c == 'h') {
            print_help(page, rows, count);
            return EXIT_SUCCESS;
        }
        if (c == 'V') {
            options_print_version();
            return EXIT_SUCCESS;
        }
        if (row == NULL) {
            return options_wrong(page, argv[optind - 1],
                                 c == ':' ? "needs a value" : "unknown option");
        }
        if (take(page, row) != 0) {
            return CTL_EXIT_USAGE;
        }
    }
    return check_operands(page, argc - optind, argv + optind);
}
