/*
 * The policy of this process: loaded before main, or when another library's constructor
 * makes the first connection.
 */
#ifndef SHIM_INTERPOSE_LOAD_H
#define SHIM_INTERPOSE_LOAD_H

#include <stdbool.h>
#include <sys/types.h>

/* What rules ask about the process. */
struct load_process {
    bool is_on; /* there is a policy: generation_acquire(); false when MTLS_SHIM=off */
    const char *service; /* MTLS_SHIM_SERVICE; NULL = unset */
    char program[4096];  /* the target of /proc/self/exe */
};

/*
 * Loads the policy on the first call.  A policy that cannot be loaded ends the process
 * with POLICY_EXIT_CONFIG and a message on stderr: nothing has been sent by then.
 *
 * Returns  the process; while this same thread is loading: one that is off, since
 *          what the shim itself opens never falls under the policy.
 * Safe     threads; the first call allocates.
 */
const struct load_process *load_process(void);

/* Around whatever makes a child with a copy of our memory. */
void load_fork_prepare(void);
void load_fork_parent(void);
void load_fork_child(void);

/* The first two of them where it is not libc's fork() that makes the child. */
void load_bare_fork_prepare(void);
void load_bare_fork_parent(void);

/* The name of a user; the thread's own copy. NULL = unknown. */
const char *load_user(uid_t uid);

#endif
