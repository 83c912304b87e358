#include "tools/ctl/doctor_elf.h"

#include "shim/target/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A part of the file, suitably aligned; NULL when it is not within it. */
static const void *
part(const struct doctor_elf *elf, uint64_t offset, uint64_t len, size_t align)
{
    if (offset > elf->len || len > elf->len - offset || offset % align != 0) {
        return NULL;
    }
    return elf->data + offset;
}

/* The place in the file of an address of the program, and how much follows. */
static uint64_t
offset_of(const struct doctor_elf *elf, ElfW(Addr) address, uint64_t *room)
{
    for (size_t i = 0; i < elf->header_count; i++) {
        const ElfW(Phdr) *header = &elf->headers[i];

        if (header->p_type == PT_LOAD && address >= header->p_vaddr &&
            address - header->p_vaddr < header->p_filesz) {
            *room = header->p_filesz - (address - header->p_vaddr);
            return header->p_offset + (address - header->p_vaddr);
        }
    }
    *room = 0;
    return UINT64_MAX;
}

static ElfW(Addr)
value_of(const struct doctor_elf *elf, ElfW(Sxword) tag)
{
    for (size_t i = 0; i < elf->dynamic_count && elf->dynamic[i].d_tag != DT_NULL; i++) {
        if (elf->dynamic[i].d_tag == tag) {
            return elf->dynamic[i].d_un.d_ptr;
        }
    }
    return 0;
}

/* ---- how many symbols there are: only the tables for finding them by name tell --------
 */

static size_t
count_by_hash(const struct doctor_elf *elf)
{
    uint64_t room;
    uint64_t offset = offset_of(elf, value_of(elf, DT_HASH), &room);
    const uint32_t *table = room >= 2 * sizeof(*table)
                                ? part(elf, offset, 2 * sizeof(*table), sizeof(*table))
                                : NULL;

    return table != NULL ? table[1] : 0;
}

/* Those without a definition come first; the others are in chains, by bucket. */
static size_t
count_by_gnu_hash(const struct doctor_elf *elf)
{
    uint64_t room;
    uint64_t offset = offset_of(elf, value_of(elf, DT_GNU_HASH), &room);
    const uint32_t *table = part(elf, offset, room, sizeof(*table));
    uint64_t words = room / sizeof(*table);
    uint64_t buckets;
    uint64_t chains;
    uint64_t last = 0;

    if (table == NULL || words < 4) {
        return 0;
    }
    buckets = 4 + (uint64_t)table[2] * (sizeof(ElfW(Addr)) / sizeof(*table));
    chains = buckets + table[0];
    if (chains > words) {
        return 0;
    }
    for (uint64_t i = buckets; i < chains; i++) {
        last = table[i] > last ? table[i] : last;
    }
    if (last < table[1]) {
        return table[1];
    }
    while (chains + (last - table[1]) < words &&
           (table[chains + (last - table[1])] & 1) == 0) {
        last++;
    }
    return last + 1;
}

static void
find_symbols(struct doctor_elf *elf)
{
    uint64_t room;
    uint64_t offset = offset_of(elf, value_of(elf, DT_STRTAB), &room);

    elf->strings_len = value_of(elf, DT_STRSZ);
    elf->strings_len = elf->strings_len < room ? elf->strings_len : room;
    elf->strings = part(elf, offset, elf->strings_len, 1);
    if (elf->strings == NULL || elf->strings_len == 0 ||
        elf->strings[elf->strings_len - 1] != '\0') {
        elf->strings_len = 0;
        return;
    }
    elf->symbol_count = count_by_hash(elf);
    if (elf->symbol_count == 0) {
        elf->symbol_count = count_by_gnu_hash(elf);
    }
    offset = offset_of(elf, value_of(elf, DT_SYMTAB), &room);
    if (elf->symbol_count > room / sizeof(elf->symbols[0])) {
        elf->symbol_count = room / sizeof(elf->symbols[0]);
    }
    elf->symbols = part(elf, offset, elf->symbol_count * sizeof(elf->symbols[0]),
                        _Alignof(ElfW(Sym)));
    elf->symbol_count = elf->symbols != NULL ? elf->symbol_count : 0;
}

/* ---- opening -------------------------------------------------------------------------
 */

static int
find_tables(struct doctor_elf *elf)
{
    const ElfW(Ehdr) *start = part(elf, 0, sizeof(*start), 1);

    if (start == NULL || memcmp(start->e_ident, ELFMAG, SELFMAG) != 0 ||
        start->e_ident[EI_CLASS] != TARGET_NATIVE_CLASS ||
        start->e_ident[EI_DATA] != TARGET_NATIVE_DATA ||
        start->e_phentsize != sizeof(elf->headers[0])) {
        return -ENOEXEC;
    }
    elf->headers =
        part(elf, start->e_phoff, (uint64_t)start->e_phnum * sizeof(elf->headers[0]),
             _Alignof(ElfW(Phdr)));
    if (elf->headers == NULL) {
        return -ENOEXEC;
    }
    elf->header_count = start->e_phnum;
    for (size_t i = 0; i < elf->header_count; i++) {
        const ElfW(Phdr) *header = &elf->headers[i];

        if (header->p_type == PT_DYNAMIC) {
            elf->dynamic =
                part(elf, header->p_offset, header->p_filesz, _Alignof(ElfW(Dyn)));
            elf->dynamic_count =
                elf->dynamic != NULL ? header->p_filesz / sizeof(elf->dynamic[0]) : 0;
        }
    }
    find_symbols(elf);
    return 0;
}

int
doctor_elf_open(const char *path, struct doctor_elf *elf)
{
    struct stat st;
    void *data;
    int rc = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    memset(elf, 0, sizeof(*elf));
    if (fd < 0) {
        return -errno;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
        close(fd);
        return -ENOEXEC;
    }
    elf->len = (size_t)st.st_size;
    data = mmap(NULL, elf->len, PROT_READ, MAP_PRIVATE, fd, 0);
    rc = data == MAP_FAILED ? -errno : 0;
    close(fd);
    if (rc != 0) {
        return rc;
    }
    elf->data = data;
    rc = find_tables(elf);
    if (rc != 0) {
        doctor_elf_close(elf);
    }
    return rc;
}

void
doctor_elf_close(struct doctor_elf *elf)
{
    if (elf->data != NULL) {
        munmap((void *)(uintptr_t)elf->data, elf->len);
    }
    memset(elf, 0, sizeof(*elf));
}

/* ---- what is in it -------------------------------------------------------------- */

static const char *
string_at(const struct doctor_elf *elf, uint64_t at)
{
    return at < elf->strings_len ? elf->strings + at : "";
}

const char *
doctor_elf_text(const struct doctor_elf *elf, ElfW(Sxword) tag, size_t n)
{
    for (size_t i = 0; i < elf->dynamic_count && elf->dynamic[i].d_tag != DT_NULL; i++) {
        if (elf->dynamic[i].d_tag == tag && n-- == 0) {
            return string_at(elf, elf->dynamic[i].d_un.d_val);
        }
    }
    return NULL;
}

void
doctor_elf_each_symbol(const struct doctor_elf *elf,
                       void (*tell)(void *context, const char *name, bool is_defined),
                       void *context)
{
    for (size_t i = 1; i < elf->symbol_count; i++) {
        const char *name = string_at(elf, elf->symbols[i].st_name);

        if (name[0] != '\0') {
            tell(context, name, elf->symbols[i].st_shndx != SHN_UNDEF);
        }
    }
}

/* ---- system calls of its own ---------------------------------------------------- */

/* Linux's numbers for x86-64: arch/x86/entry/syscalls/syscall_64.tbl. */
static const char *
call_name(uint32_t number)
{
    static const struct {
        uint32_t number;
        const char *name;
    } calls[] = {
        {41, "socket"},    {42, "connect"},         {43, "accept"},
        {44, "sendto"},    {45, "recvfrom"},        {46, "sendmsg"},
        {47, "recvmsg"},   {288, "accept4"},        {299, "recvmmsg"},
        {307, "sendmmsg"}, {425, "io_uring_setup"}, {426, "io_uring_enter"},
    };

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (calls[i].number == number) {
            return calls[i].name;
        }
    }
    return NULL;
}

/* The number that "mov $number, %eax" has loaded within the last instructions. */
static const char *
loaded_before(const uint8_t *code, size_t at)
{
    enum { MOV_EAX = 0xb8, MOV_LEN = 5, WITHIN = 24 };
    size_t first = at > WITHIN ? at - WITHIN : 0;

    for (size_t i = at; i >= first + MOV_LEN; i--) {
        const uint8_t *mov = code + i - MOV_LEN;
        uint32_t number = (uint32_t)mov[1] | (uint32_t)mov[2] << 8 |
                          (uint32_t)mov[3] << 16 | (uint32_t)mov[4] << 24;

        if (mov[0] == MOV_EAX && number < 1024) {
            return call_name(number);
        }
    }
    return NULL;
}

static const char *
raw_call_in(const uint8_t *code, size_t len)
{
    /* 0f 05; the second byte is the rarer one. */
    const uint8_t *at = len > 0 ? code + 1 : code;
    const uint8_t *end = code + len;

    while (at < end && (at = memchr(at, 0x05, (size_t)(end - at))) != NULL) {
        const char *name =
            at[-1] == 0x0f ? loaded_before(code, (size_t)(at - 1 - code)) : NULL;

        if (name != NULL) {
            return name;
        }
        at++;
    }
    return NULL;
}

const char *
doctor_elf_raw_call(const struct doctor_elf *elf)
{
    const ElfW(Ehdr) *start = (const void *)elf->data;
    const char *name = NULL;

    for (size_t i = 0;
         start->e_machine == EM_X86_64 && name == NULL && i < elf->header_count; i++) {
        const ElfW(Phdr) *header = &elf->headers[i];
        const uint8_t *code = part(elf, header->p_offset, header->p_filesz, 1);

        if (header->p_type == PT_LOAD && (header->p_flags & PF_X) != 0 && code != NULL) {
            name = raw_call_in(code, header->p_filesz);
        }
    }
    return name;
}
