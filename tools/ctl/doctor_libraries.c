#include "tools/ctl/doctor_libraries.h"

#include "config/file.h"
#include "shim/target/library.h"
#include "tools/ctl/doctor_elf.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CACHE_PATH "/etc/ld.so.cache"

/* Of glibc's cache, sysdeps/generic/dl-cache.h. */
#define CACHE_MAGIC "glibc-ld.so.cache1.1"

struct cache_header {
    char magic[sizeof(CACHE_MAGIC) - 1];
    uint32_t count;
    uint32_t strings_len;
    uint32_t unused[5];
};

struct cache_entry {
    int32_t flags;
    uint32_t name; /* places of texts, from the header on */
    uint32_t path;
    uint32_t osversion;
    uint64_t hwcap;
};

/* Searching for one library. */
struct search {
    const char *name;
    const char *program;
    uint16_t machine; /* the result has to be for the program's */
    char *path;
    size_t size;
    const struct file *cache;
};

static uint16_t
machine_of(const char *path)
{
    ElfW(Ehdr) start = {.e_machine = EM_NONE};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd >= 0) {
        bool whole = pread(fd, &start, sizeof(start), 0) == (ssize_t)sizeof(start) &&
                     memcmp(start.e_ident, ELFMAG, SELFMAG) == 0;

        close(fd);
        return whole ? start.e_machine : EM_NONE;
    }
    return EM_NONE;
}

static bool
suits(const struct search *search)
{
    return access(search->path, F_OK) == 0 && machine_of(search->path) == search->machine;
}

/* ---- folders -------------------------------------------------------------------- */

/* Writes a folder of RPATH or RUNPATH with its tokens replaced; ld.so(8). */
static bool
expand(const char *folder, size_t len, const char *owner, char out[PATH_MAX])
{
    static const char *const tokens[] = {"$ORIGIN", "${ORIGIN}"};
    const char *slash = strrchr(owner, '/');
    int owner_len = slash != NULL ? (int)(slash - owner) : 0;

    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        size_t token_len = strlen(tokens[i]);

        if (len >= token_len && memcmp(folder, tokens[i], token_len) == 0) {
            return snprintf(out, PATH_MAX, "%.*s%.*s", owner_len, owner,
                            (int)(len - token_len), folder + token_len) < PATH_MAX;
        }
    }
    return memchr(folder, '$', len) == NULL &&
           snprintf(out, PATH_MAX, "%.*s", (int)len, folder) < PATH_MAX;
}

static bool
search_folders(const struct search *search, const char *folders, const char *owner)
{
    char folder[PATH_MAX];

    while (folders != NULL && *folders != '\0') {
        size_t len = strcspn(folders, ":;");

        if (len > 0 && expand(folders, len, owner, folder) &&
            (size_t)snprintf(search->path, search->size, "%s/%s", folder, search->name) <
                search->size &&
            suits(search)) {
            return true;
        }
        folders += len + (folders[len] != '\0');
    }
    return false;
}

/* ---- the cache ------------------------------------------------------------------ */

static const char *
cache_text(const uint8_t *start, size_t len, uint32_t at)
{
    return at < len && memchr(start + at, '\0', len - at) != NULL
               ? (const char *)start + at
               : "";
}

static bool
search_cache(const struct search *search)
{
    struct cache_header header;
    struct cache_entry entry;
    const uint8_t *start = search->cache->data != NULL
                               ? memmem(search->cache->data, search->cache->len,
                                        CACHE_MAGIC, sizeof(header.magic))
                               : NULL;
    size_t len;

    if (start == NULL) {
        return false;
    }
    len = search->cache->len - (size_t)(start - search->cache->data);
    if (len < sizeof(header)) {
        return false;
    }
    memcpy(&header, start, sizeof(header));
    for (size_t i = 0; i < header.count; i++) {
        size_t at = sizeof(header) + i * sizeof(entry);

        if (at > len - sizeof(entry)) {
            break;
        }
        memcpy(&entry, start + at, sizeof(entry));
        if (strcmp(cache_text(start, len, entry.name), search->name) == 0 &&
            (size_t)snprintf(search->path, search->size, "%s",
                             cache_text(start, len, entry.path)) < search->size &&
            suits(search)) {
            return true;
        }
    }
    return false;
}

/* musl's loader is its libc as well, and is in no cache. */
static bool
is_musl_itself(const char *program, const char *name)
{
    struct target_library self;

    return strcmp(name, "libc.so") == 0 &&
           (size_t)snprintf(self.path, sizeof(self.path), "%s", program) <
               sizeof(self.path) &&
           target_library_read(&self) == 0 && target_library_is_musl(self.elf.loader);
}

/* ---- all of them ---------------------------------------------------------------- */

static bool
search_all(const struct search *search, const struct doctor_elf *owner,
           const char *owner_path, const struct doctor_elf *program)
{
    const char *runpath = doctor_elf_text(owner, DT_RUNPATH, 0);

    if (strchr(search->name, '/') != NULL) {
        snprintf(search->path, search->size, "%s", search->name);
        return suits(search);
    }
    return (runpath == NULL &&
            (search_folders(search, doctor_elf_text(owner, DT_RPATH, 0), owner_path) ||
             search_folders(search, doctor_elf_text(program, DT_RPATH, 0),
                            search->program))) ||
           search_folders(search, getenv("LD_LIBRARY_PATH"), owner_path) ||
           search_folders(search, runpath, owner_path) || search_cache(search) ||
           search_folders(search, "/lib64:/usr/lib64:/lib:/usr/lib", owner_path);
}

static bool
is_known(const struct doctor_libraries *libraries, const char *name)
{
    for (size_t i = 1; i < libraries->count; i++) {
        if (strcmp(libraries->list[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void
add(struct doctor_libraries *libraries, const char *name, const char *path)
{
    struct doctor_library *library = &libraries->list[libraries->count];

    library->name = strdup(name);
    library->path = path != NULL ? strdup(path) : NULL;
    if (library->name == NULL || (path != NULL && library->path == NULL)) {
        fputs("mtlsctl: out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    libraries->count++;
}

static void
add_needed(struct doctor_libraries *libraries, const char *owner_path,
           const struct doctor_elf *program, const struct file *cache)
{
    char path[PATH_MAX];
    struct doctor_elf owner;
    const char *name;

    if (doctor_elf_open(owner_path, &owner) != 0) {
        return;
    }
    for (size_t i = 0; (name = doctor_elf_text(&owner, DT_NEEDED, i)) != NULL; i++) {
        const ElfW(Ehdr) *start = (const void *)program->data;
        struct search search = {
            name, libraries->list[0].path, start->e_machine, path, sizeof(path), cache};

        if (libraries->count == DOCTOR_LIBRARIES_MAX) {
            break;
        }
        if (name[0] != '\0' && !is_known(libraries, name) &&
            !is_musl_itself(search.program, name)) {
            bool found = search_all(&search, &owner, owner_path, program);

            add(libraries, name, found ? path : NULL);
        }
    }
    doctor_elf_close(&owner);
}

void
doctor_libraries_find(const char *program, struct doctor_libraries *libraries)
{
    char real[PATH_MAX];
    struct doctor_elf elf;
    struct file cache;

    libraries->count = 0;
    /* $ORIGIN is where the file is, not a link to it. */
    program = realpath(program, real) != NULL ? real : program;
    add(libraries, program, program);
    if (doctor_elf_open(program, &elf) != 0) {
        return;
    }
    (void)!file_read(CACHE_PATH, &cache);
    for (size_t i = 0; i < libraries->count; i++) {
        if (libraries->list[i].path != NULL) {
            add_needed(libraries, libraries->list[i].path, &elf, &cache);
        }
    }
    file_done(&cache);
    doctor_elf_close(&elf);
}

void
doctor_libraries_done(struct doctor_libraries *libraries)
{
    for (size_t i = 0; i < libraries->count; i++) {
        free(libraries->list[i].name);
        free(libraries->list[i].path);
    }
    libraries->count = 0;
}

bool
doctor_libraries_is_libc(const char *name)
{
    static const char *const names[] = {
        "libc.so.6",     "libm.so.6",         "libpthread.so.0", "libdl.so.2",
        "librt.so.1",    "libresolv.so.2",    "libutil.so.1",    "libanl.so.1",
        "libmvec.so.1",  "libthread_db.so.1", "libnsl.so.1",     "libcrypt.so.1",
        "libgcc_s.so.1", "libstdc++.so.6",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "libnss_", 7) == 0;
}
