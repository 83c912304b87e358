#include "shim/session/ticket.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/memory.h>

#include "shim/record/bytes.h"

enum { NONCE_LEN = 12, TAG_LEN = 16 };

/* In place: everything that can be sealed is sealed and opened by these. */
static int
with_key(const struct ticket_key *key, const uint8_t *binding, struct ticket *ticket,
         int (*work)(Aes *aes, const uint8_t *binding, struct ticket *ticket))
{
    Aes aes;
    int rc = wc_AesInit(&aes, NULL, INVALID_DEVID);
    if (rc == 0) {
        rc = wc_AesGcmSetKey(&aes, key->bytes, sizeof(key->bytes));
        if (rc == 0) {
            rc = work(&aes, binding, ticket);
        }
        wc_AesFree(&aes);
        wc_ForceZero(&aes, sizeof(aes));
    }
    return rc == 0 ? 0 : -EBADMSG;
}

static int
seal(Aes *aes, const uint8_t *binding, struct ticket *ticket)
{
    return wc_AesGcmEncrypt(aes, ticket->text, ticket->text, (word32)ticket->len,
                            ticket->iv, NONCE_LEN, ticket->mac, TAG_LEN, binding,
                            TICKET_BINDING_LEN);
}

static int
unseal(Aes *aes, const uint8_t *binding, struct ticket *ticket)
{
    return wc_AesGcmDecrypt(aes, ticket->text, ticket->text, (word32)ticket->len,
                            ticket->iv, NONCE_LEN, ticket->mac, TAG_LEN, binding,
                            TICKET_BINDING_LEN);
}

int
ticket_seal(const uint8_t binding[TICKET_BINDING_LEN], const struct ticket_owner *owner,
            int64_t now_s, struct ticket *ticket)
{
    struct ticket_key key;
    uint8_t *tail = ticket->text + ticket->len;
    int result = ticket_key_current(now_s, &key);
    if (result < 0) {
        return result;
    }
    memcpy(tail, owner->chain_id, CHAIN_ID_LEN);
    record_bytes_put64(tail + CHAIN_ID_LEN, (uint64_t)owner->authenticated_s);
    ticket->len += TICKET_TAIL_LEN;
    memcpy(ticket->name, key.name, TICKET_KEY_NAME_LEN);
    memset(ticket->iv, 0, TICKET_IV_LEN);
    memset(ticket->mac, 0, TICKET_MAC_LEN);
    /* At random: processes share the key, and no key gets near 2^32 tickets in its time
     * (NIST SP 800-38D, section 8.3). */
    result = getrandom(ticket->iv, NONCE_LEN, 0) == NONCE_LEN
                 ? with_key(&key, binding, ticket, seal)
                 : -EIO;
    wc_ForceZero(&key, sizeof(key));
    return result;
}

static int64_t
get64(const uint8_t *from)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value = value << 8 | from[i];
    }
    return (int64_t)value;
}

int
ticket_open(const uint8_t binding[TICKET_BINDING_LEN], int64_t now_s,
            struct ticket *ticket, struct ticket_owner *owner)
{
    struct ticket_key key;
    if (ticket->len < TICKET_TAIL_LEN) {
        return -EINVAL;
    }
    int result = ticket_key_find(ticket->name, now_s, &key);
    if (result == 0) {
        result = with_key(&key, binding, ticket, unseal);
        wc_ForceZero(&key, sizeof(key));
    }
    if (result < 0) {
        return result;
    }
    ticket->len -= TICKET_TAIL_LEN;
    const uint8_t *tail = ticket->text + ticket->len;
    memcpy(owner->chain_id, tail, CHAIN_ID_LEN);
    owner->authenticated_s = get64(tail + CHAIN_ID_LEN);
    return now_s < owner->authenticated_s + TICKET_KEY_PERIOD_S ? 0 : -EKEYEXPIRED;
}
