/*
 * A server of lines and a client of it, plain TCP, to be built for any C library.
 *
 *   line serve MODE PORT COUNT [PROGRAM]
 *       gives back each line of COUNT connections. MODE: block, thread, poll, epoll,
 * fork, stdio, or exec: starts PROGRAM for each, as inetd does line inetd the same for
 * the connection on fds 0 and 1, by stdio line talk HOST PORT COUNT sends COUNT lines,
 * one after the other, and reads each back line run HOW COMMAND has a shell run the
 * command. HOW: exec, system, popen, spawn
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>

enum { CONNECTIONS = 64 };

static pthread_t threads[CONNECTIONS];
static int thread_count;

static void
die(const char *what)
{
    fprintf(stderr, "line: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Gives back what there is. Returns whether the connection goes on. */
static int
give_back(int fd)
{
    char buf[4096];
    ssize_t len = read(fd, buf, sizeof(buf));
    for (ssize_t done = 0; done < len;) {
        ssize_t n = write(fd, buf + done, (size_t)(len - done));
        if (n < 0) {
            die("write");
        }
        done += n;
    }
    if (len < 0) {
        die("read");
    }
    return len > 0;
}

static void
serve_block(int fd)
{
    while (give_back(fd)) {
    }
    close(fd);
}

static void *
run_thread(void *fd)
{
    serve_block((int)(long)fd);
    return NULL;
}

static void
serve_stdio(FILE *in, FILE *out)
{
    char line[4096];
    while (fgets(line, sizeof(line), in) != NULL) {
        if (fprintf(out, "%s", line) < 0 || fflush(out) != 0) {
            die("fprintf");
        }
    }
    if (ferror(in)) {
        die("fgets");
    }
}

/* A program started for the connection, as inetd starts it. */
static void
start(int fd, char *program)
{
    pid_t child = fork();
    if (child == 0) {
        dup2(fd, STDIN_FILENO);
        dup2(fd, STDOUT_FILENO);
        close(fd);
        execl(program, program, "inetd", NULL);
        fprintf(stderr, "line: %s: %s\n", program, strerror(errno));
        _exit(1);
    }
    close(fd);
    int status;
    if (waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "line: the child ended with status %x\n", status);
        exit(1);
    }
}

static void
serve_one(const char *mode, int fd, char *program)
{
    if (strcmp(mode, "thread") == 0 && thread_count < CONNECTIONS) {
        if (pthread_create(&threads[thread_count++], NULL, run_thread,
                           (void *)(long)fd) != 0) {
            die("pthread_create");
        }
    } else if (strcmp(mode, "fork") == 0) {
        if (fork() == 0) {
            serve_block(fd);
            _exit(0);
        }
        close(fd);
    } else if (strcmp(mode, "stdio") == 0) {
        FILE *in = fdopen(fd, "r");
        FILE *out = fdopen(dup(fd), "w");
        serve_stdio(in, out);
        fclose(out);
        fclose(in);
    } else if (strcmp(mode, "exec") == 0) {
        start(fd, program);
    } else {
        serve_block(fd);
    }
}

/* The connections at the same time, in one thread. */
static void
serve_poll(int listener, int count)
{
    struct pollfd fds[CONNECTIONS + 1] = {{.fd = listener, .events = POLLIN}};
    int used = 1;
    for (int done = 0; done < count;) {
        if (poll(fds, (nfds_t)used, -1) < 0) {
            die("poll");
        }
        for (int i = used - 1; i > 0; i--) {
            if (fds[i].revents != 0 && !give_back(fds[i].fd)) {
                close(fds[i].fd);
                fds[i] = fds[--used];
                done++;
            }
        }
        if (fds[0].revents != 0 && used <= CONNECTIONS) {
            fds[used++] =
                (struct pollfd){.fd = accept(listener, NULL, NULL), .events = POLLIN};
        }
    }
}

static void
serve_epoll(int listener, int count)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (int done = 0; done < count;) {
        struct epoll_event events[8];
        int n = epoll_wait(epoll, events, 8, -1);
        if (n < 0) {
            die("epoll_wait");
        }
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                event.data.fd = accept(listener, NULL, NULL);
                epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
            } else if (!give_back(fd)) {
                close(fd);
                done++;
            }
        }
    }
}

static int
serve(const char *mode, int port, int count, char *program)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, CONNECTIONS) != 0) {
        die("listen");
    }
    if (strcmp(mode, "poll") == 0) {
        serve_poll(listener, count);
        return 0;
    }
    if (strcmp(mode, "epoll") == 0) {
        serve_epoll(listener, count);
        return 0;
    }
    for (int i = 0; i < count; i++) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) {
            die("accept");
        }
        serve_one(mode, fd, program);
    }
    while (thread_count > 0) {
        pthread_join(threads[--thread_count], NULL);
    }
    while (wait(NULL) > 0) {
    }
    return 0;
}

static int
talk(const char *host, const char *port, int count)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int error = getaddrinfo(host, port, &hints, &found);
    if (error != 0) {
        fprintf(stderr, "line: %s: %s\n", host, gai_strerror(error));
        return 1;
    }
    int fd = socket(found->ai_family, found->ai_socktype, 0);
    if (connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
        die("connect");
    }
    freeaddrinfo(found);
    FILE *stream = fdopen(dup(fd), "r");
    for (int i = 0; i < count; i++) {
        char sent[256];
        char got[256] = "";
        int len =
            snprintf(sent, sizeof(sent), "MTLS-TEST-MARKER %d MTLS-TEST-MARKER\n", i);
        if (write(fd, sent, (size_t)len) != len) {
            die("write");
        }
        if (fgets(got, sizeof(got), stream) == NULL) {
            die("fgets");
        }
        if (strcmp(sent, got) != 0) {
            fprintf(stderr, "line: sent %s got %s", sent, got);
            return 1;
        }
    }
    fclose(stream);
    close(fd);
    printf("%d lines\n", count);
    return 0;
}

static int
run(const char *how, char *command)
{
    char *argv[] = {"sh", "-c", command, NULL};
    int status = -1;
    pid_t child;
    if (strcmp(how, "exec") == 0) {
        execv("/bin/sh", argv);
        die("execv");
    } else if (strcmp(how, "system") == 0) {
        status = system(command); /* NOLINT(cert-env33-c) */
    } else if (strcmp(how, "popen") == 0) {
        char line[256];
        FILE *stream = popen(command, "r"); /* NOLINT(cert-env33-c) */
        while (stream != NULL && fgets(line, sizeof(line), stream) != NULL) {
            fputs(line, stdout);
        }
        status = stream != NULL ? pclose(stream) : -1;
    } else {
        errno = posix_spawn(&child, "/bin/sh", NULL, NULL, argv, environ);
        if (errno == 0) {
            waitpid(child, &status, 0);
        }
    }
    if (status == -1) {
        die(how);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int
main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "run") == 0) {
        return run(argv[2], argv[3]);
    }
    if (argc == 6 && strcmp(argv[1], "serve") == 0) {
        return serve(argv[2], atoi(argv[3]), atoi(argv[4]), argv[5]);
    }
    if (argc == 5 && strcmp(argv[1], "serve") == 0) {
        return serve(argv[2], atoi(argv[3]), atoi(argv[4]), argv[0]);
    }
    if (argc == 5 && strcmp(argv[1], "talk") == 0) {
        return talk(argv[2], argv[3], atoi(argv[4]));
    }
    if (argc == 2 && strcmp(argv[1], "inetd") == 0) {
        serve_stdio(stdin, stdout);
        return 0;
    }
    fprintf(stderr, "usage: see line.c\n");
    return 2;
}
