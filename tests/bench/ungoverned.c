/*
 * Prints, in ns a call, what read(2) on an fd that no policy governs costs, and what the
 * bare system call does; only the difference of the two stands still while a machine
 * speeds up and slows down. Each is the best of many short batches, taken in turn:
 * whatever else goes on can only add.
 *
 *   ungoverned [BATCHES [CALLS]]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* The way to the kernel and back, and next to nothing else: a read of no bytes. */
static long
by_libc(int fd, char *byte)
{
    return read(fd, byte, 0);
}

/* Not by syscall(3), which the library has a wrapper for, too. */
static long
by_instruction(int fd, char *byte)
{
#if defined(__x86_64__)
    long result = SYS_read;

    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(fd), "S"(byte), "d"(0)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long result __asm__("x0") = fd;
    register char *to __asm__("x1") = byte;
    register long len __asm__("x2") = 0;
    register long number __asm__("x8") = SYS_read;

    __asm__ volatile("svc 0" : "+r"(result) : "r"(to), "r"(len), "r"(number) : "memory");
    return result;
#else
    return syscall(SYS_read, fd, byte, 0);
#endif
}

/* Lowers *best to what a call costs in this batch, if that is less; 0 = none yet. */
static void
batch(long (*call)(int, char *), int fd, long calls, double *best)
{
    double start = now_ns();
    double took;
    char byte;

    for (long i = 0; i < calls; i++) {
        if (call(fd, &byte) != 0) {
            perror("read");
            exit(EXIT_FAILURE);
        }
    }
    took = (now_ns() - start) / (double)calls;
    if (*best <= 0 || took < *best) {
        *best = took;
    }
}

int
main(int argc, char **argv)
{
    long batches = argc > 1 ? strtol(argv[1], NULL, 10) : 200;
    long calls = argc > 2 ? strtol(argv[2], NULL, 10) : 2000;
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    double libc_ns = 0;
    double bare_ns = 0;

    if (fd < 0 || batches < 1 || calls < 1) {
        fprintf(stderr, "usage: ungoverned [BATCHES [CALLS]]\n");
        return EXIT_FAILURE;
    }
    for (long i = 0; i < batches; i++) {
        batch(by_libc, fd, calls, &libc_ns);
        batch(by_instruction, fd, calls, &bare_ns);
    }
    printf("%.2f %.2f\n", libc_ns, bare_ns);
    close(fd);
    return EXIT_SUCCESS;
}
