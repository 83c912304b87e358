#include "tools/ctl/doctor_sockets.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of /proc/net/tcp: include/net/tcp_states.h. */
enum { STATE_ESTABLISHED = 1, STATE_CLOSE_WAIT = 8, STATE_LISTEN = 10 };

/* ---- which sockets -------------------------------------------------------------- */

static int
compare_inodes(const void *a, const void *b)
{
    const unsigned long *x = a;
    const unsigned long *y = b;

    return (*x > *y) - (*x < *y);
}

/* Returns the inodes of the process's sockets, sorted; NULL = none, or not for us. */
static unsigned long *
read_inodes(pid_t pid, size_t *count, bool *complete)
{
    unsigned long *inodes = NULL;
    char folder[64];
    struct dirent *entry;
    DIR *dir;

    *count = 0;
    snprintf(folder, sizeof(folder), "/proc/%d/fd", (int)pid);
    dir = opendir(folder);
    *complete = dir != NULL;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[sizeof(folder) + sizeof(entry->d_name) + 1];
        char target[64] = "";
        unsigned long inode;
        unsigned long *more;

        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (readlink(path, target, sizeof(target) - 1) <= 0 ||
            sscanf(target, "socket:[%lu]", &inode) != 1) {
            continue;
        }
        more = realloc(inodes, (*count + 1) * sizeof(inodes[0]));
        if (more == NULL) {
            *complete = false;
            break;
        }
        inodes = more;
        inodes[(*count)++] = inode;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    if (inodes != NULL) {
        qsort(inodes, *count, sizeof(inodes[0]), compare_inodes);
    }
    return inodes;
}

/* ---- what the kernel says of them ----------------------------------------------- */

/* Addresses are words in hexadecimal, as they lie in memory. */
static bool
read_address(const char *text, unsigned port, union doctor_address *address)
{
    uint32_t words[4];
    size_t count = strlen(text) / 8;

    memset(address, 0, sizeof(*address));
    if (count != 1 && count != 4) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        char word[9];

        memcpy(word, text + i * 8, 8);
        word[8] = '\0';
        words[i] = (uint32_t)strtoul(word, NULL, 16);
    }
    if (count == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons((uint16_t)port);
        address->v4.sin_addr.s_addr = words[0];
    } else {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons((uint16_t)port);
        memcpy(&address->v6.sin6_addr, words, sizeof(words));
    }
    return true;
}

static unsigned
port_of(const union doctor_address *address)
{
    return ntohs(address->any.sa_family == AF_INET ? address->v4.sin_port
                                                   : address->v6.sin6_port);
}

bool
doctor_sockets_has_port(const struct doctor_sockets *sockets,
                        const union doctor_address *local)
{
    unsigned port = port_of(local);

    return (sockets->listening[port / 8] >> port % 8 & 1) != 0;
}

static bool
read_line(const char *line, struct doctor_socket *socket)
{
    char local[33];
    char remote[33];
    unsigned local_port;
    unsigned remote_port;
    unsigned state;

    if (sscanf(line, "%*u: %32[0-9A-F]:%x %32[0-9A-F]:%x %x %*s %*s %*s %*u %*u %lu",
               local, &local_port, remote, &remote_port, &state, &socket->inode) != 6 ||
        !read_address(local, local_port, &socket->local) ||
        !read_address(remote, remote_port, &socket->remote)) {
        return false;
    }
    socket->is_listening = state == STATE_LISTEN;
    return state == STATE_LISTEN || state == STATE_ESTABLISHED ||
           state == STATE_CLOSE_WAIT;
}

static void
read_table(pid_t pid, const char *name, const unsigned long *inodes, size_t count,
           struct doctor_sockets *sockets)
{
    char path[64];
    char *line = NULL;
    size_t size = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)pid, name);
    file = fopen(path, "re");
    while (file != NULL && getline(&line, &size, file) > 0) {
        struct doctor_socket socket;
        struct doctor_socket *more;

        if (!read_line(line, &socket)) {
            continue;
        }
        if (socket.is_listening) {
            unsigned port = port_of(&socket.local);

            sockets->listening[port / 8] |= (unsigned char)(1U << port % 8);
        }
        if (bsearch(&socket.inode, inodes, count, sizeof(inodes[0]), compare_inodes) ==
            NULL) {
            continue; /* somebody else's */
        }
        more = realloc(sockets->list, (sockets->count + 1) * sizeof(sockets->list[0]));
        if (more == NULL) {
            sockets->complete = false;
            break;
        }
        sockets->list = more;
        sockets->list[sockets->count++] = socket;
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
}

void
doctor_sockets_read(pid_t pid, struct doctor_sockets *sockets)
{
    size_t count;
    unsigned long *inodes;

    memset(sockets, 0, sizeof(*sockets));
    inodes = read_inodes(pid, &count, &sockets->complete);
    if (count > 0) {
        read_table(pid, "tcp", inodes, count, sockets);
        read_table(pid, "tcp6", inodes, count, sockets);
    }
    free(inodes);
}

void
doctor_sockets_done(struct doctor_sockets *sockets)
{
    free(sockets->list);
    memset(sockets, 0, sizeof(*sockets));
}
