/*
 * The audit log: one JSON object a line, one write a line.
 *
 * Writing never blocks the program and never fails it: what cannot be written is
 * counted, and the count is told by the next line that gets through ("dropped").
 */
#ifndef SHIM_SESSION_AUDIT_H
#define SHIM_SESSION_AUDIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "config/policy.h"
#include "shim/session/peer.h"
#include "shim/session/reason.h"

enum audit_event {
    AUDIT_POLICY_LOADED,
    AUDIT_HANDSHAKE_OK,
    AUDIT_HANDSHAKE_FAILED,
    AUDIT_DENIED,
    AUDIT_PLAINTEXT,
    AUDIT_CLOSED,
    AUDIT_OBSERVED,
    AUDIT_WARNING,
    AUDIT_CUT,
    AUDIT_CERTIFICATE_RELOADED,
    AUDIT_TRUST_RELOADED,
    AUDIT_CRL_RELOADED,
    AUDIT_RELOAD_FAILED,
    AUDIT_CERTIFICATE_EXPIRING,
    AUDIT_EVENTS
};

/* The real system calls, so that the log never goes through our own wrappers. */
struct audit_io {
    int (*open)(const char *path, int flags, ...);
    ssize_t (*write)(int fd, const void *buf, size_t len);
    int (*socket)(int family, int type, int protocol);
    int (*connect)(int fd, const struct sockaddr *address, socklen_t len);
    int (*close)(int fd);
    int (*fcntl)(int fd, int command, ...);
};

/* Everything a line may say; NULL, empty, negative or AF_UNSPEC fields are left out. */
struct audit_record {
    enum audit_event event;
    const char *rule;
    const char *mode; /* the rule's, where something was left in plaintext */
    enum policy_direction direction;
    bool has_direction;
    const struct sockaddr *local, *remote;
    const char *dialled_name;
    const struct peer *peer;
    const char *version; /* "1.3" */
    const char *cipher;  /* IANA name */
    const char *group;
    int resumed;                   /* -1 = unknown */
    int64_t duration_ms;           /* -1 = none */
    int64_t handshake_us;          /* for metrics; the log has milliseconds */
    int64_t bytes_in, bytes_out;   /* -1 = none */
    const struct failure *failure; /* gives reason and detail */
    const char *identity;
    const char *own_serial;
    const char *detail; /* words when there is no failure */
};
#define AUDIT_RECORD_INIT                                                                \
    {                                                                                    \
        .resumed = -1, .duration_ms = -1, .bytes_in = -1, .bytes_out = -1                \
    }

/*
 * Opens the log as the policy says. MTLS_SHIM_LOG and MTLS_SHIM_LOG_LEVEL, when set,
 * come before the policy's log and log_level ("none", "stderr", "syslog", "journald" or a
 * path).
 * The log's fd goes through table_raise(): as high as RLIMIT_NOFILE allows,
 * close-on-exec, and table_owned() knows it.  Called again, it replaces the log.
 *
 *   program, service  in  kept (must live on)
 *
 * Returns  0, or -errno when the log cannot be opened, -EINVAL for an unknown level;
 *          nothing is logged then.
 * Safe     not while other threads write.
 */
int audit_open(const struct policy *policy, const char *program, const char *service,
               const struct audit_io *io);

/*
 * Writes one line when the level lets it through, and log_rate: what strangers can cause
 * is limited, and the next line of the event tells how many were left out.
 *
 * Safe     threads; after fork in the child; leaves errno alone; no allocation.
 */
void audit_write(const struct audit_record *record);

/* Writes a warning that is about the process alone. words are in the detail. */
void audit_warn(const char *words);

/*
 * Tells how many lines of each event were left out, where no line of it has come since.
 *
 *   is_end  in  of this process: nothing will come, else there has to be calm
 *
 * Safe     as audit_write().
 */
void audit_flush(bool is_end);

#endif
