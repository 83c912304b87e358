#include "tools/ctl/log_ends.h"

#include <string.h>

struct log_line_text
log_ends_host(struct log_line_text address)
{
    size_t len = address.len;
    while (len > 0 && address.at[len - 1] != ':') {
        len--;
    }
    len = len > 0 ? len - 1 : address.len;
    if (len > 1 && address.at[0] == '[' && address.at[len - 1] == ']') {
        return (struct log_line_text){address.at + 1, len - 2};
    }
    return (struct log_line_text){address.at, len};
}

static struct log_line_text
port_of(struct log_line_text address)
{
    size_t len = address.len;
    while (len > 0 && address.at[len - 1] != ':') {
        len--;
    }
    return (struct log_line_text){address.at + len, address.len - len};
}

struct log_line_text
log_ends_peer(const struct log_line *line)
{
    struct log_line_text san = line->field[LOG_PEER_SAN];
    const char *uri = san.len > 0 ? memmem(san.at, san.len, "URI:", 4) : NULL;
    const char *from = uri != NULL ? uri : san.at;
    if (san.len == 0) {
        return line->field[LOG_PEER_SUBJECT];
    }
    size_t left = san.len - (size_t)(from - san.at);
    const char *end = memmem(from, left, ", ", 2);
    return (struct log_line_text){from, end != NULL ? (size_t)(end - from) : left};
}

struct log_line_text
log_ends_server(const struct log_line *line, char room[LOG_ENDS_SERVER_LEN])
{
    bool is_inbound = log_line_is(line->field[LOG_DIRECTION], "inbound");
    struct log_line_text address = line->field[is_inbound ? LOG_LOCAL : LOG_REMOTE];
    struct log_line_text host = is_inbound ? log_line_text("*")
                                : line->field[LOG_DIALLED_NAME].len > 0
                                    ? line->field[LOG_DIALLED_NAME]
                                    : log_ends_host(address);
    struct log_line_text port = port_of(address);
    size_t len = host.len < LOG_ENDS_SERVER_LEN / 2 ? host.len : LOG_ENDS_SERVER_LEN / 2;
    size_t port_len = port.len < 6 ? port.len : 6;
    memcpy(room, host.at, len);
    room[len] = ':';
    memcpy(room + len + 1, port.at, port_len);
    return (struct log_line_text){room, len + 1 + port_len};
}
