#include "tools/ctl/address.h"

#include <arpa/inet.h>
#include <stdio.h>

const char *
address_text(const struct sockaddr *address, char text[ADDRESS_LEN])
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    char host[INET6_ADDRSTRLEN] = "?";

    if (address->sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        snprintf(text, ADDRESS_LEN, "%s:%u", host, ntohs(v4->sin_port));
    } else if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        (void)inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], host, sizeof(host));
        snprintf(text, ADDRESS_LEN, "%s:%u", host, ntohs(v6->sin6_port));
    } else if (address->sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        snprintf(text, ADDRESS_LEN, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        snprintf(text, ADDRESS_LEN, "?");
    }
    return text;
}
