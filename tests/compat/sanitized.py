#!/usr/bin/env python3
"""Programs that were built with a sanitizer: its runtime interposes much of what we do, and
calls us before it is ready itself."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Bed, equal, main  # noqa: E402

SOURCE = r"""
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    char buf[5];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    to.sin_port = htons((unsigned short)atoi(argv[argc - 1]));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 || write(fd, "hello", 5) != 5 ||
        recv(fd, buf, 5, MSG_WAITALL) != 5) {
        perror("sanitized");
        return 1;
    }
    close(fd);
    puts("fine");
    return 0;
}
"""


def check(bed: Bed, *flags):
    bed.pair()
    program = bed.path("sanitized")
    subprocess.run(["gcc", "-g", *flags, "-o", program, bed.write("sanitized.c", SOURCE)],
                   check=True)
    bed.serve(["socat", f"TCP-LISTEN:{bed.port},reuseaddr", "PIPE"])
    # The runtime would be the first library; a leak is an exit status of 23.
    client = bed.start("client", [program, bed.relay.port], bed.client_policy,
                       env={"ASAN_OPTIONS": "verify_asan_link_order=0"})
    equal(client.ok().out, b"fine\n", "what the program says")
    bed.check_all()


def test_built_with_address(bed):
    check(bed, "-fsanitize=address")


def test_built_with_address_static(bed):
    check(bed, "-fsanitize=address", "-static-libasan")


def test_built_with_thread(bed):
    check(bed, "-fsanitize=thread")


def test_built_with_undefined(bed):
    check(bed, "-fsanitize=undefined")


if __name__ == "__main__":
    main(globals())
