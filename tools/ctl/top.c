/* mtlsctl top: the connections that are open on this host. */
#include "tools/ctl/ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "config/policy.h"
#include "shim/session/suite.h"
#include "tools/ctl/address.h"
#include "tools/ctl/json.h"
#include "tools/ctl/metrics_dir.h"
#include "tools/ctl/metrics_read.h"
#include "tools/ctl/options.h"

static const struct options_page page = {
    .command = "top",
    .usage = "usage: mtlsctl top [-p POLICY | -d DIR] [--once | --json]\n",
    .about = "Shows the connections of the processes of this host that count under "
             "metrics_dir.\n"
             "On a terminal it is shown anew every two seconds; q ends it.\n",
    .notes = "Exit status: 0 when all is well, 1 when not, 2 for a wrong command line, "
             "78 for a\n"
             "bad policy or one without metrics_dir.\n",
    .operands = OPTIONS_NONE,
};

enum { REFRESH_MS = 2000, SHORT_LEN = 24 };

static const char *
direction_name(uint32_t direction)
{
    return direction == METRICS_INBOUND ? "inbound" : "outbound";
}

static const char *
version_name(uint16_t version)
{
    return version == 0x0304 ? "1.3" : version == 0x0303 ? "1.2" : "?";
}

static const char *
cipher_name(uint16_t cipher)
{
    const struct suite *suite = suite_by_number(cipher);
    return suite != NULL ? suite->name : NULL;
}

static int64_t
bytes_in(const struct metrics_connection *connection)
{
    return (int64_t)atomic_load(&connection->open.in.bytes);
}

static int64_t
bytes_out(const struct metrics_connection *connection)
{
    return (int64_t)atomic_load(&connection->open.out.bytes);
}

static int64_t
age_s(const struct metrics_connection *connection)
{
    int64_t age = time(NULL) - connection->open.opened_s;
    return age > 0 ? age : 0;
}

/* ---- JSON -------------------------------------------------------------------------- */

static void
put_process(struct json *json, const struct metrics_process *process)
{
    json_open(json, NULL);
    json_number(json, "pid", process->pid);
    json_number(json, "uid", process->uid);
    json_text(json, "program", process->program);
    json_text(json, "command", process->command);
    json_text(json, "service", process->service);
    json_number(json, "started", process->started_s);
    json_number(json, "connections", (int64_t)process->connections);
    json_close(json);
}

static void
put_connection(struct json *json, const struct metrics_connection *connection)
{
    const struct metrics_open *open = &connection->open;
    char address[ADDRESS_LEN];
    json_open(json, NULL);
    json_number(json, "pid", connection->pid);
    json_number(json, "uid", connection->uid);
    json_text(json, "program", connection->program);
    json_text(json, "command", connection->command);
    json_text(json, "service", connection->service);
    json_text(json, "rule", connection->rule);
    json_text(json, "direction", direction_name(connection->direction));
    json_text(json, "local",
              address_text((const struct sockaddr *)&open->local, address));
    json_text(json, "remote",
              address_text((const struct sockaddr *)&open->remote, address));
    json_text(json, "peer", open->peer);
    json_text(json, "version", version_name(open->version));
    json_text(json, "cipher", cipher_name(open->cipher));
    json_number(json, "opened", open->opened_s);
    json_number(json, "age_s", age_s(connection));
    json_number(json, "bytes_in", bytes_in(connection));
    json_number(json, "bytes_out", bytes_out(connection));
    json_number(json, "records_in", (int64_t)atomic_load(&open->in.records));
    json_number(json, "records_out", (int64_t)atomic_load(&open->out.records));
    json_close(json);
}

static void
show_json(const struct metrics_view *view)
{
    struct json json;
    json_start(&json, stdout);
    json_number(&json, "time", time(NULL));
    json_open_list(&json, "processes");
    for (size_t i = 0; i < view->process_count; i++) {
        put_process(&json, &view->processes[i]);
    }
    json_close(&json);
    json_open_list(&json, "connections");
    for (size_t i = 0; i < view->connection_count; i++) {
        put_connection(&json, &view->connections[i]);
    }
    json_close(&json);
    json_end(&json);
}

/* ---- the table --------------------------------------------------------------------- */

static const char *
short_size(int64_t bytes, char text[SHORT_LEN])
{
    static const char units[] = "BKMGTPE";
    double size = (double)bytes;
    int unit = 0;
    while (size >= 1024 && units[unit + 1] != '\0') {
        size /= 1024;
        unit++;
    }
    snprintf(text, SHORT_LEN, unit == 0 || size >= 100 ? "%.0f%c" : "%.1f%c", size,
             units[unit]);
    return text;
}

static const char *
short_time(int64_t seconds, char text[SHORT_LEN])
{
    if (seconds < 60) {
        snprintf(text, SHORT_LEN, "%" PRId64 "s", seconds);
    } else if (seconds < 3600) {
        snprintf(text, SHORT_LEN, "%" PRId64 "m%02" PRId64, seconds / 60, seconds % 60);
    } else if (seconds < 86400) {
        snprintf(text, SHORT_LEN, "%" PRId64 "h%02" PRId64, seconds / 3600,
                 seconds / 60 % 60);
    } else {
        snprintf(text, SHORT_LEN, "%" PRId64 "d%02" PRId64, seconds / 86400,
                 seconds / 3600 % 24);
    }
    return text;
}

/* What another process has written is not to reach the terminal's controls. */
static const char *
printable(const char *text, char *copy, size_t size)
{
    size_t len = 0;
    for (; text[len] != '\0' && len < size - 1; len++) {
        unsigned char c = (unsigned char)text[len];
        copy[len] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
    }
    copy[len] = '\0';
    return copy;
}

static void
print_row(const struct metrics_connection *connection, int width)
{
    char command[METRICS_SERVICE_LEN];
    char rule[METRICS_RULE_LEN];
    char peer[METRICS_PEER_LEN];
    char remote[ADDRESS_LEN];
    char age[SHORT_LEN];
    char in[SHORT_LEN];
    char out[SHORT_LEN];
    char line[512];
    snprintf(line, sizeof(line),
             "%7" PRId64 " %-15.15s %-3s %-14.14s %-21s %-3s %7s %7s %7s  %s",
             connection->pid, printable(connection->command, command, sizeof(command)),
             connection->direction == METRICS_INBOUND ? "in" : "out",
             printable(connection->rule, rule, sizeof(rule)),
             address_text((const struct sockaddr *)&connection->open.remote, remote),
             version_name(connection->open.version), short_time(age_s(connection), age),
             short_size(bytes_in(connection), in), short_size(bytes_out(connection), out),
             printable(connection->open.peer, peer, sizeof(peer)));
    printf("%.*s\n", width, line);
}

/* The busiest first. */
static int
compare_traffic(const void *a, const void *b)
{
    const struct metrics_connection *x = a;
    const struct metrics_connection *y = b;
    int64_t x_bytes = bytes_in(x) + bytes_out(x);
    int64_t y_bytes = bytes_in(y) + bytes_out(y);
    return x_bytes != y_bytes ? (x_bytes < y_bytes ? 1 : -1)
                              : (x->open.started_us > y->open.started_us) -
                                    (x->open.started_us < y->open.started_us);
}

static void
show_table(struct metrics_view *view, int width, size_t rows)
{
    printf("mtls-shim: processes %zu, connections %zu\n", view->process_count,
           view->connection_count);
    printf("%.*s\n", width,
           "    PID COMMAND         DIR RULE           REMOTE                TLS     AGE"
           "      IN     OUT  PEER");
    if (view->connection_count > 0) {
        qsort(view->connections, view->connection_count, sizeof(view->connections[0]),
              compare_traffic);
    }
    for (size_t i = 0; i < view->connection_count && i < rows; i++) {
        print_row(&view->connections[i], width);
    }
}

/* ---- the screen -------------------------------------------------------------------- */

static int
fail(const char *dir)
{
    fprintf(stderr, "mtlsctl: top: %s: %s\n", dir, strerror(errno));
    return EXIT_FAILURE;
}

static int
show_once(const char *dir, bool as_json)
{
    struct metrics_view *view = metrics_read(dir);
    if (view == NULL) {
        return fail(dir);
    }
    if (as_json) {
        show_json(view);
    } else {
        show_table(view, INT16_MAX, SIZE_MAX);
    }
    metrics_read_free(view);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : fail("output");
}

/* Returns whether the user wants to leave. */
static bool
wait_for_user(void)
{
    struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
    char key = 0;
    if (!isatty(STDIN_FILENO)) {
        keys.fd = -1;
    }
    if (poll(&keys, 1, REFRESH_MS) <= 0) {
        return false;
    }
    return read(STDIN_FILENO, &key, 1) <= 0 || key == 'q';
}

static int
show_always(const char *dir)
{
    do {
        struct winsize size = {.ws_col = 80, .ws_row = 24};
        struct metrics_view *view = metrics_read(dir);
        if (view == NULL) {
            return fail(dir);
        }
        (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
        fputs("\033[H\033[2J", stdout);
        show_table(view, size.ws_col > 0 ? size.ws_col : 80,
                   size.ws_row > 4 ? size.ws_row - 3U : 1);
        fflush(stdout);
        metrics_read_free(view);
    } while (!wait_for_user());
    return EXIT_SUCCESS;
}

int
ctl_top(int argc, char **argv)
{
    const char *policy = NULL;
    const char *given = NULL;
    bool once = false;
    bool as_json = false;
    const struct options_row rows[] = {
        METRICS_DIR_ROWS(policy, given),
        {"once", 0, NULL, NULL, &once, "show it once, all of it"},
        {"json", 0, NULL, NULL, &as_json, "the same as one JSON object"},
    };
    int status = options_read(&page, rows, OPTIONS_COUNT(rows), argc, argv);

    if (status >= 0) {
        return status;
    }
    char *dir = metrics_dir(given, policy, "top");
    if (dir == NULL) {
        return POLICY_EXIT_CONFIG;
    }
    status = once || as_json || !isatty(STDOUT_FILENO) ? show_once(dir, as_json)
                                                       : show_always(dir);
    free(dir);
    return status;
}
