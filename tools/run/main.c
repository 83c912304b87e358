/* mtls-run: starts a program under mtls-shim, or says why it cannot. */
#include "config/material.h"
#include "config/policy.h"
#include "shim/target/find.h"
#include "tools/run/preload.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Where LD_PRELOAD names the library already, it leaves this program alone. */
extern const char mtls_shim_is_tool;
__attribute__((visibility("default"))) const char mtls_shim_is_tool = 1;

static const char usage[] =
    "usage: mtls-run [-p POLICY] [-s SERVICE] [-v] [--] PROGRAM [ARG...]\n";

static const char help[] =
    "Starts PROGRAM with mutual TLS on its TCP connections, as a policy says.\n"
    "\n"
    "  -p, --policy FILE   the policy (default: $MTLS_SHIM_POLICY, else\n"
    "                      " POLICY_DEFAULT_PATH ")\n"
    "  -s, --service NAME  the name that rules with \"service\" match\n"
    "  -v, --verbose       say on stderr what is done\n"
    "  -h, --help          show this text\n"
    "  -V, --version       show the version, and that of the library\n"
    "\n"
    "With MTLS_SHIM=off in the environment PROGRAM is started untouched.\n"
    "Exit status: the program's own; 78 the policy is bad, 125 mtls-run itself failed,\n"
    "126 PROGRAM cannot be shimmed or run, 127 PROGRAM was not found.\n"
    "See mtls-run(1).\n";

static FILE *errors; /* where messages go */

struct options {
    const char *policy;
    const char *service;
    bool verbose;
    char **command;
};

static int
say_refusal(const struct target_refusal *refusal)
{
    fprintf(errors, "mtls-run: %s\n", refusal->text);
    return refusal->status;
}

static void
warn_of_version(const struct run_library *library)
{
    fprintf(errors,
            "mtls-run: warning: %s is of version %s, mtls-run of %s: was an "
            "installation or upgrade cut short?\n",
            library->file.path, run_preload_version(library), MTLS_SHIM_VERSION);
}

/* The version of what would be loaded: it is what counts. */
static int
show_version(void)
{
    struct run_library library;
    struct target_refusal refusal;

    printf("mtls-run %s\n", MTLS_SHIM_VERSION);
    if (run_preload_find(&library, &refusal) != 0) {
        (void)say_refusal(&refusal);
        return TARGET_EXIT_OWN;
    }
    printf("%s %s\n", library.file.path, run_preload_version(&library));
    if (!run_preload_is_same(&library)) {
        fflush(stdout);
        warn_of_version(&library);
    }
    return EXIT_SUCCESS;
}

/* Returns -1 to go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct options *options)
{
    static const struct option table[] = {
        {"policy", required_argument, NULL, 'p'},
        {"service", required_argument, NULL, 's'},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    int c;

    opterr = 0;
    /* "+": what follows PROGRAM is the program's. */
    while ((c = getopt_long(argc, argv, "+:p:s:vhV", table, NULL)) != -1) {
        switch (c) {
        case 'p':
            options->policy = optarg;
            break;
        case 's':
            options->service = optarg;
            break;
        case 'v':
            options->verbose = true;
            break;
        case 'h':
            printf("%s%s", usage, help);
            return EXIT_SUCCESS;
        case 'V':
            return show_version();
        default:
            fprintf(errors, "mtls-run: %s: %s\n%s", argv[optind - 1],
                    c == ':' ? "needs a value" : "unknown option", usage);
            return TARGET_EXIT_OWN;
        }
    }
    options->command = argv + optind;
    if (options->command[0] == NULL) {
        fprintf(errors, "mtls-run: no PROGRAM given\n%s", usage);
        return TARGET_EXIT_OWN;
    }
    return -1;
}

/* Makes the policy's path absolute without following links: they may be swapped. */
static int
policy_path(const char *given, char path[PATH_MAX])
{
    char cwd[PATH_MAX];
    const char *name = given;

    if (name == NULL) {
        name = getenv("MTLS_SHIM_POLICY");
    }
    if (name == NULL || name[0] == '\0') {
        name = POLICY_DEFAULT_PATH;
    }
    if (name[0] == '/') {
        return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX ? 0 : -ENAMETOOLONG;
    }
    if (getcwd(cwd, sizeof(cwd)) == NULL) {
        return -errno;
    }
    return snprintf(path, PATH_MAX, "%s/%s", cwd, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Loads the policy and every identity as the library will, so that problems show now. */
static int
check_policy(const char *path)
{
    struct policy_report report = {policy_report_to_file, errors, 0};
    struct policy *policy = policy_load(path, &report);

    for (size_t i = 0; policy != NULL && i < policy->identity_count; i++) {
        struct material material;
        int rc;

        memset(&material, 0, sizeof(material));
        rc = material_load(policy, &policy->identities[i], &report, &material);
        material_done(&material);
        if (rc != 0 && report.count == 0) {
            report.count = 1; /* refused without words: refuse all the same */
        }
    }
    if (policy == NULL && report.count == 0) {
        report.count = 1;
    }
    policy_free(policy);
    return report.count;
}

static int
set_environment(const struct options *options, const char *library, const char *policy)
{
    int rc = run_preload_set(library);

    if (rc == 0 && (setenv("MTLS_SHIM", "on", 1) != 0 ||
                    setenv("MTLS_SHIM_POLICY", policy, 1) != 0 ||
                    (options->service != NULL &&
                     setenv("MTLS_SHIM_SERVICE", options->service, 1) != 0))) {
        rc = -errno;
    }
    return rc;
}

static void
tell_interpreter(void *context, const char *path)
{
    (void)context;
    fprintf(errors, "mtls-run: interpreter %s\n", path);
}

static const struct target_visitor teller = {tell_interpreter, NULL};

/* Everything that stands between the command line and exec; -1 to go on. */
static int
prepare(const struct options *options, const char *program)
{
    struct run_library library;
    char policy[PATH_MAX];
    struct target_refusal refusal;
    int problems;
    int rc;

    if (run_preload_find(&library, &refusal) != 0) {
        return say_refusal(&refusal);
    }
    if (options->verbose) {
        fprintf(errors, "mtls-run: program %s\n", program);
    }
    if (run_preload_check(program, &library, options->verbose ? &teller : NULL,
                          &refusal) != 0) {
        return say_refusal(&refusal);
    }
    if (!run_preload_is_same(&library)) {
        warn_of_version(&library);
    }
    if (options->verbose) {
        fprintf(errors, "mtls-run: library %s\n", library.file.path);
    }
    rc = policy_path(options->policy, policy);
    if (rc != 0) {
        fprintf(errors, "mtls-run: the policy's path: %s\n", strerror(-rc));
        return POLICY_EXIT_CONFIG;
    }
    if (options->verbose) {
        fprintf(errors, "mtls-run: policy %s\n", policy);
    }
    problems = check_policy(policy);
    if (problems != 0) {
        fprintf(errors, "mtls-run: %s was not started: %d problem%s in the policy %s\n",
                program, problems, problems == 1 ? "" : "s", policy);
        return POLICY_EXIT_CONFIG;
    }
    rc = set_environment(options, library.file.path, policy);
    if (rc != 0) {
        fprintf(errors, "mtls-run: LD_PRELOAD=%s: %s\n", library.file.path,
                rc == -EINVAL ? "the path may hold neither spaces nor colons"
                              : strerror(-rc));
        return TARGET_EXIT_OWN;
    }
    return -1;
}

/* Under inetd the peer of the connection would read what we say, and in plaintext. */
static void
choose_errors(void)
{
    int domain;
    socklen_t len = sizeof(domain);
    errors = stderr;
    if (getsockopt(STDERR_FILENO, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
        domain != AF_UNIX) {
        errors = fopen("/dev/null", "we"); /* fd 2 itself is the program's */
        if (errors == NULL) {
            exit(TARGET_EXIT_OWN);
        }
    }
}

int
main(int argc, char **argv)
{
    choose_errors();
    struct options options = {0};
    struct target_refusal refusal;
    char program[PATH_MAX];
    const char *mode = getenv("MTLS_SHIM");
    int status = parse_options(argc, argv, &options);

    if (status >= 0) {
        return status;
    }
    if (target_find_program(options.command[0], program, &refusal) != 0) {
        return say_refusal(&refusal);
    }
    if (mode != NULL && strcmp(mode, "off") == 0) {
        if (options.verbose) {
            fprintf(errors, "mtls-run: MTLS_SHIM=off: %s is started untouched\n",
                    program);
        }
    } else if (mode != NULL && strcmp(mode, "on") != 0 && mode[0] != '\0') {
        fprintf(errors, "mtls-run: MTLS_SHIM=%s: must be on or off\n", mode);
        return POLICY_EXIT_CONFIG;
    } else {
        status = prepare(&options, program);
        if (status >= 0) {
            return status;
        }
    }
    /* Not execv: a script without "#!" goes to the shell, as everywhere else. */
    execvp(program, options.command);
    status = errno == ENOENT ? TARGET_EXIT_NOT_FOUND : TARGET_EXIT_REFUSED;
    fprintf(errors, "mtls-run: %s: %s\n", program, strerror(errno));
    return status;
}
