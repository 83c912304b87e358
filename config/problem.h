/*
 * Telling the user what is wrong with a policy.
 */
#ifndef CONFIG_PROBLEM_H
#define CONFIG_PROBLEM_H

#include "config/policy.h"

/*
 * Reports one problem and counts it.
 *
 *   path  in  the policy file
 *   line  in  the line to blame, 0 for none
 *
 * The text is cut to a sane length; control characters in it become '?'.
 */
void problem_add(struct policy_report *report, const char *path, int line,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Reports what was reported to another: the text is taken as it is. */
void problem_pass(struct policy_report *report, const struct policy_problem *problem);

/* For a report that nobody reads. */
void problem_ignore(void *context, const struct policy_problem *problem);

/* A file that the policy names, and where: for problems with what it holds. */
struct problem_place {
    struct policy_report *report;
    const char *path; /* of the policy */
    int line;         /* that names the file */
    const char *file;
};

/*
 * Reports a problem with a file as "FILE: TEXT".
 *
 * Returns  -EINVAL, for the caller to hand on.
 */
int problem_in(const struct problem_place *place, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same, with a cause. */
int problem_because(const struct problem_place *place, enum policy_cause cause,
                    const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
