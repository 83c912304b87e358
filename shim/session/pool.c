#include "shim/session/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/session/system.h"
#include "shim/session/table.h"

enum {
    SLAB_COUNT = 64,  /* sessions in a shared slab: they fill their pages */
    ALONE_COUNT = 16, /* sessions of a process that get a slab each */
    KEPT_COUNT = 64,  /* free places in shared slabs that keep their pages */
    PAGE = 4096,
};

struct slab {
    struct slab *next;
    uint8_t *memory; /* shared; NULL while the slab holds nothing */
    int memfd;       /* -1 = anonymous */
    unsigned count;  /* of handles: 1 or SLAB_COUNT */
    unsigned used;
    bool sealed; /* seen by another process: take nothing new from it */
    bool taken[SLAB_COUNT];
    bool kept[SLAB_COUNT]; /* free, wiped, and with pages of the session before */
    unsigned kept_count;
    struct handle handles[]; /* never given back (see struct handle) */
};

static pthread_mutex_t pool_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct slab *slabs;
static unsigned alone_used;
static unsigned kept_count; /* of all slabs */

void
pool_lock(void)
{
    pthread_mutex_lock(&pool_mutex);
}

void
pool_unlock(void)
{
    pthread_mutex_unlock(&pool_mutex);
}

/* Sessions first, then their buffers, which stay untouched and so cost nothing. */
static size_t
headers_len(unsigned count)
{
    return (count * sizeof(struct session) + PAGE - 1) / PAGE * PAGE;
}

static size_t
slab_len(unsigned count)
{
    return headers_len(count) + (size_t)count * POOL_BUFFERS_LEN;
}

static void *
map_pages(size_t len, int flags, int memfd)
{
    void *memory =
        mmap(NULL, len, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, memfd, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* A memfd of the length of a slab for one, among our own fds. Returns -1 without. */
static int
make_memfd(void)
{
    int memfd = memfd_create(POOL_MEMFD_NAME, MFD_CLOEXEC);
    if (memfd < 0) {
        return -1;
    }
    if (ftruncate(memfd, (off_t)slab_len(1)) != 0) {
        system_calls.close(memfd);
        return -1;
    }
    return table_raise(memfd);
}

static void
drop_memfd(struct slab *slab)
{
    if (slab->memfd >= 0) {
        table_disown(slab->memfd);
        system_calls.close(slab->memfd);
        slab->memfd = -1;
    }
}

static int
slab_fill(struct slab *slab)
{
    size_t len = slab_len(slab->count);
    if (slab->memory != NULL) {
        return 0;
    }
    slab->memfd = slab->count == 1 ? make_memfd() : -1;
    slab->memory = slab->memfd >= 0 ? map_pages(len, MAP_SHARED, slab->memfd)
                                    : map_pages(len, MAP_SHARED | MAP_ANONYMOUS, -1);
    if (slab->memory == NULL) {
        drop_memfd(slab);
        return -ENOMEM;
    }
    /* Keys do not belong in core files. */
    (void)madvise(slab->memory, len, MADV_DONTDUMP);
    slab->sealed = false;
    return 0;
}

/* Gives pages back to the kernel: what is there next is zero. */
static void
punch(uint8_t *from, size_t len)
{
    if (madvise(from, len, MADV_REMOVE) != 0) {
        memset(from, 0, len); /* pages are larger here */
    }
}

static void
set_kept(struct slab *slab, unsigned i, bool kept)
{
    if (slab->kept[i] != kept) {
        slab->kept[i] = kept;
        slab->kept_count += kept ? 1U : -1U;
        kept_count += kept ? 1U : -1U;
    }
}

static uint8_t *
slab_buffers(const struct slab *slab, unsigned i)
{
    return slab->memory + headers_len(slab->count) + (size_t)i * POOL_BUFFERS_LEN;
}

/* Gives back the pages of free places. */
static void
slab_trim(struct slab *slab)
{
    for (unsigned i = 0; slab->kept_count > 0; i++) {
        if (slab->kept[i]) {
            punch(slab_buffers(slab, i), POOL_BUFFERS_LEN);
            set_kept(slab, i, false);
        }
    }
}

static void
slab_empty(struct slab *slab)
{
    for (unsigned i = 0; slab->kept_count > 0; i++) {
        set_kept(slab, i, false);
    }
    munmap(slab->memory, slab_len(slab->count));
    slab->memory = NULL;
    drop_memfd(slab);
}

/* A slab for so many that has a free place, best one with pages; or one without memory,
 * or a new one. */
static struct slab *
find_slab(unsigned count)
{
    struct slab *empty = NULL;
    struct slab *room = NULL;
    for (struct slab *slab = slabs; slab != NULL; slab = slab->next) {
        if (slab->count != count) {
            continue;
        }
        if (slab->memory != NULL && !slab->sealed && slab->used < count) {
            room = slab;
            if (slab->kept_count > 0 || kept_count == 0 || count == 1) {
                break;
            }
        }
        if (slab->memory == NULL) {
            empty = slab;
        }
    }
    if (room != NULL) {
        return room;
    }
    if (empty == NULL) {
        empty = map_pages(sizeof(*empty) + count * sizeof(struct handle),
                          MAP_PRIVATE | MAP_ANONYMOUS, -1);
        if (empty != NULL) {
            *empty = (struct slab){.next = slabs, .memfd = -1, .count = count};
            slabs = empty;
        }
    }
    return empty;
}

static struct handle *
bind_handle(struct slab *slab, unsigned i)
{
    struct handle *handle = &slab->handles[i];
    uint8_t *buffers = slab_buffers(slab, i);

    memset(handle, 0, sizeof(*handle));
    atomic_init(&handle->fd_hint, -1);
    handle->service_fd = -1;
    handle->session = (struct session *)(void *)slab->memory + i;
    handle->early = buffers + RECORD_RX_BUFFER_LEN + RECORD_TX_BUFFER_LEN;
    handle->conn.rec = &handle->session->record;
    handle->conn.rx_buffer = buffers;
    handle->conn.tx_buffer = buffers + RECORD_RX_BUFFER_LEN;
    atomic_store(&handle->refs, 1);
    set_kept(slab, i, false);
    slab->taken[i] = true;
    slab->used++;
    alone_used += slab->count == 1;
    return handle;
}

static struct handle *
take_locked(unsigned count)
{
    struct slab *slab = find_slab(count);
    if (slab == NULL || slab_fill(slab) < 0) {
        return NULL;
    }
    unsigned i = 0;
    while (slab->taken[i] || (slab->kept_count > 0 && !slab->kept[i])) {
        i++;
    }
    return bind_handle(slab, i);
}

struct handle *
pool_take(void)
{
    pool_lock();
    struct handle *handle = take_locked(alone_used < ALONE_COUNT ? 1 : SLAB_COUNT);
    pool_unlock();
    return handle;
}

struct handle *
pool_take_alone(void)
{
    pool_lock();
    struct handle *handle = take_locked(1);
    pool_unlock();
    return handle;
}

static struct slab *
slab_of(const struct handle *handle)
{
    struct slab *slab = slabs;
    while (handle < slab->handles || handle >= slab->handles + slab->count) {
        slab = slab->next;
    }
    return slab;
}

int
pool_memfd(const struct handle *handle)
{
    pool_lock();
    int memfd = slab_of(handle)->memfd;
    pool_unlock();
    return memfd;
}

uint8_t *
pool_buffers(const struct handle *handle)
{
    return handle->early - RECORD_RX_BUFFER_LEN - RECORD_TX_BUFFER_LEN;
}

/* The first page stays, the others are given back. */
static void
wipe_buffer(uint8_t *buf, size_t len, size_t reach)
{
    memset(buf, 0, reach < PAGE ? reach : PAGE);
    if (reach > PAGE) {
        punch(buf + PAGE, len - PAGE);
    }
}

/*
 * Nearly every session uses a little of what it reads into and seals in, and a ticket
 * waits at the end of that.  Those pages stay for the next one, since to unmap them and
 * to fault them in again is what costs; and so does a call for what is not there.
 *
 * Returns whether there are pages left.
 */
static bool
wipe_session(const struct handle *handle, bool keep)
{
    const struct record *rec = &handle->session->record;
    uint8_t *rx = pool_buffers(handle);
    uint8_t *tx = rx + RECORD_RX_BUFFER_LEN;
    bool has_pages = rec->rx.touched > 0 || rec->tx.touched > 0;
    if (has_pages && keep) {
        memset(tx + RECORD_TX_QUEUE_LEN, 0, rec->had_ticket ? RECORD_TICKET_LEN_MAX : 0);
        wipe_buffer(rx, RECORD_RX_BUFFER_LEN, rec->rx.reach);
        wipe_buffer(tx, RECORD_TX_BUFFER_LEN, rec->tx.reach);
    } else if (has_pages) {
        punch(rx, RECORD_RX_BUFFER_LEN + RECORD_TX_BUFFER_LEN);
    }
    if (handle->session->early_touched) {
        punch(handle->early, SESSION_EARLY_LEN);
    }
    memset(handle->session, 0, sizeof(*handle->session));
    return has_pages && keep;
}

void
pool_give(struct handle *handle, bool wipe)
{
    pool_lock();
    struct slab *slab = slab_of(handle);
    unsigned i = (unsigned)(handle - slab->handles);
    if (wipe) {
        bool alone = slab->count == 1;
        bool keep = !slab->sealed && (alone || kept_count < KEPT_COUNT);
        set_kept(slab, i, wipe_session(handle, keep) && !alone);
    } else {
        slab->sealed = true; /* whoever has it mapped is not to see a session of ours */
    }
    handle->session = NULL;
    slab->taken[i] = false;
    slab->used--;
    alone_used -= slab->count == 1;
    if (slab->used == 0 && slab->sealed) {
        slab_empty(slab); /* others stay for the next session: see pool_trim() */
    }
    pool_unlock();
}

/* A memfd that is as long as ours, holds a session of this layout, and is in use. */
bool
pool_is_session(int memfd)
{
    struct stat st;
    struct session head;
    return fstat(memfd, &st) == 0 && S_ISREG(st.st_mode) &&
           system_calls.fcntl(memfd, F_GET_SEALS) >= 0 && /* in memory, not on a disk */
           st.st_size == (off_t)slab_len(1) &&
           pread(memfd, &head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
           head.magic == SESSION_MAGIC && head.layout == SESSION_LAYOUT;
}

size_t
pool_buffers_at(void)
{
    return headers_len(1);
}

/* Who can write to a session has us in hand, so that it may only be ourselves, or root:
 * see session_import() for all others. */
bool
pool_may_share(int memfd)
{
    struct stat st;
    return fstat(memfd, &st) == 0 && (st.st_uid == geteuid() || st.st_uid == 0);
}

struct handle *
pool_adopt(int memfd)
{
    struct handle *handle = NULL;
    if (!pool_is_session(memfd) || !pool_may_share(memfd)) {
        return NULL;
    }
    uint8_t *memory = map_pages(slab_len(1), MAP_SHARED, memfd);
    if (memory == NULL) {
        return NULL;
    }
    (void)madvise(memory, slab_len(1), MADV_DONTDUMP);
    pool_lock();
    struct slab *slab =
        map_pages(sizeof(*slab) + sizeof(struct handle), MAP_PRIVATE | MAP_ANONYMOUS, -1);
    if (slab != NULL) {
        *slab = (struct slab){
            .next = slabs, .memory = memory, .memfd = memfd, .count = 1, .sealed = true};
        slabs = slab;
        handle = bind_handle(slab, 0);
    } else {
        munmap(memory, slab_len(1));
    }
    pool_unlock();
    return handle;
}

void
pool_trim(void)
{
    pool_lock();
    for (struct slab *slab = slabs; slab != NULL; slab = slab->next) {
        if (slab->memory != NULL && slab->used == 0) {
            slab_empty(slab);
        } else {
            slab_trim(slab);
        }
    }
    pool_unlock();
}

void
pool_seal(void)
{
    for (struct slab *slab = slabs; slab != NULL; slab = slab->next) {
        if (slab->memory == NULL) {
            continue;
        }
        slab->sealed = true;
        slab_trim(slab);
        if (slab->used == 0) {
            slab_empty(slab);
        }
    }
}

void
pool_forget_unused(void)
{
    for (struct slab *slab = slabs; slab != NULL; slab = slab->next) {
        for (unsigned i = 0; i < slab->count; i++) {
            if (slab->taken[i] && atomic_load(&slab->handles[i].refs) == 0) {
                slab->taken[i] = false;
                slab->used--;
                alone_used -= slab->count == 1;
            }
        }
    }
}

void
pool_each(void (*visit)(struct handle *handle, void *context), void *context)
{
    for (struct slab *slab = slabs; slab != NULL; slab = slab->next) {
        for (unsigned i = 0; i < slab->count; i++) {
            if (slab->taken[i]) {
                visit(&slab->handles[i], context);
            }
        }
    }
}
