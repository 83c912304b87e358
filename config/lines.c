#include "config/lines.h"

#include <ctype.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

#define BOM "\xef\xbb\xbf"
#define HEADER_LEN 200
#define SPARE 3 /* of inih's buffer: "\r\n" and the NUL (ini.h, INI_MAX_LINE) */

struct lines {
    const char *at;
    const char *end;
    int line;     /* the one that inih has got, from 1 */
    bool has_key; /* since the last header: an indented line goes on with a value */
    bool is_more; /* this line does */
    bool dropped; /* the last line with a key was refused: what goes on with it is, too */
    bool had_fault; /* any problem reported */
    bool has_nul;
    bool is_broken_header; /* this line */
    const struct lines_handler *handler;
};

static void
problem(struct lines *lines, const char *text)
{
    lines->had_fault = true;
    lines->handler->problem(lines->handler->context, lines->line, text);
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/*
 * A comment begins at a ';' with white space before it, as inih has it; but inih leaves
 * it in lines that go on with a value, so it is taken off here.
 */
static const char *
before_comment(const char *text, const char *end)
{
    for (const char *c = text + 1; c < end; c++) {
        if (*c == ';' && is_blank(c[-1])) {
            end = c;
        }
    }
    while (end > text && is_blank(end[-1])) {
        end--;
    }
    return end;
}

/* What follows a broken header is in no section. */
static void
break_header(struct lines *lines)
{
    lines->is_broken_header = true;
    lines->has_key = false;
    lines->dropped = false;
    lines->handler->section(lines->handler->context, lines->line, NULL);
}

static bool
has_control(const char *text, const char *end)
{
    for (; text < end; text++) {
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

/* Returns whether inih may have the line. */
static bool
check_header(struct lines *lines, const char *text, const char *end)
{
    const struct lines_handler *handler = lines->handler;
    char header[HEADER_LEN];
    size_t len = (size_t)(end - text);

    lines->has_key = false;
    lines->dropped = false;
    if (len < 3 || len - 2 >= sizeof(header) || end[-1] != ']') {
        problem(lines, "not a section's header: want [shim], [identity NAME], "
                       "[outbound NAME] or [inbound NAME]");
        break_header(lines);
        return false;
    }
    memcpy(header, text + 1, len - 2);
    header[len - 2] = '\0';
    handler->section(handler->context, lines->line, header);
    return true;
}

static bool
check_key(struct lines *lines, const char *text, const char *end)
{
    const char *equals;

    equals = memchr(text, '=', (size_t)(end - text));
    lines->has_key = true;
    lines->dropped = true;
    /* inih would take ':' for '=' too: addresses are full of them. */
    if (equals == NULL || memchr(text, ':', (size_t)(equals - text)) != NULL) {
        problem(lines, "neither a section's header nor KEY = VALUE");
        return false;
    }
    if (equals == text) {
        problem(lines, "no key before the '='");
        return false;
    }
    lines->dropped = false;
    return true;
}

static bool
check_form(struct lines *lines, const char *text, const char *end, int room)
{
    char message[160];

    if (has_control(text, end)) {
        problem(lines, "holds a control character: not a text file?");
        return false;
    }
    if (end - text > room - SPARE) {
        snprintf(
            message, sizeof(message),
            "line too long: %zu bytes, at most %d; a list may go on in the next line, "
            "indented",
            (size_t)(end - text), room - SPARE);
        problem(lines, message);
        return false;
    }
    return true;
}

/* After a line that is not even looked at: what belongs to it is left out, too. */
static void
drop(struct lines *lines, bool is_header)
{
    if (lines->is_more) {
        return;
    }
    if (is_header) {
        break_header(lines);
    } else {
        lines->has_key = true;
        lines->dropped = true;
    }
}

/* Decides what a line is; returns how many of its bytes inih gets to see. */
static size_t
check_line(struct lines *lines, const char *start, const char *end, int room)
{
    const char *text = start;
    bool good;

    lines->is_more = false;
    lines->is_broken_header = false;
    while (text < end && is_blank(*text)) {
        text++;
    }
    if (text == end || *text == ';' || *text == '#') {
        return 0;
    }
    lines->is_more = text > start && lines->has_key;
    end = before_comment(text, end);
    if (!check_form(lines, start, end, room)) {
        drop(lines, *text == '[');
        return 0;
    }
    if (lines->is_more) {
        good = !lines->dropped;
    } else if (*text == '[') {
        good = check_header(lines, text, end);
    } else {
        good = check_key(lines, text, end);
    }
    return good ? (size_t)(end - start) : 0;
}

/* inih's reader, as fgets: every call gives one line, an empty one for a refused one. */
static char *
next_line(char *buffer, int room, void *stream)
{
    struct lines *lines = stream;
    const char *start = lines->at;
    const char *end;
    size_t len;

    if (start == lines->end) {
        return NULL;
    }
    end = memchr(start, '\n', (size_t)(lines->end - start));
    lines->at = end != NULL ? end + 1 : lines->end;
    end = end != NULL ? end : lines->end;
    lines->line++;
    if (end > start && memchr(start, '\0', (size_t)(end - start)) != NULL) {
        problem(lines, "holds a NUL byte: not a text file");
        lines->has_nul = true;
        lines->at = lines->end;
        return NULL;
    }
    while (end > start && is_blank(end[-1])) {
        end--;
    }
    len = check_line(lines, start, end, room);
    if (lines->is_broken_header) {
        /* One in its place, so that inih forgets the key before it, too. */
        start = "[?]";
        len = strlen(start);
    }
    memcpy(buffer, start, len);
    memcpy(buffer + len, "\n", 2);
    return buffer;
}

static int
on_value(void *user, const char *section, const char *key, const char *value)
{
    struct lines *lines = user;
    const struct lines_handler *handler = lines->handler;

    /* inih cuts long names of sections and is silent about empty ones: we saw them. */
    (void)section;
    if (lines->is_more) {
        handler->more(handler->context, lines->line, value);
    } else {
        handler->value(handler->context, lines->line, key, value);
    }
    return 1;
}

bool
lines_read(const char *text, size_t len, const struct lines_handler *handler)
{
    struct lines lines = {.at = text, .end = text + len, .handler = handler};
    int line;

    /* All of them: inih would take off one more. */
    while ((size_t)(lines.end - lines.at) >= strlen(BOM) &&
           memcmp(lines.at, BOM, strlen(BOM)) == 0) {
        lines.at += strlen(BOM);
    }
    line = ini_parse_stream(next_line, &lines, on_value, &lines);
    /* Our checks are to be stricter than inih's; if not, nothing may be lost unsaid. */
    if (line != 0 && !lines.had_fault) {
        lines.line = line > 0 ? line : 0;
        problem(&lines, "cannot be read");
    }
    return !lines.has_nul;
}
