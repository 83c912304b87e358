/*
 * Cancels a thread that is blocked in read() on a connection, again and again, and then
 * uses the connection: cancel_read PORT, where an echo server listens.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROUNDS = 20, BLOCKED_US = 5000, LINE_LEN = 17 };

static const char line[] = "MTLS-TEST-MARKER\n";

static int connection;
static int cleaned;

static void
count(void *unused)
{
    (void)unused;
    cleaned++;
}

static void *
block(void *unused)
{
    char byte;
    (void)unused;
    pthread_cleanup_push(count, NULL);
    if (read(connection, &byte, 1) >= 0) {
        fputs("read() has returned\n", stderr);
    }
    pthread_cleanup_pop(0);
    return NULL;
}

static int
dial(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        perror("connect");
        exit(1);
    }
    return fd;
}

int
main(int argc, char **argv)
{
    char answer[LINE_LEN];
    if (argc != 2) {
        return 2;
    }
    connection = dial(argv[1]);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread;
        void *result;
        if (pthread_create(&thread, NULL, block, NULL) != 0) {
            return 1;
        }
        usleep(BLOCKED_US);
        pthread_cancel(thread);
        pthread_join(thread, &result);
        if (result != PTHREAD_CANCELED || cleaned != i + 1) {
            fputs("a thread was not cancelled\n", stderr);
            return 1;
        }
    }
    if (write(connection, line, LINE_LEN) != LINE_LEN ||
        recv(connection, answer, LINE_LEN, MSG_WAITALL) != LINE_LEN ||
        memcmp(answer, line, LINE_LEN) != 0) {
        fputs("the connection is spoilt\n", stderr);
        return 1;
    }
    close(connection);
    return 0;
}
