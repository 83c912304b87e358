#include "tools/ctl/metrics_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/session/metrics_fold.h"

/* ---- lists that grow -----------------------------------------------------------------
 */

enum { LIST_STEP = 256 };

/* Makes room for one more; NULL without memory. */
static void *
grow(void *list, size_t count, size_t size)
{
    return count % LIST_STEP == 0 ? realloc(list, (count + LIST_STEP) * size) : list;
}

static void
add_process(struct metrics_view *view, const struct metrics_live *live, size_t open)
{
    void *list = grow(view->processes, view->process_count, sizeof(view->processes[0]));
    if (list == NULL) {
        return;
    }
    view->processes = list;
    struct metrics_process *process = &view->processes[view->process_count++];
    *process = (struct metrics_process){.pid = live->pid,
                                        .uid = live->uid,
                                        .started_s = live->started_s,
                                        .connections = open};
    memcpy(process->program, live->program, sizeof(process->program));
    memcpy(process->command, live->command, sizeof(process->command));
    memcpy(process->service, live->service, sizeof(process->service));
}

static bool
add_connection(struct metrics_view *view, const struct metrics_live *live,
               const struct metrics_open *open)
{
    void *list =
        grow(view->connections, view->connection_count, sizeof(view->connections[0]));
    if (list == NULL || view->connection_count == METRICS_READ_OPEN_MAX) {
        return false;
    }
    const struct metrics_series *series = &live->series[open->series];
    view->connections = list;
    struct metrics_connection *to = &view->connections[view->connection_count++];
    *to = (struct metrics_connection){.pid = live->pid,
                                      .uid = live->uid,
                                      .direction = series->direction,
                                      .open = *open};
    memcpy(to->program, live->program, sizeof(to->program));
    memcpy(to->command, live->command, sizeof(to->command));
    memcpy(to->service, live->service, sizeof(to->service));
    memcpy(to->rule, series->rule, sizeof(to->rule));
    return true;
}

/* ---- what is so of each service
 * -------------------------------------------------------- */

static struct metrics_service *
find_service(struct metrics_view *view, const char *name)
{
    for (size_t i = 0; i < view->service_count; i++) {
        if (strcmp(view->services[i].name, name) == 0) {
            return &view->services[i];
        }
    }
    if (view->service_count == METRICS_READ_NAMES_MAX) {
        return NULL;
    }
    struct metrics_service *service = &view->services[view->service_count++];
    memcpy(service->name, name, sizeof(service->name));
    return service;
}

static void
keep_older(int64_t *oldest, int64_t time)
{
    if (time != 0 && (*oldest == 0 || time < *oldest)) {
        *oldest = time;
    }
}

static void
add_service(struct metrics_view *view, const struct metrics_live *live)
{
    struct metrics_service *service = find_service(view, live->service);
    if (service == NULL) {
        return;
    }
    int64_t reload_s = atomic_load(&live->reload_s);
    memcpy(service->version, live->version, sizeof(service->version));
    service->processes++;
    keep_older(&service->loaded_s, atomic_load(&live->loaded_s));
    keep_older(&service->policy_modified_s, atomic_load(&live->policy_modified_s));
    service->reload_s = reload_s > service->reload_s ? reload_s : service->reload_s;
    service->reload_failed =
        service->reload_failed || atomic_load(&live->reload_failed) != 0;
}

static struct metrics_identity *
find_identity(struct metrics_view *view, const char *service, const char *name)
{
    for (size_t i = 0; i < view->identity_count; i++) {
        struct metrics_held *held = &view->identities[i];
        if (strcmp(held->service, service) == 0 &&
            strcmp(held->identity.name, name) == 0) {
            return &held->identity;
        }
    }
    if (view->identity_count == METRICS_READ_NAMES_MAX) {
        return NULL;
    }
    struct metrics_held *held = &view->identities[view->identity_count++];
    memcpy(held->service, service, sizeof(held->service));
    memcpy(held->identity.name, name, sizeof(held->identity.name));
    return &held->identity;
}

static void
add_identities(struct metrics_view *view, const struct metrics_live *live)
{
    uint32_t count = atomic_load(&live->identity_count);
    for (uint32_t i = 0; i < count; i++) {
        const struct metrics_identity *from = &live->identities[i];
        struct metrics_identity *to = find_identity(view, live->service, from->name);
        if (to != NULL) {
            keep_older(&to->not_after, from->not_after);
            keep_older(&to->crl_this_update, from->crl_this_update);
            keep_older(&to->crl_next_update, from->crl_next_update);
        }
    }
}

/* ---- files
 * ----------------------------------------------------------------------------- */

static void
add_live(struct metrics_view *view, const struct metrics_live *live)
{
    size_t open = 0;
    uint32_t open_end = atomic_load(&live->open_end);
    for (uint32_t i = 0; i < open_end; i++) {
        const struct metrics_open *connection = &live->open[i];
        if (atomic_load(&connection->is_set) &&
            connection->series < atomic_load(&live->series_end) &&
            add_connection(view, live, connection)) {
            open++;
        }
    }
    add_process(view, live, open);
    add_service(view, live);
    add_identities(view, live);
}

static void
read_live(struct metrics_view *view, int dir_fd, const char *name,
          struct metrics_live *live)
{
    enum metrics_found found = metrics_fold_read(dir_fd, name, live);
    if (found == METRICS_STRANGE) {
        view->unreadable++;
    }
    if (found == METRICS_LIVE) {
        add_live(view, live);
    }
    if (found == METRICS_LIVE || found == METRICS_DEAD) {
        metrics_fold_add(&view->totals, live);
    }
}

static void
read_ended(struct metrics_view *view, int dir_fd, const char *name,
           struct metrics_ended *ended)
{
    if (metrics_fold_read_ended(dir_fd, name, ended)) {
        metrics_fold_add_ended(&view->totals, ended);
    } else {
        view->unreadable++;
    }
}

static void
read_files(struct metrics_view *view, int dir_fd, DIR *entries)
{
    struct metrics_live *live = calloc(1, sizeof(*live));
    struct metrics_ended *ended = calloc(1, sizeof(*ended));
    const struct dirent *entry;
    for (int i = 0; i < METRICS_READ_FILES_MAX && live != NULL && ended != NULL &&
                    (entry = readdir(entries)) != NULL;
         i++) {
        if (metrics_fold_is_live_name(entry->d_name)) {
            read_live(view, dir_fd, entry->d_name, live);
        } else if (metrics_fold_is_ended_name(entry->d_name)) {
            read_ended(view, dir_fd, entry->d_name, ended);
        }
    }
    free(live);
    free(ended);
}

/* ---- how many are open
 * ------------------------------------------------------------------ */

static int
compare_sessions(const void *a, const void *b)
{
    const struct metrics_open *x = &((const struct metrics_connection *)a)->open;
    const struct metrics_open *y = &((const struct metrics_connection *)b)->open;
    if (x->started_us != y->started_us) {
        return x->started_us < y->started_us ? -1 : 1;
    }
    int order = memcmp(&x->local, &y->local, sizeof(x->local));
    return order != 0 ? order : memcmp(&x->remote, &y->remote, sizeof(x->remote));
}

/* A session that several processes hold is one. */
static void
count_open(struct metrics_view *view)
{
    if (view->connection_count == 0) {
        return;
    }
    qsort(view->connections, view->connection_count, sizeof(view->connections[0]),
          compare_sessions);
    for (size_t i = 0; i < view->connection_count; i++) {
        const struct metrics_connection *connection = &view->connections[i];
        if (i > 0 && compare_sessions(connection, connection - 1) == 0) {
            continue;
        }
        const struct metrics_series *series = metrics_fold_series(
            &view->totals, connection->service, connection->direction, connection->rule);
        if (series != NULL) {
            view->open[series - view->totals.series]++;
        }
    }
}

struct metrics_view *
metrics_read(const char *dir)
{
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) {
        return NULL;
    }
    metrics_fold_dead(dir_fd);
    struct metrics_view *view = calloc(1, sizeof(*view));
    int lock = metrics_fold_lock(dir_fd, false); /* without it we see what we see */
    DIR *entries = opendir(dir);
    if (view != NULL && entries != NULL) {
        read_files(view, dir_fd, entries);
        count_open(view);
    }
    int error = errno;
    if (entries != NULL) {
        closedir(entries);
    } else {
        metrics_read_free(view);
        view = NULL;
    }
    if (lock >= 0) {
        close(lock);
    }
    close(dir_fd);
    errno = error;
    return view;
}

void
metrics_read_free(struct metrics_view *view)
{
    if (view != NULL) {
        free(view->processes);
        free(view->connections);
        free(view);
    }
}
