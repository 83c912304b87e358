#include "shim/interpose/environment.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/interpose/library.h"
#include "shim/interpose/unconnected.h"

#define PRELOAD "LD_PRELOAD"
#define ENVIRONMENT_LOADED "MTLS_SHIM_LOADED"

/* Each as "NAME=value" once remembered; NULL = this process had none. */
static struct {
    const char *name;
    char *line;
} kept[] = {
    {PRELOAD, NULL},
    {"MTLS_SHIM", NULL},
    {"MTLS_SHIM_POLICY", NULL},
    {"MTLS_SHIM_SERVICE", NULL},
    {"MTLS_SHIM_LOG", NULL},
    {"MTLS_SHIM_LOG_LEVEL", NULL},
    {ENVIRONMENT_LOADED, NULL},
};
#define KEPT_COUNT (sizeof(kept) / sizeof(kept[0]))

static const char *own; /* our own file */

static char *
make_line(const char *name, const char *value)
{
    char *line = NULL;
    return asprintf(&line, "%s=%s", name, value) < 0 ? NULL : line;
}

static bool
is(const char *line, const char *name)
{
    size_t len = strlen(name);
    return strncmp(line, name, len) == 0 && line[len] == '=';
}

static int
find(char *const env[], const char *name)
{
    for (int i = 0; env != NULL && env[i] != NULL; i++) {
        if (is(env[i], name)) {
            return i;
        }
    }
    return -1;
}

const char *
environment_get(const char *name)
{
    int at = find(environ, name);
    return at >= 0 ? environ[at] + strlen(name) + 1 : NULL;
}

/*
 * By libc's own setenv() and unsetenv(), also where a program has others: this is what
 * main() is given, what libc hands to children and where other libraries look.
 */
static void
set(const char *name, const char *value)
{
    int (*by_libc)(const char *name, const char *value, int overwrite) = NULL;
    *(void **)&by_libc = dlsym(RTLD_NEXT, "setenv");
    if (by_libc != NULL) {
        (void)by_libc(name, value, 1);
    }
}

static void
unset(const char *name)
{
    int (*by_libc)(const char *name) = NULL;
    *(void **)&by_libc = dlsym(RTLD_NEXT, "unsetenv");
    if (by_libc != NULL) {
        (void)by_libc(name);
    }
}

static bool was_loaded; /* as it was when we came */
static bool is_remembered;

bool
environment_was_loaded(void)
{
    return is_remembered ? was_loaded : environment_get(ENVIRONMENT_LOADED) != NULL;
}

void
environment_remember(void)
{
    was_loaded = environment_was_loaded();
    is_remembered = true;
    set(ENVIRONMENT_LOADED, "1");
    own = library_own();
    for (size_t i = 0; i < KEPT_COUNT; i++) {
        const char *value = environment_get(kept[i].name);
        kept[i].line = value != NULL ? make_line(kept[i].name, value) : NULL;
    }
}

/* Whether LD_PRELOAD is there but without us; an absent one is lacking anyway. */
static bool
lost_library(char *const env[])
{
    int at = find(env, PRELOAD);
    return at >= 0 && own != NULL && strstr(env[at], own) == NULL;
}

bool
environment_is_off(char *const env[])
{
    int at = find(env, "MTLS_SHIM");
    return at >= 0 && strcmp(env[at], "MTLS_SHIM=off") == 0;
}

bool
environment_has_library(void)
{
    int errno_before = errno;
    bool gone = kept[0].line != NULL && own != NULL && access(own, R_OK) != 0 &&
                (errno == ENOENT || errno == ENOTDIR || errno == EACCES);
    errno = errno_before;
    return !gone;
}

static bool
lacks(char *const env[], size_t i)
{
    return kept[i].line != NULL && find(env, kept[i].name) < 0;
}

/* A line of LD_PRELOAD with another library in the place of our own, if that is there. */
static char *
put_library(const char *line, const char *library)
{
    const char *at = own != NULL ? strstr(line, own) : NULL;
    char *changed = NULL;
    if (at == NULL) {
        return NULL;
    }
    return asprintf(&changed, "%.*s%s%s", (int)(at - line), line, library,
                    at + strlen(own)) < 0
               ? NULL
               : changed;
}

/* What the program has taken out comes back, and stays: when libc has made the child's
 * copy nobody tells. */
static void
complete_own(void)
{
    for (size_t i = 0; i < KEPT_COUNT; i++) {
        if (lacks(environ, i) ||
            (i == 0 && kept[0].line != NULL && lost_library(environ))) {
            set(kept[i].name, kept[i].line + strlen(kept[i].name) + 1);
        }
    }
}

void
environment_keep_own(const char *library)
{
    char line[UNCONNECTED_LINE_LEN];
    complete_own();
    if (unconnected_tell(line) > 0) {
        set(UNCONNECTED_NAME, line + sizeof(UNCONNECTED_NAME));
    }
    if (library[0] != '\0' && kept[0].line != NULL) {
        char *changed = put_library(kept[0].line, library);
        set(PRELOAD, changed != NULL ? changed + sizeof(PRELOAD) : library);
        free(changed);
    }
}

void
environment_have_own(const char *library)
{
    const char *now = environment_get(PRELOAD);
    if (library[0] != '\0' && kept[0].line != NULL && now != NULL &&
        strstr(now, library) != NULL) {
        set(PRELOAD, kept[0].line + sizeof(PRELOAD));
    }
}

char **
environment_keep(char *const env[], const char *library)
{
    char told[UNCONNECTED_LINE_LEN];
    size_t told_len = unconnected_tell(told);
    size_t count = 0;
    size_t missing = 0;
    bool lost = lost_library(env);
    if (kept[0].line == NULL) {
        return NULL; /* not loaded by LD_PRELOAD: then not by us either */
    }
    for (size_t i = 0; i < KEPT_COUNT; i++) {
        missing += lacks(env, i);
    }
    while (env != NULL && env[count] != NULL) {
        count++;
    }
    /* What else was to be preloaded gives way: our own line had it, if it was ours. */
    int at = find(env, PRELOAD);
    char *preload = at < 0 || lost ? kept[0].line : env[at];
    char *changed = library[0] != '\0' ? put_library(preload, library) : NULL;
    size_t changed_len = changed != NULL ? strlen(changed) + 1 : 0;
    bool complete = missing == 0 && !lost && told_len == 0 && changed == NULL;
    size_t lines = count + missing + 2;
    char **whole =
        complete ? NULL : malloc(lines * sizeof(*whole) + told_len + 1 + changed_len);
    if (whole == NULL) {
        free(changed);
        return NULL;
    }
    size_t used = 0;
    char *text = (char *)(whole + lines);
    if (changed != NULL) {
        preload = memcpy(text, changed, changed_len);
        text += changed_len;
        free(changed);
    }
    if (told_len > 0) {
        whole[used++] = memcpy(text, told, told_len + 1);
    }
    for (size_t i = 0; i < count; i++) {
        if (told_len > 0 && is(env[i], UNCONNECTED_NAME)) {
            continue;
        }
        whole[used++] = is(env[i], PRELOAD) ? preload : env[i];
    }
    for (size_t i = 0; i < KEPT_COUNT; i++) {
        if (lacks(env, i)) {
            whole[used++] = i == 0 ? preload : kept[i].line;
        }
    }
    whole[used] = NULL;
    return whole;
}

/*
 * The URI of "DNS:a, URI:spiffe://b, IP:c"; a comma inside one is escaped.  Of several
 * none is who the peer is (X509-SVID section 2), and a text that was cut may lack one.
 */
static void
only_uri(const char *san, char uri[PEER_SAN_LEN])
{
    static const char mark[] = "URI:";
    const char *start = NULL;
    size_t len = 0;
    for (const char *name = san; name != NULL;) {
        const char *end = strstr(name, ", ");
        if (strncmp(name, mark, strlen(mark)) == 0) {
            if (start != NULL) {
                return;
            }
            start = name + strlen(mark);
            len = end != NULL ? (size_t)(end - start) : strlen(start);
        }
        name = end != NULL ? end + 2 : NULL;
    }
    size_t san_len = strlen(san);
    bool is_cut = san_len >= 3 && strcmp(san + san_len - 3, "...") == 0;
    if (start != NULL && !is_cut) {
        memcpy(uri, start, len);
        uri[len] = '\0';
    }
}

void
environment_set_peer(const struct peer *peer)
{
    char uri[PEER_SAN_LEN] = "";
    if (peer != NULL) {
        only_uri(peer->san, uri);
    }
    const struct {
        const char *name;
        const char *value;
    } told[] = {
        {"MTLS_PEER_SUBJECT", peer != NULL ? peer->subject : ""},
        {"MTLS_PEER_URI", uri},
        {"MTLS_PEER_SHA256", peer != NULL ? peer->sha256 : ""},
    };
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        if (told[i].value[0] != '\0') {
            set(told[i].name, told[i].value);
        } else if (environment_get(told[i].name) != NULL) {
            unset(told[i].name);
        }
    }
}
