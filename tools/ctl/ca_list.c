#include "tools/ctl/ca_list.h"

#include "tools/ctl/ca_index.h"
#include "tools/ctl/ca_store.h"
#include "tools/ctl/json.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DAY_S (24 * 60 * 60)

static const char *
state_of(const struct ca_entry *entry)
{
    return entry->revoked_at != 0                   ? "revoked"
           : entry->not_after < (int64_t)time(NULL) ? "expired"
                                                    : "valid";
}

static void
print_text(const struct ca_index *index)
{
    char until[CA_TIME_TEXT];

    for (size_t i = 0; i < index->count; i++) {
        const struct ca_entry *entry = &index->entries[i];

        printf("%-7s %s %s %s\n", state_of(entry), entry->serial,
               ca_index_time(entry->not_after, until), entry->name);
    }
}

static bool
is_ca(const struct ca_store *store, const struct ca_entry *entry)
{
    char name[CA_NAME_TEXT + 8];
    char path[PATH_MAX];

    snprintf(name, sizeof(name), "%s/ca.key", entry->name);
    return strlen(store->dir) + strlen(name) + 2 <= sizeof(path) &&
           access(ca_store_path(store, name, path), F_OK) == 0;
}

static void
print_json(const struct ca_store *store, const struct ca_index *index)
{
    struct json json;
    char text[CA_TIME_TEXT];

    json_start(&json, stdout);
    json_text(&json, "dir", store->dir);
    json_number(&json, "crl_number", (int64_t)index->crl_number);
    json_open_list(&json, "issued");
    for (size_t i = 0; i < index->count; i++) {
        const struct ca_entry *entry = &index->entries[i];
        int64_t left = entry->not_after - (int64_t)time(NULL);

        json_open(&json, NULL);
        json_text(&json, "name", entry->name);
        json_text(&json, "serial", entry->serial);
        json_text(&json, "state", state_of(entry));
        json_text(&json, "not_after", ca_index_time(entry->not_after, text));
        json_number(&json, "days_left", left > 0 ? left / DAY_S : 0);
        if (entry->revoked_at != 0) {
            json_text(&json, "revoked_at", ca_index_time(entry->revoked_at, text));
        }
        json_bool(&json, "ca", is_ca(store, entry));
        json_close(&json);
    }
    json_close(&json);
    json_end(&json);
}

int
ca_list(const struct ca_options *options)
{
    struct ca_index index;
    struct ca_store store;
    int rc = ca_store_open(&store, options->dir);

    if (rc != 0) {
        return rc;
    }
    rc = ca_index_load(&store, &index);
    if (rc == 0 && options->json) {
        print_json(&store, &index);
    } else if (rc == 0) {
        print_text(&index);
    }
    ca_index_done(&index);
    ca_store_close(&store);
    return rc;
}
