/*
 * Ways in which a program's words could get past the shim: hostile NAME PORT
 *
 * Each function dials 127.0.0.1:PORT (or serves it) and writes MARKER in its own way; the
 * test looks for the marker on the wire.  The exit status is 0 when what was to work did,
 * 3 when a call was refused (which is a good answer, too), else 1.
 */
#include <aio.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARKER "MTLS-TEST-MARKER"
#define MARKER_LEN (sizeof(MARKER) - 1)

static int port;

static void
need(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s: %s\n", what, strerror(errno));
        _exit(1);
    }
}

static void
refused(const char *what)
{
    fprintf(stderr, "%s was refused: %s\n", what, strerror(errno));
    _exit(3);
}

static int
new_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    need(fd >= 0, "socket");
    return fd;
}

static int
dial_with(int fd)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    need(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, "connect");
    return fd;
}

static int
dial(void)
{
    return dial_with(new_socket());
}

/* Has the echo server say that it has got so many bytes by sending them back. */
static void
expect_echo(int fd, const char *text)
{
    char got[256];
    size_t len = strlen(text);
    size_t done = 0;
    while (done < len) {
        ssize_t n = read(fd, got + done, len - done);
        need(n > 0, "echo");
        done += (size_t)n;
    }
    need(memcmp(got, text, len) == 0, "the echo's bytes");
}

/* ---- addresses ----------------------------------------------------------------------
 */

/* Linux takes a sockaddr_in6 without its last member (RFC 2133). */
static void
short_address(void)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6,
                              .sin6_port = htons((uint16_t)port)};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    need(fd >= 0 && inet_pton(AF_INET6, "::ffff:127.0.0.1", &to.sin6_addr) == 1,
         "socket");
    if (connect(fd, (struct sockaddr *)&to, 24) != 0) {
        refused("connect");
    }
    need(write(fd, MARKER, MARKER_LEN) == MARKER_LEN, "write");
    expect_echo(fd, MARKER);
}

/* ---- numbers and streams that were there before the connection ------------------------
 */

static void
dup_before_connect(void)
{
    int fd = new_socket();
    int copy = dup(fd);
    need(copy >= 0, "dup");
    dial_with(fd);
    if (write(copy, MARKER, MARKER_LEN) < 0) {
        refused("write");
    }
    expect_echo(fd, MARKER);
}

static void
fdopen_before_connect(void)
{
    int fd = new_socket();
    FILE *stream = fdopen(fd, "r+");
    need(stream != NULL, "fdopen");
    dial_with(fd);
    if (fputs(MARKER, stream) < 0 || fflush(stream) != 0) {
        refused("fputs");
    }
    expect_echo(fd, MARKER);
}

static void
stdout_is_socket(void)
{
    close(STDOUT_FILENO);
    int fd = new_socket();
    need(fd == STDOUT_FILENO, "the number of the socket");
    dial_with(fd);
    if (fputs(MARKER, stdout) < 0 || fflush(stdout) != 0) {
        refused("fputs");
    }
    expect_echo(fd, MARKER);
}

static int
listen_there(void)
{
    int listener = new_socket();
    int on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    need(bind(listener, (struct sockaddr *)&at, sizeof(at)) == 0 &&
             listen(listener, 5) == 0,
         "listen");
    return listener;
}

static void
accepted_as_stdout(void)
{
    int listener = listen_there();
    close(STDOUT_FILENO);
    int fd = accept(listener, NULL, NULL);
    need(fd == STDOUT_FILENO, "the number of the connection");
    if (fputs(MARKER, stdout) < 0 || fflush(stdout) != 0) {
        refused("fputs");
    }
    char byte;
    need(read(fd, &byte, 1) == 0, "the client's end");
}

/* What stdout holds already when its number becomes a connection. */
static void
pending_stdout(void)
{
    static char buffer[4096];
    setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
    fputs(MARKER, stdout);
    int fd = dial();
    need(dup2(fd, STDOUT_FILENO) >= 0, "dup2");
    fputs("|", stdout);
    if (fflush(NULL) != 0) {
        refused("fflush");
    }
    expect_echo(fd, MARKER "|");
}

/* A pointer to stdout that was kept, as C++'s std::cout does. */
static void
kept_stdout(void)
{
    FILE *kept = stdout;
    int fd = dial();
    need(dup2(fd, STDOUT_FILENO) >= 0, "dup2");
    if (fputs(MARKER, kept) < 0 || fflush(kept) != 0) {
        refused("fputs");
    }
    expect_echo(fd, MARKER);
}

static void
perror_on_socket(void)
{
    int fd = dial();
    need(dup2(fd, STDERR_FILENO) >= 0, "dup2");
    errno = EPERM;
    perror(MARKER);
    expect_echo(fd, MARKER ": Operation not permitted\n");
}

/* ---- at the end of the process
 * ---------------------------------------------------------- */

static void
exit_with_stream(void)
{
    FILE *stream = fdopen(dial(), "w");
    need(stream != NULL && fputs(MARKER, stream) >= 0, "fputs");
    exit(0);
}

static void
exit_with_stdout(void)
{
    int fd = dial();
    need(dup2(fd, STDOUT_FILENO) >= 0, "dup2");
    close(fd);
    fputs(MARKER, stdout);
    exit(0);
}

static void
exit_with_crowd(void)
{
    int listener = listen_there();
    for (int i = 0; i < 20; i++) {
        need(accept(listener, NULL, NULL) >= 0, "accept");
    }
    exit(0);
}

static _Atomic int shared_fd = -1;

static void *
write_for_ever(void *unused)
{
    (void)unused;
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int fd = atomic_load(&shared_fd);
        (void)!write(fd, MARKER, MARKER_LEN);
    }
    return NULL;
}

static void
start_writer(void)
{
    pthread_t thread;
    signal(SIGPIPE, SIG_IGN);
    need(pthread_create(&thread, NULL, write_for_ever, NULL) == 0, "pthread_create");
}

static void
take_some(int fd)
{
    char bytes[16384];
    for (int i = 0; i < 8; i++) {
        need(read(fd, bytes, sizeof(bytes)) > 0, "read");
    }
}

static void
exit_while_writing(void)
{
    atomic_store(&shared_fd, dial());
    start_writer();
    take_some(shared_fd);
    exit(0);
}

static void
_exit_while_writing(void)
{
    atomic_store(&shared_fd, dial());
    start_writer();
    take_some(shared_fd);
    _exit(0);
}

/* Another thread writes to a number that is being closed.  /dev/null gets the number
 * then, so that the next connection is not one that was written to before it was there.
 */
static void
close_while_writing(void)
{
    start_writer();
    for (int i = 0; i < 100; i++) {
        int fd = dial();
        atomic_store(&shared_fd, fd);
        take_some(fd);
        close(fd);
        need(open("/dev/null", O_RDWR) == fd, "the number again");
    }
    _exit(0);
}

static void
dup2_while_writing(void)
{
    int null = open("/dev/null", O_RDWR);
    start_writer();
    for (int i = 0; i < 100; i++) {
        int fd = dial();
        atomic_store(&shared_fd, fd);
        take_some(fd);
        need(dup2(null, fd) == fd, "dup2");
    }
    _exit(0);
}

/* _exit() is async-signal-safe: it must come to its end from a handler that interrupted
 * anything, malloc() above all. */
static void
leave(int number)
{
    (void)number;
    _exit(0);
}

static void
exit_from_handler(void)
{
    int fd = dial();
    need(write(fd, MARKER, MARKER_LEN) == MARKER_LEN, "write");
    expect_echo(fd, MARKER);
    for (int i = 0; i < 200; i++) {
        pid_t child = fork();
        if (child == 0) {
            signal(SIGALRM, leave);
            int mine = dial();
            (void)mine;
            ualarm(300 + (useconds_t)i * 7, 0);
            for (;;) {
                free(malloc(5000)); /* too large for a thread's own cache */
            }
        }
        int status;
        for (int ms = 0; waitpid(child, &status, WNOHANG) == 0; ms++) {
            if (ms > 3000) {
                kill(child, SIGKILL);
                errno = EDEADLK;
                need(false, "_exit in a handler");
            }
            usleep(1000);
        }
    }
}

/* ---- other ways to write
 * ------------------------------------------------------------------ */

static void
by_aio(void)
{
    int fd = dial();
    char text[] = MARKER;
    struct aiocb job = {.aio_fildes = fd, .aio_buf = text, .aio_nbytes = MARKER_LEN};
    const struct aiocb *list[] = {&job};
    if (aio_write(&job) != 0) {
        refused("aio_write");
    }
    while (aio_error(&job) == EINPROGRESS) {
        aio_suspend(list, 1, NULL);
    }
    if (aio_return(&job) != MARKER_LEN) {
        refused("aio_write");
    }
    expect_echo(fd, MARKER);
}

/* ---- processes
 * ------------------------------------------------------------------------------ */

/* A child without the handlers of pthread_atfork(): both go on with connections of their
 * own, which must have nothing in common. */
static void
in_turns(int fd, int mine, int other)
{
    char text[64];
    for (int i = 0; i < 50; i++) {
        snprintf(text, sizeof(text), MARKER " %d %d\n", (int)getpid(), i);
        need(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write");
        expect_echo(fd, text);
        need(write(other, "x", 1) == 1 && read(mine, text, 1) == 1, "turn");
    }
}

static int to_child[2], to_parent[2];

static int
be_child(void *unused)
{
    (void)unused;
    in_turns(dial(), to_child[0], to_parent[1]);
    _exit(0);
}

static pid_t
by_clone(void)
{
    static char stack[1 << 18] __attribute__((aligned(16)));
    return clone(be_child, stack + sizeof(stack), SIGCHLD, NULL);
}

static pid_t
by_fork(void)
{
    pid_t child = _Fork();
    if (child == 0) {
        be_child(NULL);
    }
    return child;
}

static void
with_child(pid_t (*make)(void))
{
    int before[40];
    for (int i = 0; i < 40; i++) {
        before[i] = dial(); /* past the first ones, which have memory of their own */
    }
    need(pipe(to_child) == 0 && pipe(to_parent) == 0, "pipe");
    pid_t child = make();
    need(child > 0, "a child");
    in_turns(dial(), to_parent[0], to_child[1]);
    int status = 1;
    need(waitpid(child, &status, 0) == child && status == 0, "the child");
    for (int i = 0; i < 40; i++) {
        need(write(before[i], MARKER, MARKER_LEN) == MARKER_LEN, "write");
        expect_echo(before[i], MARKER);
    }
}

static void
bare_fork(void)
{
    with_child(by_fork);
}

static void
bare_clone(void)
{
    with_child(by_clone);
}

/* A child that shares the parent's memory, and leaves. */
static int
just_leave(void *unused)
{
    (void)unused;
    _exit(0);
}

static void
shared_memory_child(void)
{
    static char stack[1 << 18] __attribute__((aligned(16)));
    int fd = dial();
    int status = 1;
    pid_t child =
        clone(just_leave, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    need(child > 0 && waitpid(child, &status, 0) == child && status == 0, "the child");
    need(write(fd, MARKER, MARKER_LEN) == MARKER_LEN, "write");
    expect_echo(fd, MARKER);
}

/* Takes the memory of our sessions away from whoever has it mapped. */
static void
spoil_sessions(void)
{
    bool any = false;
    for (int fd = 3; fd < getdtablesize(); fd++) {
        char path[32];
        char target[64] = "";
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (readlink(path, target, sizeof(target) - 1) > 0 &&
            strstr(target, "memfd:mtls-shim-session") != NULL) {
            int session = open(path, O_RDWR);
            need(session >= 0 && ftruncate(session, 0) == 0, "ftruncate");
            any = true;
        }
    }
    need(any, "no session is in a memfd");
}

/* What a process of another user passes is not mapped: it can write to it, and more. */
static void
passed_by_another_user(void)
{
    int ends[2];
    char byte = 'x';
    struct iovec iov = {&byte, 1};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof(control.bytes)};
    if (geteuid() != 0) {
        refused("seteuid");
    }
    need(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
    pid_t child = fork();
    if (child == 0) {
        need(seteuid(65534) == 0, "seteuid");
        int fd = dial();
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        need(sendmsg(ends[1], &msg, 0) == 1, "sendmsg");
        need(read(ends[1], &byte, 1) == 1, "read");
        need(seteuid(0) == 0, "seteuid");
        spoil_sessions();
        need(write(ends[1], "x", 1) == 1, "write");
        kill(getpid(), SIGKILL);
    }
    int fd;
    need(recvmsg(ends[0], &msg, 0) == 1 && msg.msg_controllen > 0, "recvmsg");
    memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
    need(write(ends[0], "x", 1) == 1 && read(ends[0], &byte, 1) == 1, "the child");
    need(waitpid(child, NULL, 0) == child, "waitpid");
    need(write(fd, MARKER, MARKER_LEN) == MARKER_LEN, "write");
}

/* The next program would not know of the session. */
static void
exec_switched_off(void)
{
    int fd = dial();
    need(dup2(fd, STDOUT_FILENO) >= 0 && setenv("MTLS_SHIM", "off", 1) == 0, "dup2");
    execlp("echo", "echo", MARKER, NULL);
    refused("exec");
}

/* A rule for the name is still known when thousands of others have been looked up. */
static void
many_names(void)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    struct addrinfo *other = NULL;
    need(getaddrinfo("localhost", "1", &hints, &found) == 0, "localhost");
    for (int i = 0; i < 2000; i++) {
        char address[32];
        snprintf(address, sizeof(address), "127.1.%d.%d", i / 250, 1 + i % 250);
        need(getaddrinfo(address, "1", &hints, &other) == 0, "getaddrinfo");
        freeaddrinfo(other);
    }
    struct sockaddr_in to = *(struct sockaddr_in *)(void *)found->ai_addr;
    to.sin_port = htons((uint16_t)port);
    int fd = new_socket();
    need(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, "connect");
    need(write(fd, MARKER, MARKER_LEN) == MARKER_LEN, "write");
    expect_echo(fd, MARKER);
}

/* A rule for the name, which is forgotten when thousands of its own have been looked up.
 */
static void
forgotten_name(void)
{
    const struct hostent *found = gethostbyname("one.ruled.test");
    need(found != NULL, "one.ruled.test");
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    memcpy(&to.sin_addr, found->h_addr_list[0], sizeof(to.sin_addr));
    need(gethostbyname("crowd.ruled.test") != NULL, "crowd.ruled.test");
    int fd = new_socket();
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        refused("connect");
        return;
    }
    need(write(fd, MARKER, MARKER_LEN) == MARKER_LEN, "write");
}

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
#define S(name)                                                                          \
    {                                                                                    \
#name, name                                                                      \
    }
    S(short_address),
    S(dup_before_connect),
    S(fdopen_before_connect),
    S(stdout_is_socket),
    S(accepted_as_stdout),
    S(pending_stdout),
    S(kept_stdout),
    S(perror_on_socket),
    S(exit_with_stream),
    S(exit_with_stdout),
    S(exit_while_writing),
    S(_exit_while_writing),
    S(close_while_writing),
    S(dup2_while_writing),
    S(exit_from_handler),
    S(by_aio),
    S(bare_fork),
    S(bare_clone),
    S(shared_memory_child),
    S(many_names),
    S(forgotten_name),
    S(exec_switched_off),
    S(passed_by_another_user),
    S(exit_with_crowd),
};

int
main(int argc, char **argv)
{
    need(argc == 3, "usage: hostile NAME PORT");
    port = atoi(argv[2]);
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        if (strcmp(argv[1], scenarios[i].name) == 0) {
            scenarios[i].run();
            return 0;
        }
    }
    errno = ENOENT;
    need(false, argv[1]);
    return 1;
}
