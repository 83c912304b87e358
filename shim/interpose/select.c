/* select(2) and pselect(2), as poll.c does it. */
#include "shim/interpose/ready.h"

#include <stdlib.h>
#include <string.h>

#include "shim/interpose/real.h"

enum { READS, WRITES, EXCEPTS, SETS };
#define WORD_BITS ((int)(8 * sizeof(fd_mask)))
/* Sets of more than FD_SETSIZE fds are legal with Linux, and are in use. */
#define ON_STACK_WORDS (16 * FD_SETSIZE / (8 * (int)sizeof(fd_mask)))

struct sets {
    int count;             /* of fds */
    size_t len;            /* bytes of one set */
    fd_mask *asked[SETS];  /* the program's; NULL = not asked for */
    fd_mask *answer[SETS]; /* ours to hand to the kernel */
};

static bool
has(const fd_mask *set, int fd)
{
    return set != NULL && (set[fd / WORD_BITS] >> (fd % WORD_BITS) & 1) != 0;
}

static void
take_out(fd_mask *set, int fd)
{
    set[fd / WORD_BITS] &= ~((fd_mask)1 << (fd % WORD_BITS));
}

static bool
any_governed(int count, fd_set *const sets[SETS])
{
    for (int fd = 0; fd < count; fd++) {
        if (table_governs(fd) &&
            (has((fd_mask *)sets[READS], fd) || has((fd_mask *)sets[WRITES], fd))) {
            return true;
        }
    }
    return false;
}

/* Asks for what the program asked for, but for writing where we have no room. */
static bool
ask(struct sets *sets)
{
    bool masked = false;
    for (int i = 0; i < SETS; i++) {
        if (sets->asked[i] != NULL) {
            memcpy(sets->answer[i], sets->asked[i], sets->len);
        }
    }
    for (int fd = 0; fd < sets->count; fd++) {
        if (has(sets->asked[WRITES], fd) && !ready_to_write(fd)) {
            take_out(sets->answer[WRITES], fd);
            masked = true;
        }
    }
    return masked;
}

static int
verify(struct sets *sets, int result)
{
    for (int fd = 0; fd < sets->count; fd++) {
        if (has(sets->asked[READS], fd) && has(sets->answer[READS], fd) &&
            !ready_to_read(fd)) {
            take_out(sets->answer[READS], fd);
            result--;
        }
    }
    return result;
}

static void
tell(const struct sets *sets)
{
    for (int i = 0; i < SETS; i++) {
        if (sets->asked[i] != NULL) {
            memcpy(sets->asked[i], sets->answer[i], sets->len);
        }
    }
}

static fd_set *
given(const struct sets *sets, int which)
{
    return sets->asked[which] != NULL ? (fd_set *)sets->answer[which] : NULL;
}

static void
await(const struct sets *sets)
{
    for (int fd = 0; fd < sets->count; fd++) {
        if (has(sets->asked[READS], fd) && table_shakes_hands(fd)) {
            ready_await(fd);
        }
    }
}

static int
wait_for_any(struct sets *sets, const struct ready_wait *wait, const sigset_t *signals)
{
    await(sets);
    for (;;) {
        struct timespec slice;
        bool masked = ask(sets);
        int result = real.pselect(sets->count, given(sets, READS), given(sets, WRITES),
                                  given(sets, EXCEPTS), ready_slice(wait, masked, &slice),
                                  signals);
        if (result < 0) {
            return result; /* the program's sets are left as they are: select(2) */
        }
        result = result > 0 ? verify(sets, result) : 0;
        if (result > 0 || ready_is_over(wait)) {
            tell(sets);
            return result;
        }
    }
}

static int
select_governed(int count, fd_set *const given_sets[SETS], const struct ready_wait *wait,
                const sigset_t *signals)
{
    fd_mask stack[SETS * ON_STACK_WORDS];
    int words = (count + WORD_BITS - 1) / WORD_BITS;
    fd_mask *space =
        words <= ON_STACK_WORDS ? stack : malloc((size_t)words * SETS * sizeof(fd_mask));
    if (space == NULL) {
        errno = ENOMEM;
        return -1;
    }
    struct sets sets = {.count = count, .len = (size_t)words * sizeof(fd_mask)};
    for (int i = 0; i < SETS; i++) {
        sets.asked[i] = (fd_mask *)given_sets[i];
        sets.answer[i] = space + (ptrdiff_t)i * words;
    }
    int result = wait_for_any(&sets, wait, signals);
    if (space != stack) {
        free(space);
    }
    return result;
}

INTERPOSE int
pselect(int count, fd_set *reads, fd_set *writes, fd_set *excepts,
        const struct timespec *timeout, const sigset_t *signals)
{
    real_need();
    fd_set *const sets[SETS] = {reads, writes, excepts};
    if (table_count == 0 || !any_governed(count, sets) || !ready_is_valid(timeout)) {
        return real.pselect(count, reads, writes, excepts, timeout, signals);
    }
    struct ready_wait wait = ready_wait_from(timeout);
    return select_governed(count, sets, &wait, signals);
}

INTERPOSE int
select(int count, fd_set *reads, fd_set *writes, fd_set *excepts, struct timeval *timeout)
{
    real_need();
    fd_set *const sets[SETS] = {reads, writes, excepts};
    if (table_count == 0 || !any_governed(count, sets) ||
        (timeout != NULL && (timeout->tv_sec < 0 || timeout->tv_usec < 0))) {
        return real.select(count, reads, writes, excepts, timeout);
    }
    struct timespec limit = {0, 0};
    if (timeout != NULL) {
        limit = (struct timespec){timeout->tv_sec + timeout->tv_usec / 1000000,
                                  timeout->tv_usec % 1000000 * 1000};
    }
    struct ready_wait wait = ready_wait_from(timeout != NULL ? &limit : NULL);
    int result = select_governed(count, sets, &wait, NULL);
    if (timeout != NULL) {
        struct timespec left = ready_left(&wait);
        *timeout = (struct timeval){left.tv_sec, left.tv_nsec / 1000};
    }
    return result;
}

INTERPOSE_GLIBC_ALIAS(__select, select);
