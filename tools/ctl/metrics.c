/* mtlsctl metrics: what was counted, for Prometheus. */
#include "tools/ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/policy.h"
#include "tools/ctl/metrics_dir.h"
#include "tools/ctl/metrics_serve.h"
#include "tools/ctl/metrics_text.h"
#include "tools/ctl/options.h"

static const struct options_page page = {
    .command = "metrics",
    .usage =
        "usage: mtlsctl metrics [-p POLICY | -d DIR] [--listen ADDR:PORT | --textfile "
        "PATH]\n",
    .about = "Shows what the processes of this host have counted under metrics_dir, in "
             "the text\n"
             "format of Prometheus.\n",
    .notes = "Exit status: 0 when all is well, 1 when not, 2 for a wrong command line, "
             "78 for a\n"
             "bad policy or one without metrics_dir.\n",
    .operands = OPTIONS_NONE,
};

static int
fail(const char *what)
{
    fprintf(stderr, "mtlsctl: metrics: %s: %s\n", what, strerror(errno));
    return EXIT_FAILURE;
}

static int
print(const char *dir, FILE *out)
{
    struct metrics_view *view = metrics_read(dir);
    if (view == NULL) {
        return fail(dir);
    }
    metrics_text(out, view);
    metrics_read_free(view);
    return fflush(out) == 0 && !ferror(out) ? EXIT_SUCCESS : fail("output");
}

/* node_exporter must not find half of it. */
static int
write_file(const char *dir, const char *path)
{
    char *new = NULL;
    if (asprintf(&new, "%s.XXXXXX", path) < 0) {
        return fail(path);
    }
    int fd = mkstemp(new);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    int status = out != NULL ? print(dir, out) : fail(new);
    if (out != NULL) {
        (void)fchmod(fd, 0644); /* it is another user who reads it */
        status = fclose(out) == 0 ? status : fail(new);
    }
    if (status == EXIT_SUCCESS && rename(new, path) != 0) {
        status = fail(path);
    }
    if (status != EXIT_SUCCESS && fd >= 0) {
        (void)unlink(new);
    }
    free(new);
    return status;
}

int
ctl_metrics(int argc, char **argv)
{
    const char *policy = NULL;
    const char *given = NULL;
    const char *address = NULL;
    const char *textfile = NULL;
    const struct options_row rows[] = {
        METRICS_DIR_ROWS(policy, given),
        {"listen", 0, "ADDR:PORT", &address, NULL,
         "serve it at http://ADDR:PORT/metrics; :PORT is the loopback's"},
        {"textfile", 0, "PATH", &textfile, NULL,
         "write it to PATH (.prom), whole or not at all, for the\n"
         "textfile collector of node_exporter"},
    };
    int status = options_read(&page, rows, OPTIONS_COUNT(rows), argc, argv);

    if (status >= 0) {
        return status;
    }
    if (address != NULL && textfile != NULL) {
        return options_wrong(&page, "--listen, --textfile", "exclude each other");
    }
    char *dir = metrics_dir(given, policy, "metrics");
    if (dir == NULL) {
        return POLICY_EXIT_CONFIG;
    }
    status = address != NULL    ? metrics_serve(dir, address)
             : textfile != NULL ? write_file(dir, textfile)
                                : print(dir, stdout);
    free(dir);
    return status;
}
