/*
 * The policy: an INI file, validated and turned into one immutable struct.
 *
 * config/ depends on nothing in shim/; it knows sockets' addresses and strings.
 */
#ifndef CONFIG_POLICY_H
#define CONFIG_POLICY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#define POLICY_DEFAULT_PATH "/etc/mtls-shim/policy.ini"
#define POLICY_EXIT_CONFIG 78 /* EX_CONFIG of sysexits.h */

enum policy_direction { POLICY_OUTBOUND, POLICY_INBOUND };

enum policy_mode {
    POLICY_MODE_DENY, /* zero: what is forgotten is refused */
    POLICY_MODE_MTLS,
    POLICY_MODE_PLAINTEXT,
    POLICY_MODE_OBSERVE,
    POLICY_MODE_PERMISSIVE,
};

enum policy_verify { POLICY_VERIFY_NAME, POLICY_VERIFY_IDENTITY, POLICY_VERIFY_CHAIN };

enum policy_peer_kind {
    POLICY_PEER_DNS,
    POLICY_PEER_URI,
    POLICY_PEER_CN,
    POLICY_PEER_OU,
    POLICY_PEER_O,
    POLICY_PEER_ISSUER, /* glob for the issuer as RFC 4514 writes it */
    POLICY_PEER_SHA256, /* lower-case hex of the certificate's SHA-256, no colons */
    POLICY_PEER_SPKI,   /* likewise of its SubjectPublicKeyInfo */
    POLICY_PEER_SERIAL, /* lower-case hex, no colons, no leading zeros */
};

/* One entry of allow or deny; text is normalised as the kind says. */
struct policy_peer {
    enum policy_peer_kind kind;
    const char *text;
};

/* Where a log goes. */
enum policy_log {
    POLICY_LOG_NONE,
    POLICY_LOG_FILE,
    POLICY_LOG_STDERR,
    POLICY_LOG_SYSLOG,
    POLICY_LOG_JOURNALD
};
enum policy_log_level {
    POLICY_LEVEL_ERROR,
    POLICY_LEVEL_WARNING,
    POLICY_LEVEL_INFO,
    POLICY_LEVEL_DEBUG,
};

/* Whether peers must prove with OCSP that their certificates were not revoked. */
enum policy_ocsp {
    POLICY_OCSP_OFF,
    POLICY_OCSP_SOFT,    /* asks; only a clear "revoked" refuses */
    POLICY_OCSP_REQUIRE, /* a good answer, stapled or fetched */
    POLICY_OCSP_STAPLE,  /* a server has to staple it; clients, who cannot: as require */
};

struct policy_identity {
    const char *name;
    int line;
    const char *certificate; /* absolute paths from here on */
    const char *private_key;
    const char *pkcs12;          /* instead of the two; NULL = absent, as they are then */
    const char *passphrase_file; /* NULL = absent */
    const char *trust;
    const char *crl;      /* NULL = nobody asks whether a certificate was revoked */
    int certificate_line; /* where each of them is set: problems name it */
    int private_key_line;
    int pkcs12_line;
    int passphrase_file_line;
    int trust_line;
    int crl_line;
    bool expired_crl_is_insecurely_used; /* crl_expired = warn */
    enum policy_ocsp ocsp;
    const char *ocsp_responder; /* http://...; NULL = the one that a certificate names */
    int64_t ocsp_timeout_ms;
    uint16_t min_version; /* 0x0303 (TLS 1.2) or 0x0304 (TLS 1.3) */
    uint16_t max_version;
    bool session_tickets;       /* session_tickets = on */
    const char *const *ciphers; /* IANA names in order, NULL-terminated; NULL = default */
    /* IANA's names of what peers may sign with; NULL = default */
    const char *const *signature_algorithms;
    const char *const *groups; /* names of the TLS groups in order; NULL = default */
    unsigned index;            /* position in policy->identities */
};

struct policy_rule {
    const char *name; /* "default" for the synthetic last rules */
    int line;         /* 0 for the synthetic rules */
    enum policy_direction direction;
    enum policy_mode mode;
    const struct policy_identity *identity; /* NULL unless the mode needs one */
    const char *peer_name;                  /* NULL: the name dialled, else the IP */
    enum policy_verify verify;
    const struct policy_peer *allow;
    size_t allow_count; /* 0 inbound: whoever the trust store vouches for */
    const struct policy_peer *deny;
    size_t deny_count;
    bool truncation_is_eof; /* truncation = eof */
    int64_t permissive_wait_ms;
    const void *conditions; /* private to config/ */
};

struct policy {
    const char *path; /* as it was given */
    const char *absolute_path;
    enum policy_log log;
    const char *log_path;
    enum policy_log_level log_level;
    int64_t log_rate; /* lines a second of what strangers can cause; 0 = no limit */
    const char *metrics_dir; /* NULL = nobody counts */
    int64_t handshake_timeout_ms;
    int64_t connect_wait_ms;
    bool recheck; /* open connections are judged again by what is new */
    bool expired_sessions_are_cut;
    int64_t expiry_warning_ms; /* before the end of our own certificates; 0 = never */
    const struct policy_identity *identities;
    size_t identity_count;
    const struct policy_rule *rules; /* file order */
    size_t rule_count;
    struct policy_rule default_inbound;
    struct policy_rule default_outbound;
    void *storage; /* private to config/ */
};

/* What there is to do about a problem depends on this, where it is not OTHER. */
enum policy_cause {
    POLICY_CAUSE_OTHER,
    POLICY_CAUSE_EXPIRED, /* a certificate has ended, or none of a CA holds */
    POLICY_CAUSE_EARLY,   /* a certificate is not valid yet */
};

struct policy_problem {
    const char *path; /* of the policy */
    int line;         /* 0 where no line is to blame */
    const char *text; /* holds no newline */
    enum policy_cause cause;
};

/* A sink for problems. */
struct policy_report {
    void (*problem)(void *context, const struct policy_problem *problem);
    void *context;
    int count; /* problems reported so far */
};

/*
 * Reads, validates and freezes a policy file; every problem is reported, not only
 * the first one.  Files that it names are opened only by material_load().
 *
 *   path    in      the policy file
 *   report  in/out  gets "file:line: message" material for every problem
 *
 * Returns  the policy, freed by policy_free(); NULL when there was any problem.
 * Safe     allocates; not for signal handlers.
 */
struct policy *policy_load(const char *path, struct policy_report *report);
void policy_free(struct policy *policy);

/* Prints each problem as "path:line: text" to the FILE in report->context. */
void policy_report_to_file(void *context, const struct policy_problem *problem);

/* What a connection is known by when a rule is looked for. */
struct policy_query {
    enum policy_direction direction;
    const char *service; /* MTLS_SHIM_SERVICE; NULL = unset */
    const char *program; /* /proc/self/exe's target */
    const char *user;    /* name of the effective user; NULL = unknown */
    const char *uid;     /* its number in decimal; NULL = geteuid() */
    /* NULL = unknown; AF_UNSPEC in a sockaddr_in = only the port is known */
    const struct sockaddr *local;  /* unknown outbound, before connect */
    const struct sockaddr *remote; /* unknown for explain --inbound */
    const char *dialled_name;      /* the name the program resolved; NULL = an address */
};

/*
 * Finds the rule of a connection: the first in file order that matches, else the
 * default of the direction.  v4-mapped IPv6 addresses are matched as IPv4.
 *
 * Returns  a rule of this policy, never NULL.
 * Safe     async-signal-safe: allocates nothing, takes no lock, leaves errno alone.
 */
const struct policy_rule *policy_match(const struct policy *policy,
                                       const struct policy_query *query);

/*
 * Finds the rule of an outbound connection of which only the address is known: neither
 * who has made it nor by which name.  A rule that does not leave it in plaintext may be
 * about it if the address can be that of the rule's; one that does must be, whoever made
 * it.
 *
 * Returns  a rule of this policy, never NULL.
 * Safe     as policy_match().
 */
const struct policy_rule *policy_match_any(const struct policy *policy,
                                           const struct sockaddr *remote);

/*
 * Finds a rule by its direction and name, the first of several.
 *
 * Returns  NULL when there is none (the defaults have no name).
 * Safe     async-signal-safe.
 */
const struct policy_rule *policy_rule_named(const struct policy *policy,
                                            enum policy_direction direction,
                                            const char *name);

/* Whether the remote of some rule speaks of this host's name.  Safe: async-signal-safe.
 */
bool policy_mentions(const struct policy *policy, const char *name);

/*
 * Whether any connection of this direction could need more than plaintext; lets the
 * wrappers skip all work for a direction that is plaintext throughout.
 */
bool policy_direction_is_plaintext(const struct policy *policy,
                                   enum policy_direction direction);

/*
 * Says for each rule of the direction whether it matches and, if not, which condition
 * does not, and marks the winner (mtlsctl explain).
 *
 * Returns  the winning rule.
 */
const struct policy_rule *policy_explain(const struct policy *policy,
                                         const struct policy_query *query, FILE *out);

const char *policy_mode_name(enum policy_mode mode);
const char *policy_peer_kind_name(enum policy_peer_kind kind);

/* Glob over the whole text: '*' any run, '?' any one character. Async-signal-safe. */
bool policy_glob(const char *pattern, const char *text);

#endif
