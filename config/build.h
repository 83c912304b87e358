/*
 * What the steps of making a policy share: where memory comes from, where problems go.
 */
#ifndef CONFIG_BUILD_H
#define CONFIG_BUILD_H

#include "config/arena.h"
#include "config/policy.h"
#include "config/problem.h"

struct build {
    struct arena *arena;
    struct policy_report *report;
    struct policy *policy; /* still being filled in */
    const char *dir;       /* the policy file's, absolute */
    bool short_of_memory;  /* told once, at the end */
};

#define build_problem(build, line, ...)                                                  \
    problem_add((build)->report, (build)->policy->path, (line), __VA_ARGS__)

/* Zeroed memory that lives as long as the policy; NULL is noted in short_of_memory. */
void *build_alloc(struct build *build, size_t count, size_t size);

/* A copy of a text; NULL is noted in short_of_memory. */
char *build_copy(struct build *build, const char *text);

/* The absolute path of a file that the policy names: relative ones begin beside it. */
char *build_path(struct build *build, const char *text);

#endif
