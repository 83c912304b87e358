/*
 * Connections as fast as they go, over and over: storm server|client PORT THREADS
 *
 * Each thread serves, or dials, one after the other; a connection is a byte to the server
 * and one back.  At SIGTERM the client's threads end with the exchange that is under way,
 * so that none is broken off, and it says how many there were.  Any that fails ends it at
 * once, with status 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS_MAX = 64, BACKLOG = 512 };

static struct sockaddr_in address = {.sin_family = AF_INET};
static int listener = -1;
static atomic_bool over;
static atomic_long count;

static void
need(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s: %s\n", what, strerror(errno));
        _exit(1);
    }
}

static void
end(int number)
{
    (void)number;
    atomic_store(&over, true);
}

/* A client may be killed at any moment: that is no failure of the server. */
static void *
serve(void *unused)
{
    for (;;) {
        char byte;
        int fd = accept(listener, NULL, NULL);
        need(fd >= 0, "accept");
        if (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1) {
            (void)read(fd, &byte, 1); /* the client is the one that ends first */
        }
        close(fd);
    }
    return unused;
}

static void *
ask(void *unused)
{
    while (!atomic_load(&over)) {
        char byte = 'x';
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        need(fd >= 0, "socket");
        need(connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0,
             "connect");
        need(write(fd, &byte, 1) == 1, "write");
        need(read(fd, &byte, 1) == 1, "read");
        need(close(fd) == 0, "close");
        atomic_fetch_add(&count, 1);
    }
    return unused;
}

static void
open_listener(void)
{
    int on = 1;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    need(listener >= 0, "socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    need(bind(listener, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
             listen(listener, BACKLOG) == 0,
         "listen");
}

int
main(int argc, char **argv)
{
    pthread_t threads[THREADS_MAX];
    int wanted = argc == 4 ? atoi(argv[3]) : 0;
    if (wanted < 1 || wanted > THREADS_MAX) {
        fprintf(stderr, "usage: storm server|client PORT THREADS\n");
        return 2;
    }
    bool is_server = strcmp(argv[1], "server") == 0;
    address.sin_port = htons((uint16_t)atoi(argv[2]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (is_server) {
        open_listener();
    } else {
        signal(SIGTERM, end); /* interrupted calls go on */
    }
    for (int i = 0; i < wanted; i++) {
        need(pthread_create(&threads[i], NULL, is_server ? serve : ask, NULL) == 0,
             "pthread_create");
    }
    for (int i = 0; i < wanted; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("%ld\n", atomic_load(&count));
    return 0;
}
