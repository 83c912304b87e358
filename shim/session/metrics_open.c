#include "shim/session/metrics_open.h"

#include <string.h>
#include <time.h>

#include "shim/session/metrics.h"
#include "shim/session/metrics_series.h"

/* Which places are taken: this process's own affair. */
static _Atomic uint64_t taken[METRICS_OPEN_MAX / 64];
static _Atomic uint32_t room_end; /* places that are on the disk */

static int
take_bit(void)
{
    for (int word = 0; word < METRICS_OPEN_MAX / 64; word++) {
        uint64_t bits = atomic_load(&taken[word]);
        while (bits != UINT64_MAX) {
            int bit = __builtin_ctzll(~bits);
            if (atomic_compare_exchange_weak(&taken[word], &bits,
                                             bits | UINT64_C(1) << bit)) {
                return word * 64 + bit;
            }
        }
    }
    return -1;
}

static void
give_bit(int place)
{
    atomic_fetch_and(&taken[place / 64], ~(UINT64_C(1) << (place % 64)));
}

static bool
make_room(struct metrics_live *live, uint32_t place)
{
    uint32_t end = atomic_load(&room_end);
    if (place < end) {
        return true;
    }
    uint32_t first = place / METRICS_OPEN_CHUNK * METRICS_OPEN_CHUNK;
    if (!metrics_file_reserve(live, &live->open[first],
                              METRICS_OPEN_CHUNK * sizeof(live->open[0]))) {
        return false;
    }
    /* Another thread may be making room further down: its end is not for us to pass. */
    if (first == end) {
        (void)atomic_compare_exchange_strong(&room_end, &end, first + METRICS_OPEN_CHUNK);
    }
    return true;
}

static void
raise_end(struct metrics_live *live, uint32_t end)
{
    uint32_t now = atomic_load(&live->open_end);
    while (now < end && !atomic_compare_exchange_weak(&live->open_end, &now, end)) {
    }
}

static struct metrics_open *
take(struct metrics_live *live)
{
    int place = take_bit();
    if (place < 0) {
        return NULL;
    }
    if (!make_room(live, (uint32_t)place)) {
        give_bit(place);
        return NULL;
    }
    return &live->open[place];
}

static void
copy_address(struct sockaddr_in6 *to, const union session_address *from)
{
    memset(to, 0, sizeof(*to));
    if (from->any.sa_family == AF_INET) {
        memcpy(to, &from->in, sizeof(from->in));
    } else if (from->any.sa_family == AF_INET6) {
        *to = from->in6;
    }
}

/* Its alternative names say who it is; the subject where there are none. */
static const char *
peer_name(const struct peer *peer)
{
    return peer->san[0] != '\0' ? peer->san : peer->subject;
}

static void
fill(struct metrics_open *open, const struct session *session,
     const struct metrics_live *live, const struct metrics_series *series)
{
    memset(open, 0, sizeof(*open));
    open->series = (uint32_t)(series - live->series);
    open->version = session->version;
    open->cipher = session->cipher;
    open->started_us = session->started_us;
    open->opened_s = time(NULL) - (session_now_ms() - session->opened_ms) / 1000;
    copy_address(&open->local, &session->local);
    copy_address(&open->remote, &session->remote);
    metrics_series_copy_text(open->peer, peer_name(&session->peer), sizeof(open->peer));
    atomic_store(&open->is_set, 1);
}

void
metrics_open_attach(struct handle *handle, struct metrics_live *live)
{
    const struct session *session = handle->session;
    if (atomic_exchange(&handle->is_counted, true)) {
        return;
    }
    enum metrics_direction direction =
        session->is_server ? METRICS_INBOUND : METRICS_OUTBOUND;
    struct metrics_series *series = metrics_series(live, direction, session->rule);
    struct metrics_open *open = series != NULL ? take(live) : NULL;
    if (open == NULL) {
        /* Counted all the same, and told of when it ends. */
        atomic_store(&handle->conn.rx_count, &handle->uncounted[0]);
        atomic_store(&handle->conn.tx_count, &handle->uncounted[1]);
        return;
    }
    metrics_series_begin(live);
    fill(open, session, live, series);
    raise_end(live, (uint32_t)(open - live->open) + 1);
    metrics_series_end(live);
    handle->counted = open;
    atomic_store(&handle->conn.rx_count, &open->in);
    atomic_store(&handle->conn.tx_count, &open->out);
}

void
metrics_open_detach(struct handle *handle, struct metrics_live *live)
{
    const struct session *session = handle->session;
    struct metrics_open *open = handle->counted;
    handle->counted = NULL;
    if (open == NULL) {
        struct metrics_series *series = metrics_series(
            live, session->is_server ? METRICS_INBOUND : METRICS_OUTBOUND, session->rule);
        if (series != NULL) {
            metrics_series_add_counts(series, &handle->uncounted[0],
                                      &handle->uncounted[1]);
        }
        return;
    }
    metrics_series_begin(live);
    metrics_series_add_counts(&live->series[open->series], &open->in, &open->out);
    atomic_store(&open->is_set, 0);
    metrics_series_end(live);
    give_bit((int)(open - live->open));
}

void
metrics_open_fork_child(void)
{
    memset(taken, 0, sizeof(taken));
    atomic_store(&room_end, 0);
}
