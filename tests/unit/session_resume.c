/* What tickets rest on: their keys and seals, the chains that servers keep, and the
 * sessions that clients keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shim/session/chain_store.h"
#include "shim/session/resume_cache.h"
#include "shim/session/ticket.h"

enum { TEXT_LEN = 108, RECORD_LEN = 16384 };

static const uint8_t here[TICKET_BINDING_LEN] = "here";
static const uint8_t elsewhere[TICKET_BINDING_LEN] = "elsewhere";

struct sealed {
    uint8_t name[TICKET_KEY_NAME_LEN], iv[TICKET_IV_LEN], mac[TICKET_MAC_LEN];
    uint8_t text[TEXT_LEN + TICKET_TAIL_LEN];
};

static struct ticket
ticket_of(struct sealed *sealed, size_t len)
{
    return (struct ticket){sealed->name, sealed->iv, sealed->mac, sealed->text, len};
}

static void
seal(struct sealed *sealed, int64_t now_s)
{
    struct ticket_owner owner = {.chain_id = "somebody", .authenticated_s = now_s};
    struct ticket ticket = ticket_of(sealed, TEXT_LEN);
    memset(sealed->text, 's', TEXT_LEN);
    assert_int_equal(ticket_seal(here, &owner, now_s, &ticket), 0);
    assert_int_equal(ticket.len, TEXT_LEN + TICKET_TAIL_LEN);
}

static int
unseal(const struct sealed *sealed, const uint8_t *binding, int64_t now_s, size_t len)
{
    struct sealed copy = *sealed;
    struct ticket_owner owner;
    struct ticket ticket = ticket_of(&copy, len);
    int result = ticket_open(binding, now_s, &ticket, &owner);
    if (result == 0) {
        assert_int_equal(ticket.len, TEXT_LEN);
        assert_string_equal((const char *)owner.chain_id, "somebody");
        assert_int_equal(copy.text[0], 's');
    }
    return result;
}

static void
opens_where_it_was_sealed(void **state)
{
    (void)state;
    struct sealed sealed;
    seal(&sealed, 1000);
    assert_int_equal(unseal(&sealed, here, 1000, sizeof(sealed.text)), 0);
    assert_true(unseal(&sealed, elsewhere, 1000, sizeof(sealed.text)) < 0);
    for (size_t len = 0; len < sizeof(sealed.text); len++) {
        assert_true(unseal(&sealed, here, 1000, len) < 0);
    }
    for (size_t i = 0; i < sizeof(sealed); i++) {
        struct sealed changed = sealed;
        bool counts =
            (i < offsetof(struct sealed, iv) + 12 || i >= offsetof(struct sealed, mac)) &&
            (i < offsetof(struct sealed, mac) + 16 || i >= offsetof(struct sealed, text));
        ((uint8_t *)&changed)[i] ^= 0x10;
        assert_int_equal(unseal(&changed, here, 1000, sizeof(sealed.text)) < 0, counts);
    }
}

static void
keys_are_replaced_and_kept_for_as_long_as_tickets_live(void **state)
{
    (void)state;
    struct sealed first;
    struct sealed second;
    const int64_t period = TICKET_KEY_PERIOD_S;
    const int64_t start = 10 * period;
    seal(&first, start);
    seal(&second, start + period - 1);
    assert_memory_equal(first.name, second.name, sizeof(first.name));
    assert_memory_not_equal(first.iv, second.iv, 12);
    assert_int_equal(unseal(&first, here, start + period - 1, sizeof(first.text)), 0);
    assert_true(unseal(&first, here, start + period, sizeof(first.text)) < 0);
    seal(&first, start + period);
    assert_memory_not_equal(first.name, second.name, sizeof(first.name));
    assert_int_equal(unseal(&second, here, start + 2 * period - 2, sizeof(first.text)),
                     0);
    assert_true(unseal(&second, here, start + 2 * period - 1, sizeof(first.text)) < 0);
    /* Two keys later the first one is gone, whatever the time. */
    seal(&first, start + 2 * period);
    seal(&first, start + 3 * period);
    assert_true(unseal(&second, here, start + period, sizeof(first.text)) < 0);
}

static void
a_child_has_the_same_keys(void **state)
{
    (void)state;
    struct sealed sealed;
    seal(&sealed, 1000000);
    pid_t child = fork();
    if (child == 0) {
        _exit(unseal(&sealed, here, 1000000, sizeof(sealed.text)) == 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* ---- chains ------------------------------------------------------------------------ */

static struct chain *
chain_of(int number, size_t len)
{
    static uint8_t bytes[CHAIN_FLAT_MAX];
    memset(bytes, 'c', len);
    memcpy(bytes, &number, sizeof(number));
    struct chain *chain = chain_intern(&(struct der_span){bytes, len}, 1);
    assert_non_null(chain);
    return chain;
}

static void
has(const struct chain *chain, const char *letters, int path_count)
{
    assert_int_equal(chain_count(chain), strlen(letters));
    assert_int_equal(chain_path_count(chain), path_count);
    for (int i = 0; letters[i] != '\0'; i++) {
        assert_int_equal(chain_at(chain, i).at[0], letters[i]);
    }
}

/* The path comes first and is told apart, also where the flat form went. */
static void
the_path_comes_first(void **state)
{
    static const struct {
        struct chain_path path;
        const char *letters;
    } rows[] = {
        {{{0}, 1}, "abcd"},          {{{0, 2}, 2}, "acbd"},
        {{{0, 3, 1}, 3}, "adbc"},    {{{0, 3, 2, 1}, 4}, "adcb"},
        {{{0, 1, 2, 3}, 4}, "abcd"},
    };
    const struct der_span shown[] = {{(const uint8_t *)"a", 1},
                                     {(const uint8_t *)"bb", 2},
                                     {(const uint8_t *)"ccc", 3},
                                     {(const uint8_t *)"d", 1}};
    struct chain *chain = chain_intern(shown, 4);
    (void)state;
    has(chain, "abcd", 4);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct chain *ordered = chain_order(chain, &rows[i].path);
        has(ordered, rows[i].letters, rows[i].path.count);
        struct chain *same = chain_parse(chain_flat(ordered).at, chain_flat(ordered).len);
        assert_ptr_equal(same, ordered);
        chain_unref(same);
        chain_unref(ordered);
    }
    chain_unref(chain);
}

/* In memory that others write. */
static void
a_flat_form_may_be_anything(void **state)
{
    static const struct {
        uint8_t bytes[12];
        size_t len;
        bool good;
    } rows[] = {
        {{1, 0, 0, 1, 'a'}, 5, true},
        {{2, 0, 0, 1, 'a', 0, 0, 1, 'b'}, 9, true},
        {{1, 0, 0, 1, 'a', 0, 0, 1, 'b'}, 9, true},
        {{0}, 0, false},
        {{1}, 1, false},
        {{0, 0, 0, 1, 'a'}, 5, false}, /* no path */
        {{2, 0, 0, 1, 'a'}, 5, false}, /* longer than the chain */
        {{255, 0, 0, 1, 'a'}, 5, false},
        {{1, 0, 0, 2, 'a'}, 5, false}, /* cut */
        {{1, 0, 0, 0}, 4, false},      /* an empty one */
        {{1, 0, 0, 1, 'a', 0}, 6, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct chain *chain = chain_parse(rows[i].bytes, rows[i].len);
        assert_int_equal(chain != NULL, rows[i].good);
        chain_unref(chain);
    }
}

static bool
store_has(int number)
{
    struct chain *wanted = chain_of(number, 100);
    uint8_t id[CHAIN_ID_LEN];
    memcpy(id, chain_id(wanted), sizeof(id));
    chain_unref(wanted);
    struct chain *found = chain_store_get(id);
    chain_unref(found);
    return found != NULL;
}

static void
store_put(int number)
{
    struct chain *chain = chain_of(number, 100);
    assert_true(chain_store_put(chain));
    chain_unref(chain);
}

static void
the_chain_that_nobody_asks_for_makes_room(void **state)
{
    (void)state;
    for (int i = 0; i < CHAIN_STORE_COUNT; i++) {
        store_put(i);
    }
    assert_true(store_has(0));
    assert_true(store_has(1)); /* and was asked for now */
    store_put(CHAIN_STORE_COUNT);
    assert_true(store_has(0));
    assert_true(store_has(1));
    assert_false(store_has(2));
    assert_true(store_has(CHAIN_STORE_COUNT));
    for (int i = 0; i < 3 * CHAIN_STORE_COUNT; i++) {
        store_put(1);
    }
    assert_true(store_has(0));
    struct chain *large = chain_of(1, CHAIN_STORE_FLAT_MAX);
    assert_false(chain_store_put(large));
    chain_unref(large);
}

static void
a_chain_of_a_child_is_there(void **state)
{
    (void)state;
    assert_false(store_has(100000));
    pid_t child = fork();
    if (child == 0) {
        store_put(100000);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(store_has(100000));
}

/* ---- a client's sessions
 * --------------------------------------------------------------- */

/* A NewSessionTicket: lifetime 7200, age_add 7, nonce "n", the ticket, no extensions. */
static size_t
message_of(uint8_t *to, size_t nonce_len, size_t ticket_len)
{
    size_t at = 0;
    memcpy(to, "\0\0\x1c\x20\0\0\0\7", 8);
    at += 8;
    to[at++] = (uint8_t)nonce_len;
    memset(to + at, 'n', nonce_len);
    at += nonce_len;
    to[at++] = (uint8_t)(ticket_len >> 8);
    to[at++] = (uint8_t)ticket_len;
    memset(to + at, 't', ticket_len);
    at += ticket_len;
    to[at++] = 0;
    to[at++] = 0;
    return at;
}

static uint64_t
keep(int purpose)
{
    uint8_t key[RESUME_CACHE_KEY_LEN] = {0};
    struct resume_entry entry = {.session.version = 0x0304};
    memcpy(key, &purpose, sizeof(purpose));
    entry.chain = chain_of(purpose, 100);
    uint64_t number = resume_cache_put(key, &entry);
    assert_true(number != 0);
    return number;
}

static bool
take(int purpose, struct resume_entry *entry)
{
    uint8_t key[RESUME_CACHE_KEY_LEN] = {0};
    memcpy(key, &purpose, sizeof(purpose));
    if (!resume_cache_take(key, entry)) {
        return false;
    }
    chain_unref(entry->chain);
    return true;
}

static void
a_session_waits_for_its_ticket_and_is_used_once(void **state)
{
    (void)state;
    uint8_t message[RECORD_LEN];
    struct resume_entry entry;
    uint64_t number = keep(1);
    assert_false(take(1, &entry));
    resume_cache_fill(number + 1, message, message_of(message, 1, 200));
    assert_false(take(1, &entry));
    resume_cache_fill(number, message, message_of(message, 32, TICKET_LEN_MAX));
    resume_cache_fill(number, message, message_of(message, 1, 20)); /* the second one */
    assert_false(take(2, &entry));
    assert_true(take(1, &entry));
    assert_int_equal(entry.session.lifetime_s, 7200);
    assert_int_equal(entry.session.age_add, 7);
    assert_int_equal(entry.session.nonce_len, 32);
    assert_int_equal(entry.session.ticket_len, TICKET_LEN_MAX);
    assert_false(take(1, &entry));
    resume_cache_fill(number, message, message_of(message, 1, 200)); /* it is gone */
    assert_false(take(1, &entry));
}

static void
odd_tickets_are_left(void **state)
{
    (void)state;
    uint8_t message[RECORD_LEN];
    struct resume_entry entry;
    uint64_t number = keep(3);
    size_t len = message_of(message, 1, 200);
    for (size_t cut = 0; cut < len; cut++) {
        resume_cache_fill(number, message, cut);
    }
    resume_cache_fill(number, message, len + 1);
    resume_cache_fill(number, message, message_of(message, 33, 200));
    resume_cache_fill(number, message, message_of(message, 1, 0));
    resume_cache_fill(number, message, message_of(message, 1, TICKET_LEN_MAX + 1));
    assert_false(take(3, &entry));
    resume_cache_fill(number, message, message_of(message, 0, 200));
    assert_true(take(3, &entry));
}

static void
the_oldest_session_makes_room(void **state)
{
    (void)state;
    uint8_t message[RECORD_LEN];
    struct resume_entry entry;
    size_t len = message_of(message, 1, 200);
    int count = 0;
    for (int i = 0; i < 10000; i++) {
        resume_cache_fill(keep(10), message, len); /* one purpose has a share only */
    }
    for (int i = 0; i < RESUME_CACHE_COUNT - RESUME_CACHE_SAME_COUNT; i++) {
        resume_cache_fill(keep(100 + i), message, len);
    }
    assert_true(take(100, &entry));
    while (take(10, &entry)) {
        count++;
    }
    assert_int_equal(count, RESUME_CACHE_SAME_COUNT);
    for (int i = 0; i < RESUME_CACHE_COUNT; i++) {
        resume_cache_fill(keep(1000 + i), message, len);
    }
    assert_false(take(101, &entry));
    assert_true(take(1000, &entry));
}

static void
a_child_has_none(void **state)
{
    (void)state;
    uint8_t message[RECORD_LEN];
    struct resume_entry entry;
    resume_cache_fill(keep(5), message, message_of(message, 1, 200));
    pid_t child = fork();
    if (child == 0) {
        bool had = take(5, &entry);
        resume_cache_fill(keep(5), message, message_of(message, 1, 200));
        _exit(!had && take(5, &entry) ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(take(5, &entry));
    assert_false(take(5, &entry));
}

static int
start(void **state)
{
    (void)state;
    return ticket_key_init() == 0 && chain_store_init() == 0 ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_where_it_was_sealed),
        cmocka_unit_test(keys_are_replaced_and_kept_for_as_long_as_tickets_live),
        cmocka_unit_test(a_child_has_the_same_keys),
        cmocka_unit_test(the_path_comes_first),
        cmocka_unit_test(a_flat_form_may_be_anything),
        cmocka_unit_test(the_chain_that_nobody_asks_for_makes_room),
        cmocka_unit_test(a_chain_of_a_child_is_there),
        cmocka_unit_test(a_session_waits_for_its_ticket_and_is_used_once),
        cmocka_unit_test(odd_tickets_are_left),
        cmocka_unit_test(the_oldest_session_makes_room),
        cmocka_unit_test(a_child_has_none),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
