#include "shim/session/hello_read.h"

#include <string.h>

enum {
    RANDOM_LEN = 32,
    EXTENSION_GROUPS = 10,
    EXTENSION_SIGNATURES = 13,
    EXTENSION_VERSIONS = 43,
    EXTENSION_KEY_SHARE = 51,
};

/* ---- the form ---------------------------------------------------------------------- */

bool
hello_read_skip(struct der_span *rest, size_t len)
{
    if (rest->len < len) {
        return false;
    }
    rest->at += len;
    rest->len -= len;
    return true;
}

bool
hello_read_number(struct der_span *rest, size_t len, size_t *number)
{
    const uint8_t *at = rest->at;
    if (!hello_read_skip(rest, len)) {
        return false;
    }
    *number = 0;
    for (size_t i = 0; i < len; i++) {
        *number = *number << 8 | at[i];
    }
    return true;
}

bool
hello_read_vector(struct der_span *rest, size_t length_len, struct der_span *vector)
{
    size_t len;
    if (!hello_read_number(rest, length_len, &len) || len > rest->len) {
        return false;
    }
    *vector = (struct der_span){rest->at, len};
    return hello_read_skip(rest, len);
}

bool
hello_read_record(struct der_span record, uint8_t type, struct der_span *body)
{
    enum { RECORD_HEADER = 5, HANDSHAKE = 22 };
    return record.len > RECORD_HEADER && record.at[0] == HANDSHAKE &&
           record.at[RECORD_HEADER] == type &&
           hello_read_skip(&record, RECORD_HEADER + 1) &&
           hello_read_vector(&record, 3, body);
}

/* The next one of a list of extensions. */
static bool
next_extension(struct der_span *list, size_t *type, struct der_span *value)
{
    return hello_read_number(list, 2, type) && hello_read_vector(list, 2, value);
}

/* ---- the hellos -------------------------------------------------------------------- */

bool
hello_read_client(struct der_span body, struct hello_client *client)
{
    struct der_span list;
    struct der_span value;
    size_t number;
    memset(client, 0, sizeof(*client));
    if (!hello_read_number(&body, 2, &number) || !hello_read_skip(&body, RANDOM_LEN) ||
        !hello_read_vector(&body, 1, &list) ||
        !hello_read_vector(&body, 2, &client->suites) ||
        !hello_read_vector(&body, 1, &list)) {
        return false;
    }
    client->legacy_version = (uint16_t)number;
    if (!hello_read_vector(&body, 2, &list)) {
        return true;
    }
    while (next_extension(&list, &number, &value)) {
        if (number == EXTENSION_GROUPS) {
            (void)hello_read_vector(&value, 2, &client->groups);
        } else if (number == EXTENSION_SIGNATURES) {
            (void)hello_read_vector(&value, 2, &client->signatures);
        } else if (number == EXTENSION_VERSIONS) {
            (void)hello_read_vector(&value, 1, &client->versions);
        }
    }
    return true;
}

static void
read_server_extensions(struct der_span list, struct hello_server *server)
{
    struct der_span value;
    size_t type;
    size_t number;
    while (next_extension(&list, &type, &value)) {
        if (type == EXTENSION_VERSIONS && value.len == 2 &&
            hello_read_number(&value, 2, &number)) {
            server->version = (uint16_t)number;
        } else if (type == EXTENSION_KEY_SHARE && hello_read_number(&value, 2, &number)) {
            server->group = (uint16_t)number;
        }
    }
}

bool
hello_read_server(struct der_span body, struct hello_server *server)
{
    struct der_span list;
    size_t number;
    memset(server, 0, sizeof(*server));
    if (!hello_read_number(&body, 2, &number)) {
        return false;
    }
    server->version = (uint16_t)number;
    if (hello_read_skip(&body, RANDOM_LEN) && hello_read_vector(&body, 1, &list) &&
        hello_read_number(&body, 2, &number)) {
        server->suite = (uint16_t)number;
        if (hello_read_skip(&body, 1) && hello_read_vector(&body, 2, &list)) {
            read_server_extensions(list, server);
        }
    }
    return true;
}
