#include "shim/interpose/names.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shim/interpose/load.h"

enum {
    NAMES_COUNT = 256,  /* the last ones, whatever they are */
    RULED_COUNT = 4096, /* the last different ones that rules speak of */
    FORGOTTEN_BITS = 1 << 20,
};

struct entry {
    uint8_t address[16]; /* IPv6, or IPv4 mapped into it */
    pid_t thread;        /* 0 = the entry is empty */
    char name[SESSION_NAME_LEN];
};

static pthread_mutex_t names_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct entry entries[NAMES_COUNT];
static unsigned next;

/* Without these a program that resolves what others tell it to would soon have forgotten
 * which connections a rule for a name is about. */
static struct entry ruled[RULED_COUNT];
static unsigned next_ruled;

/* The addresses of those that are not even there any more, each a bit by its hash. */
static uint8_t forgotten[FORGOTTEN_BITS / 8];

static bool
flatten(const struct sockaddr *address, uint8_t flat[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (address->sa_family == AF_INET6) {
        memcpy(flat, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr,
               16);
        return true;
    }
    if (address->sa_family != AF_INET) {
        return false;
    }
    memcpy(flat, mapped, sizeof(mapped));
    memcpy(flat + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    return true;
}

static void
fill(struct entry *entry, const uint8_t flat[16], const char *name)
{
    memcpy(entry->address, flat, sizeof(entry->address));
    entry->thread = gettid();
    snprintf(entry->name, sizeof(entry->name), "%s", name);
}

static bool
is_ruled(const uint8_t flat[16], const char *name)
{
    for (unsigned i = 0; i < RULED_COUNT && i < next_ruled; i++) {
        if (memcmp(ruled[i].address, flat, sizeof(ruled[i].address)) == 0 &&
            strcmp(ruled[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static unsigned
bit_of(const uint8_t flat[16])
{
    uint64_t hash = 0xcbf29ce484222325U; /* FNV-1a */
    for (int i = 0; i < 16; i++) {
        hash = (hash ^ flat[i]) * 0x100000001b3U;
    }
    return (unsigned)(hash >> 40) % FORGOTTEN_BITS;
}

/* Under the lock. */
static void
note_ruled(const uint8_t flat[16], const char *name)
{
    struct entry *entry = &ruled[next_ruled % RULED_COUNT];
    if (next_ruled >= RULED_COUNT) {
        unsigned bit = bit_of(entry->address);
        forgotten[bit / 8] |= (uint8_t)(1U << bit % 8);
    }
    fill(entry, flat, name);
    next_ruled++;
}

void
names_note(const char *name, const struct sockaddr *address)
{
    GENERATION_SCOPE *generation = load_process()->is_on ? generation_acquire() : NULL;
    uint8_t flat[16];
    if (!flatten(address, flat) || (name != NULL && strlen(name) >= SESSION_NAME_LEN)) {
        return;
    }
    bool matters = name != NULL && generation != NULL &&
                   policy_mentions(generation_policy(generation), name);
    pthread_mutex_lock(&names_mutex);
    fill(&entries[next++ % NAMES_COUNT], flat, name != NULL ? name : "");
    if (matters && !is_ruled(flat, name)) {
        note_ruled(flat, name);
    }
    pthread_mutex_unlock(&names_mutex);
}

bool
names_ruled(const union session_address *address, unsigned *at,
            char name[SESSION_NAME_LEN])
{
    uint8_t flat[16];
    bool found = false;
    if (!flatten(&address->any, flat)) {
        return false;
    }
    pthread_mutex_lock(&names_mutex);
    while (!found && *at < RULED_COUNT && *at < next_ruled) {
        const struct entry *entry = &ruled[(*at)++];
        found = memcmp(entry->address, flat, sizeof(flat)) == 0;
        if (found) {
            memcpy(name, entry->name, SESSION_NAME_LEN);
        }
    }
    pthread_mutex_unlock(&names_mutex);
    return found;
}

bool
names_were_forgotten(const union session_address *address)
{
    uint8_t flat[16];
    if (!flatten(&address->any, flat)) {
        return false;
    }
    unsigned bit = bit_of(flat);
    pthread_mutex_lock(&names_mutex);
    bool were = (forgotten[bit / 8] & 1U << bit % 8) != 0;
    pthread_mutex_unlock(&names_mutex);
    return were;
}

bool
names_find(const union session_address *address, char name[SESSION_NAME_LEN])
{
    uint8_t flat[16];
    const struct entry *found = NULL;
    pid_t thread = gettid();
    if (!flatten(&address->any, flat)) {
        return false;
    }
    pthread_mutex_lock(&names_mutex);
    for (unsigned back = 1; back <= NAMES_COUNT; back++) {
        const struct entry *entry = &entries[(next - back) % NAMES_COUNT];
        if (entry->thread == 0 || memcmp(entry->address, flat, sizeof(flat)) != 0) {
            continue;
        }
        if (entry->thread == thread) {
            found = entry;
            break;
        }
        if (found == NULL) {
            found = entry;
        }
    }
    if (found != NULL) {
        memcpy(name, found->name, SESSION_NAME_LEN);
    }
    pthread_mutex_unlock(&names_mutex);
    return found != NULL && name[0] != '\0';
}

void
names_fork_child(void)
{
    names_mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}
