/*
 * What the processes of this host have counted, read from metrics_dir and added up.
 */
#ifndef TOOLS_CTL_METRICS_READ_H
#define TOOLS_CTL_METRICS_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/session/metrics_layout.h"

/* Of all processes of one service, which may have read their files at different times. */
struct metrics_service {
    char name[METRICS_SERVICE_LEN];
    char version[32]; /* of the library */
    unsigned processes;
    int64_t loaded_s;          /* the oldest */
    int64_t reload_s;          /* the latest; 0 = none */
    bool reload_failed;        /* any process's last one has */
    int64_t policy_modified_s; /* the oldest */
};

/* An identity as the service has it that has the oldest. */
struct metrics_held {
    char service[METRICS_SERVICE_LEN];
    struct metrics_identity identity;
};

/* A connection as one process has it; two that share it, after a fork, have two. */
struct metrics_connection {
    int64_t pid, uid;
    char program[METRICS_PROGRAM_LEN];
    char command[METRICS_SERVICE_LEN];
    char service[METRICS_SERVICE_LEN];
    char rule[METRICS_RULE_LEN];
    uint32_t direction;
    struct metrics_open open;
};

/* A process that is alive. */
struct metrics_process {
    int64_t pid, uid, started_s;
    char program[METRICS_PROGRAM_LEN];
    char command[METRICS_SERVICE_LEN];
    char service[METRICS_SERVICE_LEN];
    size_t connections;
};

#define METRICS_READ_FILES_MAX 8192 /* who may write to the directory may write many */
#define METRICS_READ_OPEN_MAX 262144
#define METRICS_READ_NAMES_MAX 512

struct metrics_view {
    struct metrics_ended totals;
    uint64_t open[METRICS_ENDED_SERIES_MAX]; /* sessions, by the series of totals */
    struct metrics_service services[METRICS_READ_NAMES_MAX];
    size_t service_count;
    struct metrics_held identities[METRICS_READ_NAMES_MAX];
    size_t identity_count;
    struct metrics_process *processes;
    size_t process_count;
    struct metrics_connection *connections;
    size_t connection_count;
    unsigned unreadable; /* files that are not as they should be, or not for us */
};

/*
 * Reads all files; those of dead processes are added up for good first, if this user may.
 *
 * Returns  to be freed with metrics_read_free(); NULL, and errno says why.
 */
struct metrics_view *metrics_read(const char *dir);
void metrics_read_free(struct metrics_view *view);

#endif
