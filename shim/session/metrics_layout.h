/*
 * What a process counts, as it lies in its file under metrics_dir: shared with mtlsctl.
 *
 * metrics_dir holds NAME.live of each process that has the library, locked (flock) as
 * long as the process lives, and one ended.UID for each user, where the counters of
 * processes that have ended are added up, so that no total ever goes down.  Whoever adds
 * up, or must not see half of it, locks the directory itself.
 */
#ifndef SHIM_SESSION_METRICS_LAYOUT_H
#define SHIM_SESSION_METRICS_LAYOUT_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdint.h>

#include "shim/record/record.h"
#include "shim/session/reason.h"

#define METRICS_LIVE_MAGIC 0x6576696c6d736c74U  /* "tlsmlive" */
#define METRICS_ENDED_MAGIC 0x6465646e6d736c74U /* "tlsmnded" */
#define METRICS_LIVE_SUFFIX ".live"
#define METRICS_ENDED_PREFIX "ended."

enum {
    METRICS_SERIES_MAX = 128,       /* of one process; the last two are "(other)" */
    METRICS_ENDED_SERIES_MAX = 512, /* of all processes of a user */
    METRICS_IDENTITIES_MAX = 32,
    METRICS_OPEN_MAX = 4096, /* connections; more are counted when they end */
    METRICS_OPEN_CHUNK = 32, /* how many get room on the disk at once */
    METRICS_SERVICE_LEN = 64,
    METRICS_RULE_LEN = 96,
    METRICS_PEER_LEN = 160,
    METRICS_PROGRAM_LEN = 128,
    METRICS_BUCKET_COUNT = 14, /* of durations; metrics_series.h has their bounds */
};

/* Counters of a series. */
enum metrics_value {
    METRICS_CONNECTIONS, /* handshakes that let the peer in */
    METRICS_RESUMED,     /* of them, by resumption */
    METRICS_PLAINTEXT,   /* left in plaintext, by any mode */
    METRICS_OBSERVED,    /* and by mode = observe */
    METRICS_BYTES_IN,    /* of connections that this process has no more */
    METRICS_BYTES_OUT,
    METRICS_RECORDS_IN,
    METRICS_RECORDS_OUT,
    METRICS_HANDSHAKE_US,     /* sum of the durations */
    METRICS_HANDSHAKE_BUCKET, /* one for each bound, not cumulative */
    METRICS_FAILED = METRICS_HANDSHAKE_BUCKET + METRICS_BUCKET_COUNT, /* by reason */
    METRICS_DENIED = METRICS_FAILED + REASON_COUNT,
    METRICS_CUT = METRICS_DENIED + REASON_COUNT,
    /* of a process, in its series without direction */
    METRICS_LOG_DROPPED = METRICS_CUT + REASON_COUNT,
    METRICS_RELOADS,
    METRICS_RELOADS_FAILED,
    METRICS_VALUES,
};

enum metrics_direction { METRICS_OUTBOUND, METRICS_INBOUND, METRICS_PROCESS };

struct metrics_series {
    _Atomic uint32_t is_set;
    uint32_t direction; /* enum metrics_direction */
    char service[METRICS_SERVICE_LEN];
    char rule[METRICS_RULE_LEN];
    _Atomic uint64_t values[METRICS_VALUES];
} __attribute__((aligned(64)));

/* One connection, as one process has it. */
struct metrics_open {
    struct record_count in, out;
    _Atomic uint32_t is_set;
    uint32_t series;
    uint16_t version;   /* 0x0304 */
    uint16_t cipher;    /* IANA number */
    int64_t started_us; /* CLOCK_MONOTONIC; with the addresses it tells sessions apart */
    int64_t opened_s;   /* CLOCK_REALTIME */
    struct sockaddr_in6 local, remote; /* or a sockaddr_in in its place */
    char peer[METRICS_PEER_LEN];
} __attribute__((aligned(64)));

struct metrics_identity {
    char name[METRICS_SERVICE_LEN];
    int64_t not_after; /* seconds since the epoch, as all times here */
    int64_t crl_this_update, crl_next_update; /* the oldest; 0 = no list */
};

struct metrics_live {
    _Atomic uint64_t magic; /* stored last */
    uint64_t layout;        /* METRICS_LAYOUT */
    int64_t pid;
    int64_t uid;
    int64_t started_s;
    char program[METRICS_PROGRAM_LEN];
    char command[METRICS_SERVICE_LEN]; /* the name that it was started by: command.h */
    char service[METRICS_SERVICE_LEN]; /* or the same as command */
    char version[32];                  /* of the library */
    /* A reader has a whole view when `ended` before is `begun` after. */
    _Atomic uint64_t begun, ended;
    _Atomic uint32_t series_end; /* none is set from here on */
    _Atomic uint32_t open_end;
    _Atomic int64_t loaded_s; /* when files were last read anew, and whether they were */
    _Atomic int64_t reload_s; /* good; 0 = not since the start */
    _Atomic int64_t reload_failed;
    _Atomic int64_t policy_modified_s;
    _Atomic uint32_t identity_count;
    struct metrics_identity identities[METRICS_IDENTITIES_MAX];
    struct metrics_series series[METRICS_SERIES_MAX];
    struct metrics_open open[METRICS_OPEN_MAX];
};

struct metrics_ended {
    uint64_t magic;
    uint64_t layout;
    uint32_t series_count;
    struct metrics_series series[METRICS_ENDED_SERIES_MAX];
};

/* Another version of the library counts other things: what differs in it is not read. */
#define METRICS_LAYOUT                                                                   \
    ((uint64_t)sizeof(struct metrics_live) << 32 | (uint64_t)METRICS_VALUES << 16 |      \
     (uint64_t)REASON_COUNT << 8 | 1)

_Static_assert(sizeof(struct metrics_open) == 384, "shared with other processes");
_Static_assert(sizeof(struct record_count) == 64, "one cache line for each direction");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "counters in a file need no lock");

#endif
