#include "shim/interpose/elf_symbol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the dynamic section of an object leads to. */
struct tables {
    const ElfW(Sym) *symbols;
    const char *names;
    const uint32_t *gnu_hash; /* NULL = the object has the other one */
    const uint32_t *hash;
};

/* glibc has added the base to what it has read, musl has not. */
static const void *
at(ElfW(Addr) base, ElfW(Addr) address)
{
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): that is what the section holds */
    return (const void *)(address < base ? base + address : address);
}

static struct tables
read_tables(const struct link_map *object)
{
    struct tables tables = {NULL, NULL, NULL, NULL};
    for (const ElfW(Dyn) *entry = object->l_ld; entry->d_tag != DT_NULL; entry++) {
        const void *value = at(object->l_addr, entry->d_un.d_ptr);
        switch (entry->d_tag) {
        case DT_SYMTAB:
            tables.symbols = value;
            break;
        case DT_STRTAB:
            tables.names = value;
            break;
        case DT_GNU_HASH:
            tables.gnu_hash = value;
            break;
        case DT_HASH:
            tables.hash = value;
            break;
        default:
            break;
        }
    }
    return tables;
}

/* strcmp() may be a sanitizer's, which needs us first. */
static bool
is_same(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static const ElfW(Sym) *
defined(const struct tables *tables, uint32_t i, const char *name)
{
    const ElfW(Sym) *symbol = &tables->symbols[i];
    return symbol->st_shndx != SHN_UNDEF && symbol->st_value != 0 &&
                   is_same(tables->names + symbol->st_name, name)
               ? symbol
               : NULL;
}

static const ElfW(Sym) *
find_gnu(const struct tables *tables, const char *name)
{
    enum { BUCKET_COUNT, FIRST, BLOOM_COUNT, HEADER_LEN = 4 };
    const uint32_t *table = tables->gnu_hash;
    const uint32_t *buckets =
        table + HEADER_LEN + table[BLOOM_COUNT] * (sizeof(ElfW(Addr)) / sizeof(*table));
    const uint32_t *chains = buckets + table[BUCKET_COUNT];
    const ElfW(Sym) *symbol = NULL;
    uint32_t hash = 5381;
    for (const char *c = name; *c != '\0'; c++) {
        hash = hash * 33 + (unsigned char)*c;
    }
    uint32_t i = table[BUCKET_COUNT] != 0 ? buckets[hash % table[BUCKET_COUNT]] : 0;
    bool is_last = i < table[FIRST]; /* an empty bucket */
    for (; !is_last && symbol == NULL; i++) {
        uint32_t one = chains[i - table[FIRST]];
        symbol = (one | 1) == (hash | 1) ? defined(tables, i, name) : NULL;
        is_last = (one & 1) != 0;
    }
    return symbol;
}

static const ElfW(Sym) *
find_in_all(const struct tables *tables, const char *name)
{
    const ElfW(Sym) *symbol = NULL;
    uint32_t count = tables->hash[1];
    for (uint32_t i = 1; i < count && symbol == NULL; i++) {
        symbol = defined(tables, i, name);
    }
    return symbol;
}

void *
elf_symbol(const struct link_map *object, const char *name)
{
    struct tables tables = read_tables(object);
    const ElfW(Sym) *symbol = NULL;
    if (tables.symbols == NULL || tables.names == NULL) {
        return NULL;
    }
    if (tables.gnu_hash != NULL) {
        symbol = find_gnu(&tables, name);
    } else if (tables.hash != NULL) {
        symbol = find_in_all(&tables, name);
    }
    /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
    return symbol != NULL ? (void *)(object->l_addr + symbol->st_value) : NULL;
}
