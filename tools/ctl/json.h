/*
 * Writes JSON by yajl, for the commands with --json: one object, indented, whatever bytes
 * the texts hold.
 */
#ifndef TOOLS_CTL_JSON_H
#define TOOLS_CTL_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 16 /* levels; no more are opened */

struct json {
    struct yajl_gen_t *gen;
    bool is_list[JSON_DEPTH_MAX];
    int depth;
};

/* Begins the outermost object; json_end() ends it and the line. */
void json_start(struct json *json, FILE *out);
void json_end(struct json *json);

/* Begin an object or a list; key is NULL within a list.  json_close() ends the innermost.
 */
void json_open(struct json *json, const char *key);
void json_open_list(struct json *json, const char *key);
void json_close(struct json *json);

/* Members.  Bytes of a text that are not UTF-8 become U+FFFD; NULL is written as null. */
void json_text(struct json *json, const char *key, const char *text);
void json_number(struct json *json, const char *key, int64_t number);
void json_bool(struct json *json, const char *key, bool value);

#endif
