/*
 * rcmd(3) and rexec(3): libc connects and talks by itself, behind our back.  That cannot
 * be protected, so that it is refused where a rule might want it to be.  (libc's resolver
 * does so, too, where an answer comes by TCP: DNS is no program's own traffic, and is
 * left alone.)
 */
#include "shim/interpose/govern.h"
#include "shim/interpose/load.h"
#include "shim/interpose/real.h"
#include "shim/session/audit.h"

static bool
is_refused(void)
{
    if (!load_process()->is_on) {
        return false;
    }
    GENERATION_SCOPE *generation = generation_acquire();
    if (policy_direction_is_plaintext(generation_policy(generation), POLICY_OUTBOUND)) {
        return false;
    }
    audit_warn("rcmd or rexec was refused: libc connects by itself, in plaintext");
    errno = EACCES;
    return true;
}

INTERPOSE int
rcmd_af(char **host, unsigned short port, const char *local_user, const char *user,
        const char *command, int *errors, sa_family_t family)
{
    real_need();
    return is_refused()
               ? -1
               : real.rcmd_af(host, port, local_user, user, command, errors, family);
}

INTERPOSE int
rcmd(char **host, unsigned short port, const char *local_user, const char *user,
     const char *command, int *errors)
{
    return rcmd_af(host, port, local_user, user, command, errors, AF_INET);
}

INTERPOSE int
rexec_af(char **host, int port, const char *user, const char *password,
         const char *command, int *errors, sa_family_t family)
{
    real_need();
    return is_refused()
               ? -1
               : real.rexec_af(host, port, user, password, command, errors, family);
}

INTERPOSE int
rexec(char **host, int port, const char *user, const char *password, const char *command,
      int *errors)
{
    return rexec_af(host, port, user, password, command, errors, AF_INET);
}
