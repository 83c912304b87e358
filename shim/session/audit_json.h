/*
 * One JSON object in a buffer of fixed size: whatever is put in, it stays valid JSON and
 * within the size.  A text that is too long is cut with "...", a field for which there is
 * no room is left out.
 *
 * Safe: async-signal-safe, allocates nothing, knows no locale.
 */
#ifndef SHIM_SESSION_AUDIT_JSON_H
#define SHIM_SESSION_AUDIT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct audit_json {
    char *out;
    size_t size, len;
};

/* Begins an object in out, which must have room for a few bytes. */
void audit_json_open(struct audit_json *json, char *out, size_t size);

/*
 * Adds a text, unless it is NULL or empty.  Control characters, '"' and '\' are escaped,
 * bytes that are not UTF-8 become U+FFFD.
 *
 *   room  in  the most that its value may take in the object, without the quotes
 */
void audit_json_text(struct audit_json *json, const char *key, const char *text,
                     size_t room);
void audit_json_number(struct audit_json *json, const char *key, int64_t number);
void audit_json_bool(struct audit_json *json, const char *key, bool value);

/* Ends the object with a newline. Returns the length. */
size_t audit_json_close(struct audit_json *json);

/* Appends a decimal number of at least width digits to text; returns its new length. */
size_t audit_json_decimal(char *text, size_t len, uint64_t number, unsigned width);

#endif
