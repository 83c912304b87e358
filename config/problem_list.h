/*
 * Problems kept until all are known, to be told in the order of their lines.
 */
#ifndef CONFIG_PROBLEM_LIST_H
#define CONFIG_PROBLEM_LIST_H

#include "config/arena.h"
#include "config/policy.h"

struct problem_list_item;

struct problem_list {
    struct arena *arena;
    struct policy_report *report; /* who is told in the end */
    struct problem_list_item *first;
    struct problem_list_item *last;
};

/*
 * Keeps a problem: a policy_report's function, the list being the context.  When memory
 * is short it is told at once.
 */
void problem_list_add(void *context, const struct policy_problem *problem);

/* Tells of all problems, by line; those without one come last. */
void problem_list_tell(const struct problem_list *list);

#endif
