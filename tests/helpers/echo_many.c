/*
 * Connections one after the other: echo_many server|client PORT COUNT [refused]
 *
 * The client writes some bytes and reads them back; client and server end in turns.  With
 * "refused" none is to come about, and each end is to be told so by some call.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LEN = 3000 };

static void
need(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static void
take(int fd, char *bytes, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t got = read(fd, bytes + done, len - done);
        need(got > 0, "read");
        done += (size_t)got;
    }
}

static void
serve(int listener, bool end_first)
{
    char bytes[LEN];
    int fd = accept(listener, NULL, NULL);
    need(fd >= 0, "accept");
    take(fd, bytes, LEN);
    need(write(fd, bytes, LEN) == LEN, "write");
    need(end_first || read(fd, bytes, 1) == 0, "the end");
    close(fd);
}

static void
ask(const struct sockaddr_in *to, bool end_first)
{
    char bytes[LEN] = "x";
    char back[LEN];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    need(fd >= 0 && connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0,
         "connect");
    need(write(fd, bytes, LEN) == LEN, "write");
    take(fd, back, LEN);
    need(memcmp(bytes, back, LEN) == 0, "the echo");
    need(end_first || read(fd, bytes, 1) == 0, "the end");
    close(fd);
}

static void
refuse(int listener)
{
    char byte;
    int fd = accept(listener, NULL, NULL);
    need(fd >= 0, "accept");
    need(read(fd, &byte, 1) < 0, "a refusal");
    close(fd);
}

static void
be_refused(const struct sockaddr_in *to)
{
    char byte;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    need(fd >= 0, "socket");
    need(connect(fd, (const struct sockaddr *)to, sizeof(*to)) != 0 ||
             read(fd, &byte, 1) < 0,
         "a refusal");
    close(fd);
}

int
main(int argc, char **argv)
{
    need(argc == 4 || argc == 5, "usage: echo_many server|client PORT COUNT [refused]");
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(argv[2])),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    bool refused = argc == 5;
    bool is_server = strcmp(argv[1], "server") == 0;
    int listener = is_server ? socket(AF_INET, SOCK_STREAM, 0) : -1;
    int on = 1;
    if (is_server) {
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        need(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                 listen(listener, 5) == 0,
             "listen");
    }
    for (int i = 0; i < atoi(argv[3]); i++) {
        if (refused) {
            is_server ? refuse(listener) : be_refused(&address);
        } else {
            is_server ? serve(listener, i % 2 == 1) : ask(&address, i % 2 == 0);
        }
    }
    return 0;
}
