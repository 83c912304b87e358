/* Threads that may be cancelled at any instruction: pthread_setcanceltype(3). */
#include <pthread.h>

#include "shim/interpose/real.h"
#include "shim/record/lock.h"

INTERPOSE int
pthread_setcanceltype(int type, int *before)
{
    real_need();
    if (type == PTHREAD_CANCEL_ASYNCHRONOUS) {
        record_lock_shield_threads();
    }
    return real.pthread_setcanceltype(type, before);
}
