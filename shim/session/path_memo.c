#include "shim/session/path_memo.h"

#include <string.h>

enum { ID_WORDS = CHAIN_ID_LEN / 8, FROM = ID_WORDS, TO, IS_SERVER, PATH };

static struct path_memo_place *
place_of(struct path_memo *memo, const uint8_t *id)
{
    _Static_assert((PATH_MEMO_COUNT & (PATH_MEMO_COUNT - 1)) == 0 &&
                       PATH_MEMO_COUNT <= 256 && PATH + 1 == PATH_MEMO_WORDS,
                   "one byte of the id chooses");
    return &memo->places[id[0] & (PATH_MEMO_COUNT - 1)];
}

/* Four bits a position, behind as many for their count. */
static uint64_t
pack(const struct chain_path *path)
{
    _Static_assert(CHAIN_COUNT_MAX <= 15, "positions and their count fit");
    uint64_t word = 0;
    for (int i = path->count - 1; i >= 0; i--) {
        word = word << 4 | path->at[i];
    }
    return word << 4 | (uint64_t)path->count;
}

static void
unpack(uint64_t word, struct chain_path *path)
{
    path->count = (int)(word & 15);
    for (int i = 0; i < path->count; i++) {
        word >>= 4;
        path->at[i] = word & 15;
    }
}

void
path_memo_keep(struct path_memo *memo, const uint8_t id[CHAIN_ID_LEN], bool is_server,
               const struct chain_path *path, int64_t from_s, int64_t to_s)
{
    struct path_memo_place *place = place_of(memo, id);
    uint64_t words[PATH_MEMO_WORDS];
    memcpy(words, id, CHAIN_ID_LEN);
    words[FROM] = (uint64_t)from_s;
    words[TO] = (uint64_t)to_s;
    words[IS_SERVER] = is_server;
    words[PATH] = pack(path);
    uint32_t turn = atomic_load(&place->turn);
    if ((turn & 1) != 0 ||
        !atomic_compare_exchange_strong(&place->turn, &turn, turn + 1)) {
        return; /* another thread keeps something here at this moment */
    }
    for (int i = 0; i < PATH_MEMO_WORDS; i++) {
        atomic_store(&place->words[i], words[i]);
    }
    atomic_store(&place->turn, turn + 2);
}

bool
path_memo_has(struct path_memo *memo, const uint8_t id[CHAIN_ID_LEN], bool is_server,
              int64_t now_s, struct chain_path *path)
{
    struct path_memo_place *place = place_of(memo, id);
    uint64_t words[PATH_MEMO_WORDS];
    uint32_t turn = atomic_load(&place->turn);
    for (int i = 0; i < PATH_MEMO_WORDS; i++) {
        words[i] = atomic_load(&place->words[i]);
    }
    bool has = turn != 0 && (turn & 1) == 0 && atomic_load(&place->turn) == turn &&
               memcmp(words, id, CHAIN_ID_LEN) == 0 && words[IS_SERVER] == is_server &&
               (int64_t)words[FROM] <= now_s && now_s <= (int64_t)words[TO];
    if (has) {
        unpack(words[PATH], path);
    }
    return has;
}
