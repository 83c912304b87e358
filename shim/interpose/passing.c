#include "shim/interpose/passing.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "shim/interpose/exec.h"
#include "shim/interpose/fd.h"
#include "shim/interpose/govern.h"
#include "shim/interpose/governed.h"
#include "shim/interpose/load.h"
#include "shim/interpose/unconnected.h"
#include "shim/session/audit.h"
#include "shim/session/pool.h"

#define STAND_IN_NAME "mtls-shim-stand-in"

/* Of an empty file: nothing can ever be in it. */
#define STAND_IN_SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SEAL)

enum {
    FDS_MAX = 253, /* SCM_MAX_FD of the kernel: in one message */
    CONTROL_MAX = 8192,
};

static bool
is_rights(const struct cmsghdr *part)
{
    return part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS;
}

static int
fd_count(const struct cmsghdr *part)
{
    return (int)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
}

static int *
fds_of(struct cmsghdr *part)
{
    return (int *)(void *)CMSG_DATA(part);
}

static struct cmsghdr *
next_rights(struct msghdr *msg, struct cmsghdr *part)
{
    do {
        part = part == NULL ? CMSG_FIRSTHDR(msg) : CMSG_NXTHDR(msg, part);
    } while (part != NULL && !is_rights(part));
    return part;
}

bool
passing_is_needed(const struct msghdr *msg)
{
    struct msghdr copy = *msg;
    for (struct cmsghdr *part = next_rights(&copy, NULL); part != NULL;
         part = next_rights(&copy, part)) {
        for (int i = 0; i < fd_count(part); i++) {
            if (table_governs(fds_of(part)[i])) {
                return true;
            }
        }
    }
    return false;
}

/* ---- sending ---- */

/* What is appended, and what it stands for. */
struct parcel {
    int count;                           /* of sessions */
    int fds[FDS_MAX];                    /* socket, memfd, socket, memfd... */
    int stand_ins[FDS_MAX];              /* to be closed here once the message is sent */
    struct handle *handles[FDS_MAX / 2]; /* with references */
    union {
        struct cmsghdr header;
        char bytes[CONTROL_MAX];
    } control;
};

static int
make_stand_in(void)
{
    int memfd = memfd_create(STAND_IN_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memfd >= 0) {
        (void)real.fcntl(memfd, F_ADD_SEALS, STAND_IN_SEALS);
    }
    return memfd;
}

/* Packs one governed fd. Returns the fd to put in its place, or -errno. */
static int
pack(struct parcel *parcel, int fd)
{
    int memfd = exec_portable(fd);
    struct handle *handle = table_acquire(fd);
    int stand_in = -1;
    if (memfd >= 0 && handle != NULL && parcel->count < FDS_MAX / 2) {
        handle->goes_along = false; /* that is for an exec of our own */
        stand_in = make_stand_in();
    }
    if (stand_in < 0) {
        if (handle != NULL) {
            table_release(handle);
        }
        return memfd == -EPIPE ? fd : -EACCES; /* a dead connection may go as it is */
    }
    parcel->fds[2 * parcel->count] = fd;
    parcel->fds[2 * parcel->count + 1] = memfd;
    parcel->handles[parcel->count] = handle;
    parcel->stand_ins[parcel->count++] = stand_in;
    return stand_in;
}

/* The receiver holds the sessions from before it has them; undo: it does not. */
static void
hold(const struct parcel *parcel, bool undo)
{
    for (int i = 0; i < parcel->count; i++) {
        struct session *session = parcel->handles[i]->session;
        if (undo) {
            holder_replace(&session->holders, -session_self(), 0);
            atomic_fetch_sub(&session->mappings, 1);
        } else {
            holder_add(&session->holders, -session_self());
            atomic_fetch_add(&session->mappings, 1);
        }
    }
}

static int
pack_all(struct parcel *parcel, struct msghdr *msg)
{
    for (struct cmsghdr *part = next_rights(msg, NULL); part != NULL;
         part = next_rights(msg, part)) {
        for (int i = 0; i < fd_count(part); i++) {
            int fd = fds_of(part)[i];
            int packed = table_governs(fd) ? pack(parcel, fd) : fd;
            if (packed < 0) {
                return packed;
            }
            fds_of(part)[i] = packed;
        }
    }
    return 0;
}

/* Appends the sockets and memfds as one more part. */
static void
append(struct parcel *parcel, struct msghdr *msg)
{
    size_t at = CMSG_ALIGN(msg->msg_controllen);
    size_t len = 2 * (size_t)parcel->count * sizeof(int);
    struct cmsghdr *part = (struct cmsghdr *)(void *)(parcel->control.bytes + at);
    memset(part, 0, CMSG_SPACE(len));
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = (LIBC_MSG_LEN)CMSG_LEN(len);
    memcpy(CMSG_DATA(part), parcel->fds, len);
    msg->msg_controllen = (LIBC_MSG_LEN)(at + CMSG_SPACE(len));
}

static void
done(struct parcel *parcel)
{
    for (int i = 0; i < parcel->count; i++) {
        real.close(parcel->stand_ins[i]);
        table_release(parcel->handles[i]);
    }
}

ssize_t
passing_send(int fd, const struct msghdr *msg, int flags)
{
    struct parcel parcel = {.count = 0};
    struct msghdr packed = *msg;
    if (msg->msg_controllen > CONTROL_MAX - CMSG_SPACE(FDS_MAX * sizeof(int))) {
        return -EINVAL;
    }
    memcpy(parcel.control.bytes, msg->msg_control, msg->msg_controllen);
    packed.msg_control = parcel.control.bytes;
    ssize_t result = pack_all(&parcel, &packed);
    if (result == 0) {
        if (parcel.count > 0) {
            append(&parcel, &packed);
        }
        hold(&parcel, false);
        result = real.sendmsg(fd, &packed, flags);
        if (result < 0) {
            result = -errno;
            hold(&parcel, true);
        }
    }
    done(&parcel);
    return result;
}

/* ---- receiving ---- */

/* By what it is, and by its name where there is a /proc: not in many a chroot. */
static bool
is_stand_in(int fd)
{
    static const char name[] = "/memfd:" STAND_IN_NAME;
    char path[32];
    char target[64] = "";
    struct stat st;
    int seals = real.fcntl(fd, F_GET_SEALS); /* the kernel may have added F_SEAL_EXEC */
    if (seals < 0 || (seals & STAND_IN_SEALS) != STAND_IN_SEALS || fstat(fd, &st) != 0 ||
        st.st_size != 0) {
        return false;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return readlink(path, target, sizeof(target) - 1) < 0 ||
           strncmp(target, name, sizeof(name) - 1) == 0;
}

struct sought {
    uint64_t cookie;
    struct handle *handle; /* with a reference once found */
};

static void
compare(int fd, struct handle *handle, void *context)
{
    struct sought *sought = context;
    GOVERNED_SCOPE *held = sought->handle == NULL ? table_acquire(fd) : NULL;
    if (held != NULL && held == handle && held->session->cookie == sought->cookie) {
        table_ref(held);
        sought->handle = held;
    }
}

/* The handle of a session that has come: this process may have it already. */
static struct handle *
handle_of(int fd, int memfd)
{
    struct sought sought = {.cookie = session_cookie(fd)};
    if (sought.cookie != 0) {
        table_each(compare, &sought);
    }
    if (sought.handle != NULL) {
        real.close(memfd);
        session_claim(sought.handle);
        return sought.handle;
    }
    int own = table_raise(memfd);
    struct handle *handle = session_adopt(own, govern_rule_named);
    if (handle == NULL) {
        table_disown(own);
        real.close(own);
        return NULL;
    }
    if (!session_is_held(handle)) {
        session_claim(handle);
    }
    return handle;
}

/* Has fd, which has come with its session's memfd, governed. Returns whether it is. */
static bool
unpack(int fd, int memfd, int flags)
{
    GOVERNED_SCOPE *handle = handle_of(fd, memfd);
    if (handle == NULL || fd_govern(fd, handle) < 0) {
        audit_warn("a governed connection that another process passed could not be "
                   "taken over");
        (void)real.shutdown(fd, SHUT_RDWR);
        real.close(fd);
        return false;
    }
    table_set_exec(fd, (flags & MSG_CMSG_CLOEXEC) != 0 ? TABLE_EXEC_CLOSED
                                                       : TABLE_EXEC_UNSAID);
    session_adopted(handle, fd);
    return true;
}

/* A message that was cut short: sockets have come without their sessions, and nobody can
 * tell which fds those are.  The program keeps the stand-ins. */
static int
drop_all_but_stand_ins(int *fds, int count)
{
    int left = 0;
    for (int i = 0; i < count; i++) {
        if (is_stand_in(fds[i])) {
            fds[left++] = fds[i];
        } else {
            real.close(fds[i]);
        }
    }
    return left;
}

/* Returns how many fds remain for the program. */
static int
unpack_fds(int *fds, int count, int flags)
{
    int stand_ins = 0;
    for (int i = 0; i < count; i++) {
        stand_ins += is_stand_in(fds[i]);
    }
    if (count < 3 * stand_ins) {
        return drop_all_but_stand_ins(fds, count);
    }
    int left = count - 2 * stand_ins;
    int pair = left;
    for (int i = 0; i < left; i++) {
        if (!is_stand_in(fds[i])) {
            continue;
        }
        if (unpack(fds[pair], fds[pair + 1], flags)) {
            real.close(fds[i]);
            fds[i] = fds[pair];
        }
        pair += 2;
    }
    return left;
}

void
passing_unpack(struct msghdr *msg, int flags)
{
    if (!load_process()->is_on) {
        return; /* switched off: what is ours is of no use here */
    }
    for (struct cmsghdr *part = next_rights(msg, NULL); part != NULL;
         part = next_rights(msg, part)) {
        int count = fd_count(part);
        int left = unpack_fds(fds_of(part), count, flags);
        for (int i = 0; i < left; i++) {
            unconnected_look(fds_of(part)[i]);
        }
        if (left < count) {
            /* The kernel makes one part of all fds, the last one but for nothing. */
            part->cmsg_len = (LIBC_MSG_LEN)CMSG_LEN((size_t)left * sizeof(int));
            size_t before = (size_t)((char *)part - (char *)msg->msg_control);
            msg->msg_controllen =
                (LIBC_MSG_LEN)(before + CMSG_SPACE((size_t)left * sizeof(int)));
        }
    }
}

/* Copies control data to a buffer that may be too small, as the kernel would have. */
static void
give_control(struct msghdr *msg, void *control, size_t room, const struct msghdr *got)
{
    struct msghdr from = *got;
    size_t used = 0;
    msg->msg_flags = got->msg_flags;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&from); part != NULL;
         part = CMSG_NXTHDR(&from, part)) {
        size_t len = part->cmsg_len;
        size_t fits = used + len <= room ? len : room > used ? room - used : 0;
        if (fits < len) {
            msg->msg_flags |= MSG_CTRUNC;
        }
        if (is_rights(part)) {
            size_t kept = fits < CMSG_LEN(0) ? 0 : (fits - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = kept; i < (size_t)fd_count(part); i++) {
                close(fds_of(part)[i]);
            }
            fits = kept > 0 ? CMSG_LEN(kept * sizeof(int)) : 0;
        }
        if (fits < sizeof(struct cmsghdr)) {
            break;
        }
        struct cmsghdr *to = (struct cmsghdr *)(void *)((char *)control + used);
        memcpy(to, part, fits);
        to->cmsg_len = (LIBC_MSG_LEN)fits;
        used += used + CMSG_ALIGN(fits) <= room ? CMSG_ALIGN(fits) : fits;
    }
    msg->msg_control = control;
    msg->msg_controllen = (LIBC_MSG_LEN)used;
}

ssize_t
passing_receive(int fd, struct msghdr *msg, int flags)
{
    union {
        struct cmsghdr header;
        char bytes[CONTROL_MAX];
    } control;
    size_t room = msg->msg_controllen;
    size_t extra = CMSG_SPACE(FDS_MAX * sizeof(int));
    if (room > sizeof(control) - extra || !load_process()->is_on) {
        ssize_t result = real.recvmsg(fd, msg, flags);
        if (result >= 0) {
            passing_unpack(msg, flags);
        }
        return result < 0 ? -errno : result;
    }
    struct msghdr wide = *msg;
    wide.msg_control = control.bytes;
    wide.msg_controllen = (LIBC_MSG_LEN)(room + extra);
    ssize_t result = real.recvmsg(fd, &wide, flags);
    if (result < 0) {
        return -errno;
    }
    passing_unpack(&wide, flags);
    msg->msg_namelen = wide.msg_namelen;
    give_control(msg, msg->msg_control, room, &wide);
    return result;
}
