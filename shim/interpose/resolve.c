/* Name resolution: listens in, so that certificates can be checked for what was dialled.
 */
#include "shim/interpose/names.h"
#include "shim/interpose/real.h"

#include <arpa/inet.h>
#include <string.h>

/* NULL for an address in words: RFC 9525 wants it compared with addresses. */
static const char *
name_or_null(const char *node)
{
    uint8_t bytes[sizeof(struct in6_addr)];
    bool literal = inet_pton(AF_INET, node, bytes) == 1 || strchr(node, ':') != NULL ||
                   inet_aton(node, (struct in_addr *)(void *)bytes) != 0;
    return literal ? NULL : node;
}

static void
note_entry(const char *node, const struct hostent *entry)
{
    if (node == NULL || entry == NULL) {
        return;
    }
    for (char **address = entry->h_addr_list; *address != NULL; address++) {
        union session_address flat = {.any.sa_family = (sa_family_t)entry->h_addrtype};
        if (entry->h_addrtype == AF_INET6) {
            memcpy(&flat.in6.sin6_addr, *address, sizeof(flat.in6.sin6_addr));
        } else {
            memcpy(&flat.in.sin_addr, *address, sizeof(flat.in.sin_addr));
        }
        names_note(name_or_null(node), &flat.any);
    }
}

INTERPOSE int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
            struct addrinfo **result)
{
    real_need();
    int status = real.getaddrinfo(node, service, hints, result);
    int errno_before = errno;
    if (status == 0 && node != NULL && node[0] != '\0') {
        for (const struct addrinfo *entry = *result; entry != NULL;
             entry = entry->ai_next) {
            names_note(name_or_null(node), entry->ai_addr);
        }
    }
    errno = errno_before;
    return status;
}

INTERPOSE struct hostent *
gethostbyname(const char *name)
{
    real_need();
    struct hostent *entry = real.gethostbyname(name);
    note_entry(name, entry);
    return entry;
}

INTERPOSE struct hostent *
gethostbyname2(const char *name, int family)
{
    real_need();
    struct hostent *entry = real.gethostbyname2(name, family);
    note_entry(name, entry);
    return entry;
}

INTERPOSE int
gethostbyname_r(const char *name, struct hostent *entry, char *buf, size_t len,
                struct hostent **result, int *error)
{
    real_need();
    int status = real.gethostbyname_r(name, entry, buf, len, result, error);
    note_entry(name, status == 0 ? *result : NULL);
    return status;
}

INTERPOSE int
gethostbyname2_r(const char *name, int family, struct hostent *entry, char *buf,
                 size_t len, struct hostent **result, int *error)
{
    real_need();
    int status = real.gethostbyname2_r(name, family, entry, buf, len, result, error);
    note_entry(name, status == 0 ? *result : NULL);
    return status;
}
