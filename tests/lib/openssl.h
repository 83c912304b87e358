/* Having openssl make what a test needs. */
#ifndef TESTS_LIB_OPENSSL_H
#define TESTS_LIB_OPENSSL_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Runs openssl with arguments that hold no spaces; what it says is of no interest. */
static inline void
openssl(const char *arguments)
{
    char copy[512];
    char *argv[40] = {(char[]){"openssl"}};
    char *rest = copy;
    int count = 1;
    int status;
    pid_t pid;

    assert_true(strlen(arguments) < sizeof(copy));
    memcpy(copy, arguments, strlen(arguments) + 1);
    while ((argv[count] = strsep(&rest, " ")) != NULL) {
        assert_true(++count < 39);
    }
    pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execvp(argv[0], argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0) {
        fail_msg("openssl %s", arguments);
    }
}

#endif
