/* mtlsctl suggest: rules made of what audit logs have seen. */
#include "tools/ctl/ctl.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ctl/document.h"
#include "tools/ctl/log_ends.h"
#include "tools/ctl/log_reader.h"
#include "tools/ctl/options.h"
#include "tools/ctl/tally.h"

static const struct options_page page = {
    .command = "suggest",
    .usage = "usage: mtlsctl suggest [--identity NAME] [--strict] AUDIT...\n",
    .about =
        "Reads audit logs and writes rules for what they have seen, above all under "
        "observe\n"
        "and permissive: who may come in, and how often each did, and what a rule would "
        "have\n"
        "refused. The rules go into a policy that has [shim] and [identity] already; "
        "look "
        "at\n"
        "each before you use it. AUDIT is a file, or - for standard input.\n",
    .notes = "Exit status: 0 when rules were written, 1 when a log could not be read or "
             "shows no\n"
             "connection, 2 for a wrong command line.\n",
    .operand = "AUDIT",
    .operands = OPTIONS_MANY,
};

enum {
    ROWS_MAX = 20000,
    ALLOW_MAX = 64, /* entries in a rule: more want a glob of a human's making */
    REFUSED_MAX = 8,
    NAME_MAX_LEN = 40, /* of a section, as the policy has it */
    ENTRY_LEN = 200,
};

struct sum {
    struct tally *servers; /* direction, server */
    struct tally *peers;   /* direction, server, entry of allow */
    struct tally *plain;   /* direction, server, client */
    struct tally *refused; /* direction, server, peer, reason */
    int64_t first_ms, last_ms;
    int64_t lines;
};

/* ---- reading ----------------------------------------------------------------------- */

/* Writes how allow names a peer; commas cannot be written there. */
static struct log_line_text
entry_of(const struct log_line *line, char room[ENTRY_LEN])
{
    static const struct {
        const char *prefix, *entry;
    } kinds[] = {{"URI:", "uri:"}, {"DNS:", "dns:"}};
    struct log_line_text peer = log_ends_peer(line);
    int len = -1;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (peer.len > 4 && memcmp(peer.at, kinds[i].prefix, 4) == 0) {
            len = snprintf(room, ENTRY_LEN, "%s%.*s", kinds[i].entry, (int)(peer.len - 4),
                           peer.at + 4);
        }
    }
    if (len < 0 || len >= ENTRY_LEN - 10) {
        struct log_line_text sha256 = line->field[LOG_PEER_SHA256];
        len = snprintf(room, ENTRY_LEN, "sha256:%.*s", (int)sha256.len, sha256.at);
    }
    for (char *at = room; *at != '\0'; at++) {
        if (*at == ',' || *at == ';' || *at == '*' || isspace((unsigned char)*at) != 0) {
            *at = '?';
        }
    }
    return (struct log_line_text){room, (size_t)len};
}

static enum tally_count
kind_of(struct log_line_text event)
{
    static const struct {
        const char *event;
        enum tally_count count;
    } kinds[] = {
        {"handshake_ok", TALLY_CONNECTIONS},
        {"plaintext", TALLY_PLAINTEXT},
        {"observed", TALLY_PLAINTEXT},
        {"handshake_failed", TALLY_FAILED},
        {"denied", TALLY_DENIED},
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (log_line_is(event, kinds[i].event)) {
            return kinds[i].count;
        }
    }
    return TALLY_COUNT;
}

static void
take(void *context, const struct log_line *line)
{
    struct sum *sum = context;
    char server[LOG_ENDS_SERVER_LEN];
    char entry[ENTRY_LEN];
    int64_t time = log_line_time_ms(line->field[LOG_TIME]);
    enum tally_count kind = kind_of(line->field[LOG_EVENT]);
    if (time < 0 || kind == TALLY_COUNT || line->field[LOG_DIRECTION].len == 0) {
        return;
    }
    bool is_inbound = log_line_is(line->field[LOG_DIRECTION], "inbound");
    struct log_line_text key[TALLY_PARTS_MAX] = {line->field[LOG_DIRECTION],
                                                 log_ends_server(line, server)};
    sum->lines++;
    sum->first_ms = sum->first_ms == 0 || time < sum->first_ms ? time : sum->first_ms;
    sum->last_ms = time > sum->last_ms ? time : sum->last_ms;
    tally_add(tally_find(sum->servers, key), kind, 1, time);
    if (kind == TALLY_PLAINTEXT) {
        key[2] = is_inbound ? log_ends_host(line->field[LOG_REMOTE])
                            : line->field[LOG_PROGRAM];
        tally_add(tally_find(sum->plain, key), kind, 1, time);
    } else if (kind == TALLY_CONNECTIONS) {
        key[2] = entry_of(line, entry);
        tally_add(tally_find(sum->peers, key), kind, 1, time);
    } else {
        struct log_line_text peer = log_ends_peer(line);
        key[2] = peer.len > 0 ? peer : log_ends_host(line->field[LOG_REMOTE]);
        key[3] = line->field[LOG_REASON];
        tally_add(tally_find(sum->refused, key), kind, 1, time);
    }
}

/* ---- writing ----------------------------------------------------------------------- */

static const char *
number(int64_t value, char room[DOCUMENT_VALUE_LEN])
{
    return document_value(DOCUMENT_NUMBER, NULL, value, room);
}

/* A section's name: letters, digits, '.', '_' and '-'. */
static void
put_name(const struct tally_row *server, char name[NAME_MAX_LEN + 1])
{
    const char *port = strrchr(server->part[1], ':');
    int host_len = port != NULL ? (int)(port - server->part[1]) : 0;
    if (host_len == 1 && server->part[1][0] == '*') {
        snprintf(name, NAME_MAX_LEN + 1, "port-%s", port + 1);
    } else {
        snprintf(name, NAME_MAX_LEN + 1, "%.*s-%s", host_len > 33 ? 33 : host_len,
                 server->part[1], port != NULL ? port + 1 : "");
    }
    for (char *at = name; *at != '\0'; at++) {
        if (isalnum((unsigned char)*at) == 0 && strchr("._-", *at) == NULL) {
            *at = '-';
        }
    }
}

/* IPv6 addresses stand in brackets. */
static void
put_pattern(const char *server)
{
    const char *port = strrchr(server, ':');
    bool is_v6 = port != NULL && memchr(server, ':', (size_t)(port - server)) != NULL;
    if (is_v6) {
        printf("[%.*s]%s\n", (int)(port - server), server, port);
    } else {
        printf("%s\n", server);
    }
}

static bool
is_of(const struct tally_row *row, const struct tally_row *server)
{
    return strcmp(row->part[0], server->part[0]) == 0 &&
           strcmp(row->part[1], server->part[1]) == 0;
}

/* "what: a (12), b (3)", as a comment over lines of their own. */
static void
put_list(const struct tally *tally, const struct tally_row *server, const char *what)
{
    struct tally_row **rows;
    size_t count = tally_sorted(tally, tally_all, &rows);
    int shown = 0;
    int more = 0;
    for (size_t i = 0; i < count; i++) {
        char room[DOCUMENT_VALUE_LEN];
        if (!is_of(rows[i], server)) {
            continue;
        }
        if (shown == REFUSED_MAX) {
            more++;
            continue;
        }
        if (shown++ == 0) {
            printf("; %s\n", what);
        }
        printf(";   %s %.100s%s%s\n", number(tally_all(rows[i]), room), rows[i]->part[2],
               rows[i]->part[3][0] != '\0' ? ": " : "", rows[i]->part[3]);
    }
    if (more > 0) {
        printf(";   and %d others\n", more);
    }
    free(rows);
}

static void
put_allow(const struct tally *peers, const struct tally_row *server)
{
    struct tally_row **rows;
    size_t count = tally_sorted(peers, tally_all, &rows);
    int shown = 0;
    int more = 0;
    for (size_t i = 0; i < count; i++) {
        char room[DOCUMENT_VALUE_LEN];
        if (!is_of(rows[i], server)) {
            continue;
        }
        if (shown == ALLOW_MAX) {
            more++;
            continue;
        }
        /* The comma at the end of a line may be left out. */
        printf("%s%s  ; %s\n", shown++ == 0 ? "allow = " : "    ", rows[i]->part[2],
               number(tally_all(rows[i]), room));
    }
    if (more > 0) {
        printf("; %d more peers, who would be refused: write a glob for them\n", more);
    }
    free(rows);
}

static const char *
mode_of(const struct tally_row *server, bool is_inbound, bool strict)
{
    if (strict || server->count[TALLY_PLAINTEXT] == 0) {
        return "mtls";
    }
    return is_inbound ? "permissive" : "observe";
}

static void
put_counts(const struct tally_row *server)
{
    char tls[DOCUMENT_VALUE_LEN];
    char plain[DOCUMENT_VALUE_LEN];
    char refused[DOCUMENT_VALUE_LEN];
    printf("; %s under TLS, %s in plaintext, %s refused\n",
           number(server->count[TALLY_CONNECTIONS], tls),
           number(server->count[TALLY_PLAINTEXT], plain),
           number(server->count[TALLY_FAILED] + server->count[TALLY_DENIED], refused));
}

static void
put_rule(const struct sum *sum, const struct tally_row *server, const char *identity,
         bool strict)
{
    bool is_inbound = strcmp(server->part[0], "inbound") == 0;
    char name[NAME_MAX_LEN + 1];
    put_name(server, name);
    putchar('\n');
    put_counts(server);
    put_list(sum->plain, server, "mode = mtls would have refused these, in plaintext:");
    put_list(sum->refused, server, "these were refused, and would be again:");
    if (!is_inbound && server->count[TALLY_PLAINTEXT] > 0) {
        puts("; mtls is for when the server speaks it: switch both ends together");
    }
    printf("[%s %s]\n%s = ", server->part[0], name, is_inbound ? "local" : "remote");
    put_pattern(server->part[1]);
    printf("mode = %s\nidentity = %s\n", mode_of(server, is_inbound, strict), identity);
    if (is_inbound) { /* outbound the name is verified */
        put_allow(sum->peers, server);
    }
}

static void
put_rules(const struct sum *sum, const char *identity, bool strict)
{
    struct tally_row **rows;
    size_t count = tally_sorted(sum->servers, tally_all, &rows);
    char from[DOCUMENT_VALUE_LEN];
    char to[DOCUMENT_VALUE_LEN];
    char lines[DOCUMENT_VALUE_LEN];
    printf("; Rules for the %s connections from %s to %s (UTC).\n",
           number(sum->lines, lines),
           document_value(DOCUMENT_TIME, NULL, sum->first_ms, from),
           document_value(DOCUMENT_TIME, NULL, sum->last_ms, to));
    puts("; A number behind an entry of allow: how often that peer was there.");
    for (size_t i = 0; i < count; i++) {
        put_rule(sum, rows[i], identity, strict);
    }
    free(rows);
}

/* ---- the command line -------------------------------------------------------------- */

static int
suggest(char *const *paths, int count, const char *identity, bool strict)
{
    struct log_reader_totals totals;
    struct sum sum = {.servers = tally_new(2, ROWS_MAX),
                      .peers = tally_new(3, ROWS_MAX),
                      .plain = tally_new(3, ROWS_MAX),
                      .refused = tally_new(4, ROWS_MAX)};
    int status = EXIT_FAILURE;
    if (sum.servers == NULL || sum.peers == NULL || sum.plain == NULL ||
        sum.refused == NULL) {
        fprintf(stderr, "mtlsctl: suggest: out of memory\n");
    } else if (log_reader_run("suggest", paths, count, take, &sum, &totals) == 0) {
        if (sum.lines > 0) {
            put_rules(&sum, identity, strict);
            status = EXIT_SUCCESS;
        } else {
            fprintf(stderr, "mtlsctl: suggest: no line tells of a connection: is the "
                            "policy's log_level info, and a rule's mode observe?\n");
        }
    }
    tally_free(sum.servers);
    tally_free(sum.peers);
    tally_free(sum.plain);
    tally_free(sum.refused);
    return status;
}

int
ctl_suggest(int argc, char **argv)
{
    const char *identity = "own";
    bool strict = false;
    const struct options_row rows[] = {
        {"identity", 0, "NAME", &identity, NULL, "the rules' identity (default: own)"},
        {"strict", 0, NULL, NULL, &strict, "mode = mtls also where plaintext was seen"},
    };
    int status = options_read(&page, rows, OPTIONS_COUNT(rows), argc, argv);

    return status >= 0 ? status : suggest(argv + optind, argc - optind, identity, strict);
}
