/*
 * Uses connections on threads with the smallest stack there is, PTHREAD_STACK_MIN:
 *
 *   small_stack serve PORT       echoes, a thread for each connection
 *   small_stack dial PORT COUNT  makes so many connections, one after the other, and has
 *                                what it writes by writev() echoed; exit 1: not the same
 */
#include <arpa/inet.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PIECES = 600, PIECE_LEN = 50, LEN = PIECES * PIECE_LEN, ROUNDS = 20 };

static struct sockaddr_in address = {.sin_family = AF_INET};
static char sent[LEN], got[LEN];
static struct iovec pieces[PIECES];

static pthread_t
start(void *(*run)(void *context), void *context)
{
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    if (pthread_attr_setstacksize(&attr, (size_t)PTHREAD_STACK_MIN) != 0 ||
        pthread_create(&thread, &attr, run, context) != 0) {
        fputs("no thread\n", stderr);
        exit(2);
    }
    pthread_attr_destroy(&attr);
    return thread;
}

static void *
echo(void *context)
{
    int fd = (int)(intptr_t)context;
    char *buf = malloc(LEN);
    ssize_t n;
    while ((n = read(fd, buf, LEN)) > 0 && write(fd, buf, (size_t)n) == n) {
    }
    free(buf);
    close(fd);
    return NULL;
}

static int
serve(void)
{
    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 16) != 0) {
        perror("listen");
        return 2;
    }
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0) {
            pthread_detach(start(echo, (void *)(intptr_t)fd));
        }
    }
}

static void *
dial(void *context)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int *same = context;
    *same = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    if (!*same) {
        perror("connect");
    }
    for (int i = 0; i < ROUNDS && *same; i++) {
        memset(got, 0, LEN);
        *same = writev(fd, pieces, PIECES) == LEN &&
                recv(fd, got, LEN, MSG_WAITALL) == LEN && memcmp(got, sent, LEN) == 0;
    }
    close(fd);
    return NULL;
}

int
main(int argc, char **argv)
{
    if (argc < 3) {
        return 2;
    }
    address.sin_port = htons((uint16_t)atoi(argv[2]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (strcmp(argv[1], "serve") == 0) {
        return serve();
    }
    for (int i = 0; i < PIECES; i++) {
        memset(sent + (size_t)i * PIECE_LEN, 'a' + i % 26, PIECE_LEN);
        pieces[i] = (struct iovec){sent + (size_t)i * PIECE_LEN, PIECE_LEN};
    }
    for (int i = argc > 3 ? atoi(argv[3]) : 1; i > 0; i--) {
        int same = 0;
        pthread_join(start(dial, &same), NULL);
        if (!same) {
            return 1;
        }
    }
    return 0;
}
