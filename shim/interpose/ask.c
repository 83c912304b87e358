#include "shim/interpose/ask.h"

#include <errno.h>
#include <string.h>

#include "shim/mtls_shim.h"
#include "shim/session/suite.h"

/* Programs rely on it. */
_Static_assert(PEER_SAN_LEN <= MTLS_SHIM_TEXT_MAX, "alternative names");
_Static_assert(PEER_SUBJECT_LEN <= MTLS_SHIM_TEXT_MAX, "subject");
_Static_assert(PEER_ISSUER_LEN <= MTLS_SHIM_TEXT_MAX, "issuer");
_Static_assert(SESSION_RULE_LEN <= MTLS_SHIM_TEXT_MAX, "rule");
_Static_assert((int)MTLS_SHIM_CONNECTING == (int)SESSION_CONNECTING &&
                   (int)MTLS_SHIM_HANDSHAKING == (int)SESSION_HANDSHAKING &&
                   (int)MTLS_SHIM_OPEN == (int)SESSION_OPEN &&
                   (int)MTLS_SHIM_FAILED == (int)SESSION_FAILED,
               "the states are ours");

static int
give(const void *answer, size_t answer_len, void *value, socklen_t *len)
{
    bool fits = *len >= answer_len;
    *len = (socklen_t)answer_len;
    if (!fits) {
        return -ERANGE; /* with the length, as SO_PEERSEC does it */
    }
    memcpy(value, answer, answer_len);
    return 0;
}

static const char *
cipher_name(const struct session *session)
{
    const struct suite *suite = suite_by_number(session->cipher);
    return suite != NULL ? suite->name : "";
}

/* NULL for an option that there is not. */
static const char *
text_of(const struct session *session, int name)
{
    switch (name) {
    case MTLS_SHIM_PEER_SUBJECT:
        return session->peer.subject;
    case MTLS_SHIM_PEER_SAN:
        return session->peer.san;
    case MTLS_SHIM_PEER_SHA256:
        return session->peer.sha256;
    case MTLS_SHIM_PEER_SERIAL:
        return session->peer.serial;
    case MTLS_SHIM_PEER_ISSUER:
        return session->peer.issuer;
    case MTLS_SHIM_TLS_VERSION:
        return session->version == 0x0304 ? "1.3" : "1.2";
    case MTLS_SHIM_CIPHER:
        return cipher_name(session);
    case MTLS_SHIM_RULE:
        return session->rule;
    default:
        return NULL;
    }
}

int
ask_option(struct handle *handle, int fd, int name, void *value, socklen_t *len)
{
    short events;
    if (value == NULL || len == NULL) {
        return -EFAULT;
    }
    int result = session_drive(handle, fd, &events); /* what has come may decide it */
    if (name == MTLS_SHIM_STATE) {
        int state = atomic_load(&handle->session->state);
        return give(&state, sizeof(state), value, len);
    }
    const char *text = text_of(handle->session, name);
    if (text == NULL) {
        return -ENOPROTOOPT;
    }
    /* The session knows of a peer before it is judged, and of one that was refused. */
    if (result < 0) {
        return result == -EAGAIN ? -EINPROGRESS : result;
    }
    return give(text, strlen(text) + 1, value, len);
}
