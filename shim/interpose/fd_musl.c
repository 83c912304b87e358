/* close() by another name. */
#include "shim/interpose/real.h"

INTERPOSE int
posix_close(int fd, int flags)
{
    (void)flags; /* of no meaning: POSIX_CLOSE_RESTART is 0 */
    return close(fd);
}
