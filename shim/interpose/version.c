/* The note that tells mtls-run --version, and whoever looks, which library this is. */
#include <stdint.h>
#include <wolfssl/version.h>

#include "shim/target/elf.h"

#define TEXT MTLS_SHIM_VERSION ", wolfSSL " LIBWOLFSSL_VERSION_STRING

static const struct {
    uint32_t name_len;
    uint32_t text_len;
    uint32_t type;
    _Alignas(4) char name[sizeof(TARGET_NOTE_NAME)];
    _Alignas(4) char text[sizeof(TEXT)];
} note __attribute__((section(TARGET_NOTE_SECTION), used, aligned(4))) = {
    sizeof(TARGET_NOTE_NAME), sizeof(TEXT), TARGET_NOTE_TYPE, TARGET_NOTE_NAME, TEXT,
};

_Static_assert(sizeof(TEXT) <= TARGET_NOTE_MAX, "more than is read");
