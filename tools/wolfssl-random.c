/*
 * Where wolfSSL has its random bytes from: the kernel, each time.  There is no state of
 * ours that a fork could copy, that must be wiped, or that has to be seeded and tested
 * for every connection; build-wolfssl.sh puts this into the archive.
 */
#include "tools/wolfssl-random.h"

#include <errno.h>
#include <sys/random.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/wolfcrypt/error-crypt.h>

/* CUSTOM_RAND_GENERATE_BLOCK of wolfssl/wolfcrypt/random.h: 0, or an error of
 * wolfCrypt's. */
int
wolfssl_random_block(unsigned char *block, unsigned len)
{
    while (len > 0) {
        ssize_t got = getrandom(block, len, 0);
        if (got < 0 && errno != EINTR) {
            return RNG_FAILURE_E;
        }
        if (got > 0) {
            block += got;
            len -= (unsigned)got;
        }
    }
    return 0;
}
