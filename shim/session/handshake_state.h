/*
 * What the files of the handshake share, and nobody else sees: handshake.c has the bytes,
 * handshake_verify.c who the peer is, handshake_refuse.c what went wrong,
 * handshake_keys.c what the record layer gets.
 */
#ifndef SHIM_SESSION_HANDSHAKE_STATE_H
#define SHIM_SESSION_HANDSHAKE_STATE_H

#include "shim/session/handshake.h"
#include "shim/session/hello.h"
#include "shim/session/resume.h"

/* wolfSSL's own, in the archive that we link: sends an alert of our choice. */
int SendAlert(WOLFSSL *ssl, int severity, int type);

enum { ALERT_FATAL = 2 };

struct handshake {
    WOLFSSL *ssl;
    struct session *session;
    struct ruling ruling; /* the reference is the owner's */
    struct failure failure;
    struct chain *chain; /* of the peer; NULL until it was shown */
    bool asked;          /* judge_chain() was; judged is its answer */
    int judged;
    bool vouched;              /* for the peer's own certificate */
    bool is_certificate_error; /* what wolfSSL has found is in a certificate */
    struct resume resume;
    uint64_t resume_number; /* client: of the session that is kept for later */
    bool is_done;           /* wolfSSL has nothing more to say */
    bool is_begun;
    struct admission admission;
    bool saw_record;
    struct hello hello; /* the peer's */
    struct der_span
        shown;         /* the record that wolfSSL may see, in the buffer or in hello */
    size_t shown_read; /* and has taken so much of */
    size_t in_len;     /* of what is in the buffer */
    size_t in_next;    /* where the next record begins there */
    size_t in_used;    /* is the handshake's, and to be taken out of the kernel */
    size_t in_taken;   /* has been; what follows was only peeked at */
    uint8_t *out;
    size_t out_start, out_len, out_size;
    uint8_t client_secret[48], server_secret[48];
    uint8_t flight_secret[48]; /* of what a TLS 1.3 server sends until its Finished */
    uint8_t in[HANDSHAKE_RECORD_MAX];
};

/*
 * wolfSSL's verify callback, in place of a trust store: whether the peer's certificate is
 * good, and the peer let in. Fills in the chain, the session's peer and the failure.
 *
 * Returns  1 go on; 0 end the handshake.
 */
int handshake_verify(int is_good, WOLFSSL_X509_STORE_CTX *store);

/* Who the peer is, where wolfSSL has shown nobody: a resumed session says it. Returns 0;
 * -EPROTO, with the failure. */
int handshake_accept_resumed(struct handshake *handshake);

/*
 * A record has come that belongs to the peer's first message. Once that is whole, looks
 * at it before wolfSSL does, for whom it then is one record.
 *
 * Returns  1 wolfSSL may see it; 0 more is to come; -EPROTO, with the failure and an
 * alert in the output.
 */
int handshake_take_hello(struct handshake *handshake);

/* Whether wolfSSL has chosen what the identity allows. Return 0; -EPROTO, with the
 * failure and an alert in the output. */
int handshake_check_group(struct handshake *handshake);
int handshake_check_signature(struct handshake *handshake);

/* What came is no record, says what. Returns -EPROTO, with the failure and an alert. */
int handshake_refuse_record(struct handshake *handshake, int alert, const char *what);

/*
 * Why wolfSSL has given up.
 *
 *   error  in  wolfSSL_get_error()
 *
 * Returns  -EPROTO, -EACCES or -ECONNRESET, with the failure; an alert is in the output
 *          unless the peer sent one.
 */
int handshake_explain(struct handshake *handshake, int error);

/* wolfSSL's callback for the secrets of TLS 1.3, which it gives out once. */
int handshake_keep_secret(WOLFSSL *ssl, int id, const unsigned char *secret, int len,
                          void *context);

/* The group of the key exchange, by its name in the policy; "" = none, or unknown. */
const char *handshake_group(const struct handshake *handshake);

#endif
