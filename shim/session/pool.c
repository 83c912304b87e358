#include "shim/session/pool.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define POOL_SLAB_COUNT 32

/* What belongs to one session in a slab's shared memory, buffers apart from headers. */
#define POOL_BUFFERS_LEN (RECORD_RX_BUFFER_LEN + RECORD_TX_BUFFER_LEN + SESSION_EARLY_LEN)
#define POOL_PAGE 4096
#define POOL_HEADERS_LEN                                                                 \
    ((POOL_SLAB_COUNT * sizeof(struct session) + POOL_PAGE - 1) / POOL_PAGE * POOL_PAGE)
#define POOL_SLAB_LEN (POOL_HEADERS_LEN + (size_t)POOL_SLAB_COUNT * POOL_BUFFERS_LEN)

struct slab {
    struct slab *next;
    uint8_t *memory; /* shared; NULL while the slab holds nothing */
    unsigned used;   /* handles in use */
    bool sealed;     /* seen by another process: take nothing new from it */
    bool taken[POOL_SLAB_COUNT];
    struct handle handles[POOL_SLAB_COUNT];
};

static pthread_mutex_t pool_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct slab *slabs;

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

static void *
map_pages(size_t len, int sharing)
{
    void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE,
                        sharing | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static int
slab_fill(struct slab *slab)
{
    if (slab->memory == NULL) {
        slab->memory = map_pages(POOL_SLAB_LEN, MAP_SHARED);
        if (slab->memory == NULL) {
            return -ENOMEM;
        }
        /* Keys do not belong in core files. */
        (void)madvise(slab->memory, POOL_SLAB_LEN, MADV_DONTDUMP);
        slab->sealed = false;
    }
    return 0;
}

/* A slab with a free place; handles' memory is never given back (see struct handle). */
static struct slab *
slab_with_room(void)
{
    struct slab *empty = NULL;
    for (struct slab *slab = slabs; slab != NULL; slab = slab->next) {
        if (slab->memory != NULL && !slab->sealed && slab->used < POOL_SLAB_COUNT) {
            return slab;
        }
        if (slab->memory == NULL) {
            empty = slab;
        }
    }
    if (empty == NULL) {
        empty = map_pages(sizeof(*empty), MAP_PRIVATE);
        if (empty == NULL) {
            return NULL;
        }
        empty->next = slabs;
        slabs = empty;
    }
    return slab_fill(empty) == 0 ? empty : NULL;
}

static void
bind_handle(struct slab *slab, unsigned i)
{
    struct handle *handle = &slab->handles[i];
    uint8_t *buffers = slab->memory + POOL_HEADERS_LEN + (size_t)i * POOL_BUFFERS_LEN;

    memset(handle, 0, sizeof(*handle));
    atomic_init(&handle->fd_hint, -1);
    handle->service_fd = -1;
    handle->session = (struct session *)(void *)slab->memory + i;
    handle->early = buffers + RECORD_RX_BUFFER_LEN + RECORD_TX_BUFFER_LEN;
    handle->conn.rec = &handle->session->record;
    handle->conn.rx_buffer = buffers;
    handle->conn.tx_buffer = buffers + RECORD_RX_BUFFER_LEN;
    atomic_store(&handle->refs, 1);
}

struct handle *
pool_take(void)
{
    struct handle *handle = NULL;
    pool_lock();
    struct slab *slab = slab_with_room();
    for (unsigned i = 0; slab != NULL && i < POOL_SLAB_COUNT; i++) {
        if (!slab->taken[i]) {
            slab->taken[i] = true;
            slab->used++;
            bind_handle(slab, i);
            handle = &slab->handles[i];
            break;
        }
    }
    pool_unlock();
    return handle;
}

static struct slab *
slab_of(const struct handle *handle)
{
    struct slab *slab = slabs;
    while (handle < slab->handles || handle >= slab->handles + POOL_SLAB_COUNT) {
        slab = slab->next;
    }
    return slab;
}

void
pool_give(struct handle *handle)
{
    pool_lock();
    struct slab *slab = slab_of(handle);
    size_t i = (size_t)(handle - slab->handles);
    if (!slab->sealed) {
        memset(handle->session, 0, sizeof(*handle->session));
        /* Punches the buffers out of the shared memory; a no-op where untouched. */
        (void)madvise(handle->conn.rx_buffer, POOL_BUFFERS_LEN, MADV_REMOVE);
    }
    handle->session = NULL;
    slab->taken[i] = false;
    slab->used--;
    if (slab->sealed && slab->used == 0) {
        munmap(slab->memory, POOL_SLAB_LEN);
        slab->memory = NULL;
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
        if (slab->used == 0) {
            munmap(slab->memory, POOL_SLAB_LEN);
            slab->memory = NULL;
        }
    }
}

void
pool_each(void (*visit)(struct handle *handle, void *context), void *context)
{
    for (struct slab *slab = slabs; slab != NULL; slab = slab->next) {
        for (unsigned i = 0; i < POOL_SLAB_COUNT; i++) {
            if (slab->taken[i]) {
                visit(&slab->handles[i], context);
            }
        }
    }
}
