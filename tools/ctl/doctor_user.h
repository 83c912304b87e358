/* Who a program runs as, and what files that user may use. */
#ifndef TOOLS_CTL_DOCTOR_USER_H
#define TOOLS_CTL_DOCTOR_USER_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

enum { DOCTOR_GROUPS_MAX = 1024 };

struct doctor_user {
    uid_t uid;
    gid_t groups[DOCTOR_GROUPS_MAX]; /* the primary one is the first */
    int group_count;
    bool may_all;  /* CAP_DAC_OVERRIDE: no file is closed to it */
    char name[64]; /* or the number */
};

/* This process's own. */
void doctor_user_own(struct doctor_user *user);

/* One of the system's users, by name or number; false: there is none. */
bool doctor_user_find(const char *name, struct doctor_user *user);

/* A process's, from /proc/PID/status; false: it cannot be read. */
bool doctor_user_of(pid_t pid, struct doctor_user *user);

/*
 * Whether the user may reach a file and use it, by modes and ACLs.
 *
 *   want   in   R_OK, W_OK and X_OK, added up
 *   where  out  what stands in the way; PATH_MAX bytes
 *
 * Returns  0; -EACCES; -ENOENT and others: it cannot be told.
 */
int doctor_user_may(const struct doctor_user *user, const char *path, int want,
                    char where[PATH_MAX]);

#endif
