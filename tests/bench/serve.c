/*
 * A server without TLS: each request, of any bytes that come in one piece, is answered
 * with so many bytes.
 *
 *   serve threads BYTES PORT      a thread for each connection
 *   serve epoll BYTES PORT        one thread with epoll for all
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_MAX (1 << 20)
#define EVENTS_COUNT 256
#define STACK_LEN (256 * 1024)

static char reply[REPLY_MAX];
static size_t reply_len;

static _Noreturn void
fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* Answers what has come; 0 when the connection is over. */
static int
serve_once(int fd)
{
    char request[4096];
    ssize_t len = recv(fd, request, sizeof(request), 0);
    size_t done = 0;

    if (len <= 0) {
        return len < 0 && errno == EINTR;
    }
    while (done < reply_len) {
        len = send(fd, reply + done, reply_len - done, MSG_NOSIGNAL);
        if (len < 0) {
            return 0;
        }
        done += (size_t)len;
    }
    return 1;
}

static int
take(int listener)
{
    const int on = 1;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    return fd;
}

static void *
serve_all(void *argument)
{
    int fd = (int)(intptr_t)argument;

    while (serve_once(fd)) {
    }
    close(fd);
    return NULL;
}

static void
run_threads(int listener)
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_LEN);
    for (;;) {
        int fd = take(listener);

        if (fd < 0) {
            continue;
        }
        errno = pthread_create(&thread, &attributes, serve_all, (void *)(intptr_t)fd);
        if (errno != 0) {
            fail("pthread_create");
        }
    }
}

static void
run_epoll(int listener)
{
    struct epoll_event events[EVENTS_COUNT];
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = listener}};
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) {
        fail("epoll");
    }
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS_COUNT, -1);

        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;

            if (fd == listener) {
                event.data.fd = take(listener);
                if (event.data.fd >= 0) {
                    epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
                }
            } else if (!serve_once(fd)) {
                close(fd);
            }
        }
    }
}

int
main(int argc, char **argv)
{
    struct sockaddr_in here = {.sin_family = AF_INET,
                               .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;

    if (argc != 4 || (reply_len = strtoul(argv[2], NULL, 10)) > REPLY_MAX) {
        fprintf(stderr, "usage: serve threads|epoll BYTES PORT\n");
        return EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN);
    memset(reply, 'x', reply_len);
    here.sin_port = htons((uint16_t)strtoul(argv[3], NULL, 10));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&here, sizeof(here)) != 0 ||
        listen(listener, 4096) != 0) {
        fail("listen");
    }
    if (strcmp(argv[1], "threads") == 0) {
        run_threads(listener);
    }
    run_epoll(listener);
    return EXIT_FAILURE;
}
