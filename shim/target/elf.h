/* What an ELF file's headers say about whether a library can be preloaded into it. */
#ifndef SHIM_TARGET_ELF_H
#define SHIM_TARGET_ELF_H

#include <elf.h>
#include <limits.h>
#include <stdbool.h>

/* What is of this program's own class and byte order. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define TARGET_NATIVE_DATA ELFDATA2LSB
#else
#define TARGET_NATIVE_DATA ELFDATA2MSB
#endif
#define TARGET_NATIVE_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)

/* The library tells its version, and what is linked into it, in an ELF note: it can be
 * asked without being loaded, also by `readelf -p .note.mtls-shim`. */
#define TARGET_NOTE_NAME "mtls-shim"
#define TARGET_NOTE_SECTION ".note.mtls-shim"
#define TARGET_NOTE_TYPE 1 /* text: "0.1.0, wolfSSL 5.9.2" */
#define TARGET_NOTE_MAX 64 /* with its NUL */

struct target_elf {
    unsigned char class;        /* ELFCLASS32 or ELFCLASS64 */
    unsigned char data;         /* ELFDATA2LSB or ELFDATA2MSB */
    unsigned machine;           /* EM_... */
    bool is_go;                 /* made by Go's compiler: makes system calls by itself */
    bool has_loader;            /* a PT_INTERP is there: dynamically linked */
    char loader[PATH_MAX];      /* its path; "" when has_loader is false */
    char note[TARGET_NOTE_MAX]; /* the library's own; "" in what is not the library */
};

/*
 * Reads the headers of an open file.
 *
 *   fd   in   readable; its offset is left alone
 *   elf  out  class, data and machine; the rest only for files of this program's
 *             class and byte order, since no other is ever preloaded into
 *
 * Returns  0; -ENOEXEC when the file is not ELF; -EBADMSG when its headers are
 *          damaged; another -E... from reading.
 */
int target_elf_read(int fd, struct target_elf *elf) __attribute__((warn_unused_result));

/* Whether both are for the same class, byte order and processor. */
bool target_elf_same_machine(const struct target_elf *a, const struct target_elf *b);

#endif
