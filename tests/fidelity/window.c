#include "tests/fidelity/window.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

bool
window_is_closed(int fd)
{
    struct tcp_info info = {.tcpi_snd_wnd = 1};
    socklen_t len = sizeof(info);
    return syscall(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
           (info.tcpi_snd_wnd == 0 && info.tcpi_unacked == 0);
}
