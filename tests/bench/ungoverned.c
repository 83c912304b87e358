/*
 * Prints what read(2) on an fd that no policy governs costs, in ns a call: the best of
 * many short batches, because whatever else the machine does can only add to it.
 *
 *   ungoverned [BATCHES [CALLS]]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Reads of no bytes: the way to the kernel and back, and next to nothing else. */
static double
batch_ns(int fd, long calls)
{
    double start = now_ns();
    char byte;

    for (long i = 0; i < calls; i++) {
        if (read(fd, &byte, 0) != 0) {
            perror("read");
            exit(EXIT_FAILURE);
        }
    }
    return (now_ns() - start) / (double)calls;
}

int
main(int argc, char **argv)
{
    long batches = argc > 1 ? strtol(argv[1], NULL, 10) : 400;
    long calls = argc > 2 ? strtol(argv[2], NULL, 10) : 10000;
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    double best = -1;

    if (fd < 0 || batches < 1 || calls < 1) {
        fprintf(stderr, "usage: ungoverned [BATCHES [CALLS]]\n");
        return EXIT_FAILURE;
    }
    for (long i = 0; i < batches; i++) {
        double took = batch_ns(fd, calls);

        if (best < 0 || took < best) {
            best = took;
        }
    }
    printf("%.2f\n", best);
    close(fd);
    return EXIT_SUCCESS;
}
