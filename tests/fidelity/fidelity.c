/*
 * Runs scenarios and prints their traces:
 *
 *     fidelity [-f 4|6|mapped] [-l PORT] [-d PORT] [-t] [WORD...]
 *
 *   -f  the family of addresses (default 4)
 *   -l  the port to listen at (default: any)     -d  the port to dial (default: that one)
 *   -b  a bridge is in between: leaves out the rows that say T_DIRECT
 *   -t  prints the table, one "NAME<tab>differs" a scenario, and runs nothing
 *
 * Only scenarios whose name holds one of the words are run.  Each end is a child of this
 * process, which itself holds no connection, so that every scenario finds the same fds.
 */
#include "tests/fidelity/fidelity.h"

#include <arpa/inet.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/fidelity/shared.h"

#define TRACE_SECONDS 30

static const struct scenario *const tables[] = {
    scenarios_read,    scenarios_write,  scenarios_stream, scenarios_ready,
    scenarios_end,     scenarios_signal, scenarios_option, scenarios_transfer,
    scenarios_connect, scenarios_fd,     scenarios_thread, scenarios_stdio,
};

static struct {
    const char *family;
    in_port_t listen_port, dial_port;
    bool bridged, table;
    char **words;
} options = {.family = "4"};

static struct t_shared *shared;

static socklen_t
make_address(struct sockaddr_storage *address, bool to_dial, in_port_t port)
{
    memset(address, 0, sizeof(*address));
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)address;
    bool mapped = strcmp(options.family, "mapped") == 0;
    if (strcmp(options.family, "4") == 0) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return sizeof(*in);
    }
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    if (mapped && to_dial) {
        inet_pton(AF_INET6, "::ffff:127.0.0.1", &in6->sin6_addr);
    } else if (!mapped) {
        in6->sin6_addr = in6addr_loopback;
    }
    return sizeof(*in6);
}

static in_port_t
port_of(int fd)
{
    struct sockaddr_in6 address = {0}; /* the port is at the same place in both */
    socklen_t len = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        perror("fidelity: getsockname");
        exit(1);
    }
    return ntohs(address.sin6_port);
}

static int
open_listener(void)
{
    struct sockaddr_storage address;
    socklen_t len = make_address(&address, false, options.listen_port);
    int one = 1;
    /* A program that a scenario has started may end later than the scenario does. */
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 64) != 0) {
        perror("fidelity: listen");
        exit(1);
    }
    return fd;
}

static void
set_up(struct t *t, const struct scenario *scenario)
{
    in_port_t port = options.dial_port != 0 ? options.dial_port : port_of(t->listener);
    record_install();
    t->fd = -1;
    t->param = scenario->param;
    t->shared = shared;
    t->address_len = make_address(&t->address, true, port);
    if (!t->accepting) {
        close(t->listener);
        t->listener = -1;
    }
    if ((scenario->flags & T_UNCONNECTED) == 0) {
        t->fd = t->accepting ? t_accept(t) : t_dial(t);
        if ((scenario->flags & T_FRESH) == 0) {
            t_settle(t, t->fd);
        }
        t_set_nonblocking(t->fd, t->nonblocking);
    }
}

static pid_t
start(const struct scenario *scenario, bool accepting, bool nonblocking, int listener)
{
    pid_t pid = fork();
    if (pid != 0) {
        return pid;
    }
    struct t t = {
        .listener = listener, .accepting = accepting, .nonblocking = nonblocking};
    set_up(&t, scenario);
    (accepting ? scenario->accepting : scenario->connecting)(&t);
    record_finish(0);
}

static void
init_shared(void)
{
    for (int i = 0; i < 2; i++) {
        sem_destroy(&shared->ends[i].told);
        sem_init(&shared->ends[i].told, 1, 0);
        shared->ends[i].tells = shared->ends[i].waits = 0;
        shared->ends[i].trace_len = 0;
    }
}

/* Prints a trace with the letter of its end in front of each line. */
static void
print_trace(char letter, const struct t_end_shared *end)
{
    const char *line = end->trace;
    const char *stop = end->trace + end->trace_len;
    while (line < stop) {
        const char *newline = memchr(line, '\n', (size_t)(stop - line));
        printf("%c: %.*s\n", letter, (int)(newline - line), line);
        line = newline + 1;
    }
}

/* Waits for both ends; what outlives its time is killed and said to hang. */
static void
wait_for_ends(pid_t ends[2])
{
    static const char letters[] = "AC";
    sigset_t child;
    struct timespec limit = {TRACE_SECONDS, 0};
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    int status[2] = {0, 0};
    bool hangs[2] = {false, false};
    for (int left = 2; left > 0;) {
        if (sigtimedwait(&child, NULL, &limit) < 0 && errno == EAGAIN) {
            for (int i = 0; i < 2; i++) {
                if (ends[i] != 0) {
                    kill(ends[i], SIGKILL);
                    hangs[i] = true;
                }
            }
        }
        for (int i = 0; i < 2; i++) {
            if (ends[i] != 0 && waitpid(ends[i], &status[i], WNOHANG) == ends[i]) {
                ends[i] = 0;
                left--;
                sem_post(&shared->ends[1 - i].told); /* it need not wait any more */
            }
        }
    }
    for (int i = 0; i < 2; i++) {
        print_trace(letters[i], &shared->ends[i]);
        if (hangs[i]) {
            printf("%c: hangs\n", letters[i]);
        } else if (WIFSIGNALED(status[i])) {
            printf("%c: is killed by %s\n", letters[i], strsignal(WTERMSIG(status[i])));
        }
    }
}

static void
run(const struct scenario *scenario, bool nonblocking)
{
    printf("== %s %s\n", scenario->name, nonblocking ? "nonblocking" : "blocking");
    fflush(stdout);
    init_shared();
    int listener = open_listener();
    pid_t ends[2];
    for (int i = 0; i < 2; i++) {
        ends[i] = start(scenario, i == 0, nonblocking, listener);
    }
    close(listener);
    wait_for_ends(ends);
}

static bool
is_wanted(const char *name)
{
    bool wanted = options.words[0] == NULL;
    for (char **word = options.words; *word != NULL; word++) {
        wanted = wanted || strstr(name, *word) != NULL;
    }
    return wanted;
}

static void
run_row(const struct scenario *row)
{
    if (options.bridged && (row->flags & T_DIRECT) != 0) {
        return;
    }
    if (options.table) {
        printf("%s\t", row->name);
        for (const char *p = row->differs; p != NULL && *p != '\0'; p++) {
            putchar(*p == '\n' ? '\t' : *p);
        }
        putchar('\n');
        return;
    }
    if ((row->flags & T_NONBLOCKING) == 0) {
        run(row, false);
    }
    if ((row->flags & T_BLOCKING) == 0) {
        run(row, true);
    }
}

int
main(int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "f:l:d:bt")) != -1) {
        switch (option) {
        case 'f':
            options.family = optarg;
            break;
        case 'l':
            options.listen_port = (in_port_t)atoi(optarg);
            break;
        case 'd':
            options.dial_port = (in_port_t)atoi(optarg);
            break;
        case 'b':
            options.bridged = true;
            break;
        case 't':
            options.table = true;
            break;
        default:
            return 2;
        }
    }
    options.words = argv + optind;
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const struct scenario *row = tables[i]; row->name != NULL; row++) {
            if (is_wanted(row->name)) {
                run_row(row);
            }
        }
    }
    return 0;
}
