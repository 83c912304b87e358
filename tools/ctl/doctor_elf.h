/*
 * What a program's file tells without being run: the libraries it wants, the functions it
 * takes from them, system calls that it makes by itself.
 */
#ifndef TOOLS_CTL_DOCTOR_ELF_H
#define TOOLS_CTL_DOCTOR_ELF_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct doctor_elf {
    const uint8_t *data; /* the file, mapped */
    size_t len;
    const ElfW(Phdr) *headers;
    size_t header_count;
    const ElfW(Dyn) *dynamic; /* NULL = there is none */
    size_t dynamic_count;
    const char *strings;
    size_t strings_len;
    const ElfW(Sym) *symbols;
    size_t symbol_count;
};

/*
 * Maps a file and finds its tables; whatever in it is damaged counts as not there.
 *
 * Returns  0, to be closed with doctor_elf_close(); -ENOEXEC: not ELF, or for another
 *          class or byte order; another -E...
 */
int doctor_elf_open(const char *path, struct doctor_elf *elf)
    __attribute__((warn_unused_result));
void doctor_elf_close(struct doctor_elf *elf);

/* The text of the n-th entry with this tag (DT_NEEDED, DT_RUNPATH); NULL = no more. */
const char *doctor_elf_text(const struct doctor_elf *elf, ElfW(Sxword) tag, size_t n);

/* Tells each named symbol; is_defined: the file has it itself. */
void doctor_elf_each_symbol(const struct doctor_elf *elf,
                            void (*tell)(void *context, const char *name,
                                         bool is_defined),
                            void *context);

/*
 * Looks for the instruction of a system call that moves data or makes connections, with
 * the call's number loaded shortly before.
 *
 * Returns  the call's name; NULL = none, or a processor that is not known.
 */
const char *doctor_elf_raw_call(const struct doctor_elf *elf);

#endif
