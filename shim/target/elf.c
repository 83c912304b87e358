#include "shim/target/elf.h"

#include <errno.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

/* More program headers than any linker writes: a damaged file. */
#define MAX_HEADERS 512

#define MAX_NOTES 4096 /* bytes of a segment; ours are some hundred */
#define ALIGN_NOTE(len) (((size_t)(len) + 3) & ~(size_t)3)

static int
read_at(int fd, void *buffer, size_t len, off_t offset)
{
    ssize_t got = pread(fd, buffer, len, offset);

    if (got < 0) {
        return -errno;
    }
    return (size_t)got == len ? 0 : -EBADMSG;
}

static int
read_loader(int fd, const ElfW(Phdr) *header, struct target_elf *elf)
{
    int rc;

    if (header->p_filesz < 2 || header->p_filesz > sizeof(elf->loader)) {
        return -EBADMSG;
    }
    rc = read_at(fd, elf->loader, header->p_filesz, (off_t)header->p_offset);
    if (rc == 0 && elf->loader[header->p_filesz - 1] != '\0') {
        rc = -EBADMSG;
    }
    if (rc != 0) {
        elf->loader[0] = '\0';
        return rc;
    }
    elf->has_loader = true;
    return 0;
}

/* What a note says; text is its content. */
static void
take_note(const ElfW(Nhdr) *note, const unsigned char *name, const unsigned char *text,
          struct target_elf *elf)
{
    static const char ours[] = TARGET_NOTE_NAME;
    /* Go's linker leaves the build's identity: cmd/internal/buildid. */
    static const char go[] = "Go\0";
    const unsigned go_build_id = 4;

    if (note->n_type == TARGET_NOTE_TYPE && note->n_namesz == sizeof(ours) &&
        memcmp(name, ours, sizeof(ours)) == 0 && note->n_descsz <= sizeof(elf->note) &&
        memchr(text, '\0', note->n_descsz) != NULL) {
        memcpy(elf->note, text, note->n_descsz);
    } else if (note->n_type == go_build_id && note->n_namesz == sizeof(go) &&
               memcmp(name, go, sizeof(go)) == 0) {
        elf->is_go = true;
    }
}

/* One segment may hold several notes; whatever is odd is of no interest, as it is to the
 * kernel. */
static void
read_notes(int fd, const ElfW(Phdr) *header, struct target_elf *elf)
{
    unsigned char notes[MAX_NOTES];
    ElfW(Nhdr) note;
    size_t at = 0;
    size_t len = header->p_filesz;

    if (len > sizeof(notes) || read_at(fd, notes, len, (off_t)header->p_offset) != 0) {
        return;
    }
    while (at <= len && len - at >= sizeof(note)) {
        memcpy(&note, notes + at, sizeof(note));
        at += sizeof(note);
        if (note.n_namesz > len - at || ALIGN_NOTE(note.n_namesz) > len - at ||
            note.n_descsz > len - at - ALIGN_NOTE(note.n_namesz)) {
            return;
        }
        take_note(&note, notes + at, notes + at + ALIGN_NOTE(note.n_namesz), elf);
        at += ALIGN_NOTE(note.n_namesz) + ALIGN_NOTE(note.n_descsz);
    }
}

int
target_elf_read(int fd, struct target_elf *elf)
{
    ElfW(Ehdr) ehdr;
    ElfW(Phdr) phdr;
    int rc;

    memset(elf, 0, sizeof(*elf));
    memset(&ehdr, 0, sizeof(ehdr));
    if (pread(fd, &ehdr, sizeof(ehdr), 0) < 0) {
        return -errno;
    }
    if (memcmp(ehdr.e_ident, ELFMAG, SELFMAG) != 0) {
        return -ENOEXEC;
    }
    elf->class = ehdr.e_ident[EI_CLASS];
    elf->data = ehdr.e_ident[EI_DATA];
    /* e_machine sits at the same place in both classes; the rest does not. */
    elf->machine = ehdr.e_machine;
    if (elf->class != TARGET_NATIVE_CLASS || elf->data != TARGET_NATIVE_DATA) {
        return 0;
    }
    if (ehdr.e_phentsize != sizeof(phdr) || ehdr.e_phnum > MAX_HEADERS) {
        return -EBADMSG;
    }
    for (unsigned i = 0; i < ehdr.e_phnum; i++) {
        off_t where = (off_t)(ehdr.e_phoff + (ElfW(Off))i * sizeof(phdr));

        rc = read_at(fd, &phdr, sizeof(phdr), where);
        if (rc != 0) {
            return rc;
        }
        if (phdr.p_type == PT_INTERP) {
            rc = read_loader(fd, &phdr, elf);
            if (rc != 0) {
                return rc;
            }
        } else if (phdr.p_type == PT_NOTE) {
            read_notes(fd, &phdr, elf);
        }
    }
    return 0;
}

bool
target_elf_same_machine(const struct target_elf *a, const struct target_elf *b)
{
    return a->class == b->class && a->data == b->data && a->machine == b->machine;
}
