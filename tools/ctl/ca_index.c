#include "tools/ctl/ca_index.h"

#include "tools/ctl/ca.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIME_FORMAT "%Y-%m-%dT%H:%M:%SZ"
#define HEADER                                                                           \
    "# What this CA issued: state, serial, end of validity, time of revocation, name.\n"

const char *
ca_index_time(int64_t when, char text[CA_TIME_TEXT])
{
    time_t seconds = (time_t)when;
    struct tm tm;

    if (gmtime_r(&seconds, &tm) == NULL ||
        strftime(text, CA_TIME_TEXT, TIME_FORMAT, &tm) == 0) {
        memcpy(text, "?", 2);
    }
    return text;
}

bool
ca_index_name_valid(const char *name)
{
    static const char fit[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789._-@+";
    size_t len = strlen(name);

    /* "ca" would overwrite the CA's own files. */
    return len > 0 && len < CA_NAME_TEXT && strspn(name, fit) == len && name[0] != '.' &&
           name[0] != '-' && strcmp(name, "ca") != 0;
}

static bool
parse_time(const char *text, int64_t *when)
{
    struct tm tm;
    const char *end;

    memset(&tm, 0, sizeof(tm));
    end = strptime(text, TIME_FORMAT, &tm);
    if (end == NULL || *end != '\0') {
        return false;
    }
    *when = timegm(&tm);
    return true;
}

static bool
parse_entry(const char *line, struct ca_entry *entry)
{
    char state[8];
    char not_after[32];
    char revoked_at[32];
    int used = 0;

    memset(entry, 0, sizeof(*entry));
    if (sscanf(line, "%7s %40[0-9a-f] %31s %31s %200s%n", state, entry->serial, not_after,
               revoked_at, entry->name, &used) != 5 ||
        line[used] != '\0' || !parse_time(not_after, &entry->not_after) ||
        strlen(entry->serial) % 2 != 0 || !ca_index_name_valid(entry->name)) {
        return false;
    }
    if (strcmp(state, "valid") == 0) {
        return strcmp(revoked_at, "-") == 0;
    }
    return strcmp(state, "revoked") == 0 && parse_time(revoked_at, &entry->revoked_at);
}

int
ca_index_add(struct ca_index *index, const struct ca_entry *entry)
{
    struct ca_entry *grown =
        reallocarray(index->entries, index->count + 1, sizeof(*index->entries));

    if (grown == NULL) {
        return ca_error(-ENOMEM, "the index: %s", strerror(ENOMEM));
    }
    index->entries = grown;
    grown[index->count++] = *entry;
    return 0;
}

static int
parse_line(struct ca_index *index, const char *line)
{
    struct ca_entry entry;
    char *end;

    if (line[0] == '\0' || line[0] == '#') {
        return 0;
    }
    if (strncmp(line, "crl ", 4) == 0) {
        index->crl_number = strtoull(line + 4, &end, 10);
        return end != line + 4 && *end == '\0' ? 0 : -EINVAL;
    }
    return parse_entry(line, &entry) ? ca_index_add(index, &entry) : -EINVAL;
}

int
ca_index_load(const struct ca_store *store, struct ca_index *index)
{
    char *text;
    size_t len;
    int line_number = 1;
    int rc;

    memset(index, 0, sizeof(*index));
    rc = ca_store_read(store, "index", &text, &len);
    if (rc != 0) {
        return rc;
    }
    for (char *line = text; rc == 0 && *line != '\0'; line_number++) {
        char *end = line + strcspn(line, "\n");
        char *next = *end != '\0' ? end + 1 : end;

        *end = '\0';
        rc = parse_line(index, line);
        if (rc == -EINVAL) {
            ca_error(rc, "%s/index:%d: not a line that mtlsctl wrote; mend or remove it",
                     store->dir, line_number);
        }
        line = next;
    }
    free(text);
    if (rc != 0) {
        ca_index_done(index);
    }
    return rc;
}

static void
print_entry(FILE *out, const struct ca_entry *entry)
{
    char not_after[CA_TIME_TEXT];
    char revoked_at[CA_TIME_TEXT] = "-";

    if (entry->revoked_at != 0) {
        ca_index_time(entry->revoked_at, revoked_at);
    }
    fprintf(out, "%s %s %s %s %s\n", entry->revoked_at != 0 ? "revoked" : "valid",
            entry->serial, ca_index_time(entry->not_after, not_after), revoked_at,
            entry->name);
}

int
ca_index_save(const struct ca_store *store, const struct ca_index *index)
{
    char path[PATH_MAX];
    struct ca_file file = {ca_store_path(store, "index", path), 0644, NULL, 0};
    char *text = NULL;
    FILE *out = open_memstream(&text, &file.len);
    int rc;

    if (out == NULL) {
        return ca_error(-ENOMEM, "the index: %s", strerror(ENOMEM));
    }
    fprintf(out, HEADER "crl %" PRIu64 "\n", index->crl_number);
    for (size_t i = 0; i < index->count; i++) {
        print_entry(out, &index->entries[i]);
    }
    if (fclose(out) != 0) {
        free(text);
        return ca_error(-ENOMEM, "the index: %s", strerror(ENOMEM));
    }
    file.data = text;
    rc = ca_store_replace(&file, 1);
    free(text);
    return rc;
}

void
ca_index_done(struct ca_index *index)
{
    free(index->entries);
    memset(index, 0, sizeof(*index));
}
