#include "tools/ctl/doctor_user.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- who ------------------------------------------------------------------------ */

static void
set_name(struct doctor_user *user)
{
    const struct passwd *entry = getpwuid(user->uid);

    if (entry != NULL) {
        snprintf(user->name, sizeof(user->name), "%s", entry->pw_name);
    } else {
        snprintf(user->name, sizeof(user->name), "%u", (unsigned)user->uid);
    }
}

bool
doctor_user_find(const char *name, struct doctor_user *user)
{
    bool is_number = name[0] != '\0' && name[strspn(name, "0123456789")] == '\0';
    const struct passwd *entry =
        is_number ? getpwuid((uid_t)strtoul(name, NULL, 10)) : getpwnam(name);

    memset(user, 0, sizeof(*user));
    if (entry == NULL) {
        return false;
    }
    user->uid = entry->pw_uid;
    user->may_all = user->uid == 0;
    user->group_count = DOCTOR_GROUPS_MAX;
    if (getgrouplist(entry->pw_name, entry->pw_gid, user->groups, &user->group_count) <
        0) {
        user->group_count = DOCTOR_GROUPS_MAX;
    }
    set_name(user);
    return true;
}

void
doctor_user_own(struct doctor_user *user)
{
    int count;

    if (doctor_user_of(getpid(), user)) {
        return;
    }
    memset(user, 0, sizeof(*user));
    user->uid = geteuid();
    user->may_all = user->uid == 0;
    user->groups[0] = getegid();
    count = getgroups(DOCTOR_GROUPS_MAX - 1, user->groups + 1);
    user->group_count = 1 + (count > 0 ? count : 0);
    set_name(user);
}

static void
read_groups(const char *text, struct doctor_user *user)
{
    char *end;

    for (;;) {
        unsigned long group = strtoul(text, &end, 10);

        if (end == text || user->group_count == DOCTOR_GROUPS_MAX) {
            return;
        }
        user->groups[user->group_count++] = (gid_t)group;
        text = end;
    }
}

bool
doctor_user_of(pid_t pid, struct doctor_user *user)
{
    enum { DAC_OVERRIDE = 1 }; /* linux/capability.h */
    char path[64];
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    FILE *file;

    memset(user, 0, sizeof(*user));
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    file = fopen(path, "re");
    while (file != NULL && getline(&line, &size, file) > 0) {
        unsigned id;
        uint64_t bits;

        /* Real, effective, saved, file system; files are opened with the last. */
        if (sscanf(line, "Uid: %*u %*u %*u %u", &id) == 1) {
            user->uid = id;
            found = true;
        } else if (sscanf(line, "Gid: %*u %*u %*u %u", &id) == 1) {
            user->groups[user->group_count++] = id;
        } else if (strncmp(line, "Groups:", 7) == 0) {
            read_groups(line + 7, user);
        } else if (sscanf(line, "CapEff: %" SCNx64, &bits) == 1) {
            user->may_all = (bits >> DAC_OVERRIDE & 1) != 0;
        }
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    if (found) {
        set_name(user);
    }
    return found;
}

/* ---- what it may ---------------------------------------------------------------- */

static bool
has_group(const struct doctor_user *user, gid_t group)
{
    for (int i = 0; i < user->group_count; i++) {
        if (user->groups[i] == group) {
            return true;
        }
    }
    return false;
}

/* One entry of an access control list, as the kernel stores it: linux/posix_acl_xattr.h.
 */
struct acl_entry {
    uint16_t tag;
    uint16_t perm;
    uint32_t id;
};

enum { ACL_VERSION = 2, ACL_USER = 2, ACL_GROUP_OBJ = 4, ACL_GROUP = 8, ACL_MASK = 16 };
enum { ACL_ENTRIES_MAX = 256 };

struct acl {
    uint32_t version;
    struct acl_entry entries[ACL_ENTRIES_MAX];
};

/* The algorithm of acl(5), for who is not the owner: 1 may, 0 may not, -1 the others'. */
static int
acl_allows(const struct acl *acl, size_t count, const struct doctor_user *user,
           gid_t owner_group, unsigned want)
{
    unsigned mask = 7;
    bool in_group = false;

    for (size_t i = 0; i < count; i++) {
        mask = acl->entries[i].tag == ACL_MASK ? acl->entries[i].perm : mask;
    }
    for (size_t i = 0; i < count; i++) {
        const struct acl_entry *entry = &acl->entries[i];

        if (entry->tag == ACL_USER && entry->id == user->uid) {
            return (entry->perm & mask & want) == want;
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct acl_entry *entry = &acl->entries[i];
        bool is_ours = (entry->tag == ACL_GROUP && has_group(user, entry->id)) ||
                       (entry->tag == ACL_GROUP_OBJ && has_group(user, owner_group));

        in_group = in_group || is_ours;
        if (is_ours && (entry->perm & mask & want) == want) {
            return 1;
        }
    }
    return in_group ? 0 : -1;
}

static bool
mode_allows(const char *path, const struct stat *st, const struct doctor_user *user,
            unsigned want)
{
    struct acl acl;
    ssize_t len;
    int verdict = -1;

    if (st->st_uid == user->uid) {
        return (st->st_mode >> 6 & want) == want;
    }
    len = getxattr(path, "system.posix_acl_access", &acl, sizeof(acl));
    if (len >= (ssize_t)sizeof(acl.version) && acl.version == ACL_VERSION) {
        verdict =
            acl_allows(&acl, ((size_t)len - sizeof(acl.version)) / sizeof(acl.entries[0]),
                       user, st->st_gid, want);
    } else if (has_group(user, st->st_gid)) {
        verdict = (st->st_mode >> 3 & want) == want;
    }
    return verdict >= 0 ? verdict == 1 : (st->st_mode & want) == want;
}

static int
may_one(const struct doctor_user *user, const char *path, unsigned want,
        char where[PATH_MAX])
{
    struct stat st;

    snprintf(where, PATH_MAX, "%s", path);
    if (stat(path, &st) != 0) {
        return -errno;
    }
    if (user->may_all || mode_allows(path, &st, user, want)) {
        return 0;
    }
    return -EACCES;
}

/* Every folder on the way has to let the user through. */
static int
may_reach(const struct doctor_user *user, const char *path, char where[PATH_MAX])
{
    char folder[PATH_MAX];
    int rc = 0;

    snprintf(folder, sizeof(folder), "%s", path);
    for (char *slash = strchr(folder + 1, '/'); slash != NULL && rc == 0;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        rc = may_one(user, folder, X_OK, where);
        *slash = '/';
    }
    return rc;
}

int
doctor_user_may(const struct doctor_user *user, const char *path, int want,
                char where[PATH_MAX])
{
    char real[PATH_MAX];
    int rc = may_reach(user, path, where);

    if (rc == 0 && realpath(path, real) != NULL) {
        rc = may_reach(user, real, where);
    }
    return rc != 0 ? rc : may_one(user, path, (unsigned)want, where);
}
