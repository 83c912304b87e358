/* mtlsctl: the commands around mtls-shim. */
#include "tools/ctl/ctl.h"

#include "tools/ctl/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where LD_PRELOAD names the library already, it leaves this program alone. */
extern const char mtls_shim_is_tool;
__attribute__((visibility("default"))) const char mtls_shim_is_tool = 1;

static const struct {
    const char *name;
    const char *what;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"check", "check a policy and the files that it names", ctl_check},
    {"explain", "say which rule a connection falls under", ctl_explain},
    {"doctor", "say whether a program can be covered, or a process is", ctl_doctor},
    {"probe", "show what a server presents, and whether it is let in", ctl_probe},
    {"verify", "say whether a certificate would be let in, and why", ctl_verify},
    {"ca", "run a development CA", ctl_ca},
    {"report", "tell what audit logs say", ctl_report},
    {"suggest", "make rules of what audit logs have seen", ctl_suggest},
    {"metrics", "show or serve counters, for Prometheus", ctl_metrics},
    {"top", "show the connections that are open on this host", ctl_top},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void
print_usage(FILE *out)
{
    fprintf(out, "usage: mtlsctl COMMAND [ARGUMENT...]\n\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].what);
    }
    fprintf(out,
            "\nmtlsctl COMMAND --help says more of each, mtlsctl --version which one "
            "this is;\nsee also mtlsctl(1).\n");
}

int
main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_usage(stdout);
        return EXIT_SUCCESS;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        options_print_version();
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    if (argc > 1) {
        fprintf(stderr, "mtlsctl: unknown command '%s'\n", name);
    }
    print_usage(stderr);
    return CTL_EXIT_USAGE;
}
