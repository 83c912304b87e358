/* The parts of mtlsctl doctor: each looks at one thing and adds what it finds. */
#ifndef TOOLS_CTL_DOCTOR_H
#define TOOLS_CTL_DOCTOR_H

#include "config/policy.h"
#include "tools/ctl/doctor_user.h"
#include "tools/ctl/findings.h"

#include <limits.h>

/* What the patient is, as far as it is known. */
struct doctor {
    struct findings findings;
    const char *policy_path; /* NULL = there is none */
    const char *service;     /* NULL = unset */
    struct doctor_user user; /* who it runs as */
    struct policy *policy;   /* NULL = none, or bad */
    bool policy_is_bad;
    bool policy_is_elsewhere;   /* in another root directory than ours */
    char program[PATH_MAX];     /* the binary: what rules with "program" match */
    char policy_room[PATH_MAX]; /* what policy_path and service point to, of a process */
    char service_room[PATH_MAX];
};

/* Can this program be covered?  Fills in doctor->program. */
void doctor_program(struct doctor *doctor, const char *name);

/* What the file and its libraries would do that the library does not cover. */
void doctor_calls(struct doctor *doctor, const char *binary);

/*
 * Is this process covered?  Fills in program, user, and of policy_path and service what
 * was not given.
 *
 * Returns  false: there is no such process, or it cannot be looked at.
 */
bool doctor_process(struct doctor *doctor, pid_t pid);

/* What a process is confined by: filters, profiles, namespaces; after its program and
 * user are known. Fills in policy_is_elsewhere. */
void doctor_confinement(struct doctor *doctor, pid_t pid);

/* Loads the policy; what it says of this program, files that its user needs, the clock.
 */
void doctor_policy(struct doctor *doctor);

/* Which of a process's connections are governed; after doctor_policy(). */
void doctor_connections(struct doctor *doctor, pid_t pid);

#endif
