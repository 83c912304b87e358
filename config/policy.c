#include "config/policy.h"

#include "config/build.h"
#include "config/draft.h"
#include "config/file.h"
#include "config/problem_list.h"
#include "config/section.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* The directory that paths in the policy begin from; no link is followed. */
static int
find_dir(struct build *build, const char *path)
{
    char cwd[PATH_MAX] = "";
    const char *slash = strrchr(path, '/');
    size_t len = slash != NULL ? (size_t)(slash - path) : 0;
    size_t room;
    char *dir;

    if (path[0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL) {
        return -errno;
    }
    room = strlen(cwd) + len + 2;
    dir = build_alloc(build, room, 1);
    if (dir == NULL) {
        return -ENOMEM;
    }
    snprintf(dir, room, "%s%s%.*s", cwd, cwd[0] != '\0' && len > 0 ? "/" : "", (int)len,
             path);
    build->dir = dir[0] != '\0' ? dir : "/";
    build->policy->absolute_path = build_path(build, slash != NULL ? slash + 1 : path);
    return 0;
}

/* Reads the file and fills in the policy; the report tells of any failure. */
static void
fill(struct build *build, const char *path)
{
    struct file file = {0};
    struct draft draft;
    int rc = find_dir(build, path);

    if (rc == 0) {
        rc = file_read(path, &file);
    }
    if (rc != 0) {
        build_problem(build, 0, "cannot read the policy: %s", file_error(rc));
        return;
    }
    if (draft_read(&draft, build, (const char *)file.data, file.len)) {
        section_shim(build, &draft);
        section_identities(build, &draft);
        section_rules(build, &draft);
    }
    file_done(&file);
}

static struct policy *
make_empty(struct build *build, const char *path)
{
    struct policy *policy = NULL;
    char *copy = NULL;

    build->arena = arena_new();
    if (build->arena != NULL) {
        policy = build_alloc(build, 1, sizeof(*policy));
        copy = build_copy(build, path);
    }
    if (policy == NULL || copy == NULL) {
        arena_free(build->arena);
        return NULL;
    }
    policy->path = copy;
    policy->storage = build->arena;
    return policy;
}

struct policy *
policy_load(const char *path, struct policy_report *report)
{
    struct problem_list list = {.report = report};
    struct policy_report collect = {problem_list_add, &list, 0};
    struct build build = {.report = &collect};

    build.policy = make_empty(&build, path);
    if (build.policy == NULL) {
        problem_add(report, path, 0, "%s", strerror(ENOMEM));
        return NULL;
    }
    list.arena = build.arena;
    fill(&build, path);
    if (build.short_of_memory) {
        build_problem(&build, 0, "%s", strerror(ENOMEM));
    }
    if (collect.count > 0) {
        problem_list_tell(&list);
        policy_free(build.policy);
        return NULL;
    }
    return build.policy;
}

void
policy_free(struct policy *policy)
{
    if (policy != NULL) {
        arena_free(policy->storage);
    }
}
