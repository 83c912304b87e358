/*
 * What a program does that uses no network: files, pipes, streams, polls, threads,
 * signals, children. access("begin") and access("end") are marks in a trace of its system
 * calls.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int ends[2];

static void
need(int good)
{
    if (!good) {
        perror("no_network");
        _exit(1);
    }
}

static void
files(void)
{
    char text[100] = "some text";
    struct iovec iov = {text, sizeof(text)};
    int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    need(fd >= 0 && write(fd, text, 9) == 9 && lseek(fd, 0, SEEK_SET) == 0);
    need(read(fd, text, 100) == 9 && pread(fd, text, 4, 5) == 4);
    need(writev(fd, &iov, 1) == 100 && ftruncate(fd, 0) == 0 && fsync(fd) == 0);
    int copy = dup(fd);
    need(copy >= 0 && dup2(fd, copy) == copy && fcntl(copy, F_SETFD, FD_CLOEXEC) == 0);
    need(fcntl(fd, F_GETFL) >= 0 && close(copy) == 0 && close(fd) == 0);
    FILE *stream = fopen("file", "w+");
    need(stream != NULL && fprintf(stream, "%d lines\n", 1) > 0 && fflush(stream) == 0);
    rewind(stream);
    need(fgets(text, 100, stream) != NULL && fclose(stream) == 0 && unlink("file") == 0);
}

static void
pipes(void)
{
    char byte;
    int pair[2], left;
    fd_set set;
    struct pollfd ready;
    struct epoll_event event = {.events = EPOLLIN};
    need(pipe(pair) == 0 && write(pair[1], "abcd", 4) == 4);
    ready = (struct pollfd){.fd = pair[0], .events = POLLIN};
    FD_ZERO(&set);
    FD_SET(pair[0], &set);
    need(poll(&ready, 1, -1) == 1 && read(pair[0], &byte, 1) == 1);
    need(select(pair[0] + 1, &set, NULL, NULL, NULL) == 1);
    int epfd = epoll_create1(0);
    need(epoll_ctl(epfd, EPOLL_CTL_ADD, pair[0], &event) == 0);
    need(epoll_wait(epfd, &event, 1, -1) == 1 && read(pair[0], &byte, 1) == 1);
    need(ioctl(pair[0], FIONREAD, &left) == 0 && left == 2);
    close(pair[0]);
    close(pair[1]);
    close(epfd);
    need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && send(pair[0], "a", 1, 0) == 1);
    need(recv(pair[1], &byte, 1, 0) == 1 && shutdown(pair[0], SHUT_WR) == 0);
    close(pair[0]);
    close(pair[1]);
}

/* Starts when the other has ended: which of them runs is no question. */
static void *
work(void *unused)
{
    char byte;
    (void)unused;
    need(read(ends[0], &byte, 1) == 1);
    free(malloc(1000));
    return NULL;
}

static void
threads(void)
{
    pthread_t thread;
    need(pipe(ends) == 0 && pthread_create(&thread, NULL, work, NULL) == 0);
    need(write(ends[1], "x", 1) == 1 && pthread_join(thread, NULL) == 0);
    close(ends[0]);
    close(ends[1]);
}

static void
on_signal(int number)
{
    (void)number;
    need(write(STDERR_FILENO, "", 0) == 0);
}

static void
children(void)
{
    int status;
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    pid_t child = fork();
    if (child == 0) {
        files();
        _exit(0);
    }
    need(waitpid(child, &status, 0) == child && status == 0);
}

int
main(void)
{
    (void)!access("begin", F_OK);
    files();
    pipes();
    threads();
    children();
    (void)!access("end", F_OK);
    return 0;
}
