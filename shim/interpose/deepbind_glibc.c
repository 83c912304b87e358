/*
 * Libraries that would find libc's functions before ours.
 *
 * dlopen(3) with RTLD_DEEPBIND: what is loaded so looks for functions in what it needs
 * itself, that is in libc, before it looks at what was preloaded.  Its connections would
 * be plaintext, and those that it is given would have their TLS read by nobody.  PHP
 * loads its extensions so.  The flag is left out; what a library has of its own is then
 * hidden by a global function of the same name, as with every other dlopen().
 *
 * dlmopen(3) with LM_ID_NEWLM: a namespace of its own has a libc of its own, and nothing
 * of ours.  It is refused.
 *
 * libc looks at who calls it: $ORIGIN, RUNPATH and the namespace are the caller's.  So
 * the last thing in both is a jump, with the caller's return address still on the stack.
 */
#include "shim/interpose/jump.h"
#include "shim/interpose/load.h"
#include "shim/interpose/real.h"

#include <dlfcn.h>

static int
without_deepbind(int mode)
{
    return (mode & RTLD_DEEPBIND) != 0 && load_process()->is_on ? mode & ~RTLD_DEEPBIND
                                                                : mode;
}

JUMPS INTERPOSE void *
dlopen(const char *file, int mode)
{
    real_need();
    mode = without_deepbind(mode);
    JUMP real.dlopen(file, mode);
}

JUMPS INTERPOSE void *
dlmopen(Lmid_t space, const char *file, int mode)
{
    real_need();
    if (space == LM_ID_NEWLM && load_process()->is_on) {
        /* What dlerror() tells is libc's to say: no such file. */
        return real.dlopen("/mtls-shim refuses dlmopen(LM_ID_NEWLM)", RTLD_NOW);
    }
    mode = without_deepbind(mode);
    JUMP real.dlmopen(space, file, mode);
}
