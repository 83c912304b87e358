/*
 * What the processes of the harness share: memory, since scenarios close every fd.
 */
#ifndef TESTS_FIDELITY_SHARED_H
#define TESTS_FIDELITY_SHARED_H

#include <semaphore.h>

#include "tests/fidelity/fidelity.h"

struct t_end_shared {
    sem_t told;
    int tells, waits; /* how often; a post without a tell is the parent's */
    int limit_ms;
    size_t trace_len;
    char trace[1 << 16];
};

struct t_shared {
    struct t_end_shared ends[2]; /* accepting, connecting */
};

/* Installs the handlers of SIGALRM and SIGPIPE. */
void record_install(void);

/* Ends this process; its trace is whole. */
void record_finish(int status) __attribute__((noreturn));

#endif
