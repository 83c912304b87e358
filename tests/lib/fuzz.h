/* What every fuzz target has: its entry, and a way to say that something must hold. */
#ifndef TESTS_LIB_FUZZ_H
#define TESTS_LIB_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Called by libFuzzer, or by fuzz_replay.c. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len);

static inline void
require(bool holds)
{
    if (!holds) {
        abort();
    }
}

#endif
