/* Addresses of connections, as they are shown. */
#ifndef TOOLS_CTL_ADDRESS_H
#define TOOLS_CTL_ADDRESS_H

#include <netinet/in.h>

enum { ADDRESS_LEN = INET6_ADDRSTRLEN + 8 };

/* "10.0.0.1:80", "[::1]:80"; v4-mapped addresses as IPv4, other families "?". Returns
 * text.
 */
const char *address_text(const struct sockaddr *address, char text[ADDRESS_LEN]);

#endif
