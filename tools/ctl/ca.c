#include "tools/ctl/ca.h"

#include "tools/ctl/ca_issue.h"
#include "tools/ctl/ca_list.h"
#include "tools/ctl/ca_options.h"
#include "tools/ctl/ca_p12.h"
#include "tools/ctl/ca_renew.h"
#include "tools/ctl/ca_revoke.h"
#include "tools/ctl/ca_sign.h"
#include "tools/ctl/ca_sub.h"
#include "tools/ctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/ssl.h>

int
ca_error(int rc, const char *format, ...)
{
    va_list args;

    fputs("mtlsctl: ca: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return rc;
}

static int
run(const struct ca_options *options)
{
    WC_RNG rng;
    int rc;

    switch (options->command) {
    case CA_REVOKE:
        return ca_revoke(options);
    case CA_LIST:
        return ca_list(options);
    case CA_P12:
        return ca_p12(options);
    default:
        break;
    }
    rc = wc_InitRng(&rng);
    if (rc != 0) {
        return ca_error(-EIO, "the random number generator does not start (%d)", rc);
    }
    switch (options->command) {
    case CA_INIT:
        rc = ca_issue_init(options, &rng);
        break;
    case CA_SUB:
        rc = ca_sub(options, &rng);
        break;
    case CA_ISSUE:
        rc = ca_issue(options, &rng);
        break;
    case CA_SIGN:
        rc = ca_sign(options, &rng);
        break;
    case CA_RENEW:
        rc = ca_renew(options, &rng);
        break;
    default:
        rc = ca_revoke_crl(options, &rng);
        break;
    }
    wc_FreeRng(&rng);
    return rc;
}

int
ctl_ca(int argc, char **argv)
{
    struct ca_options options;
    int rc = ca_options_parse(argc, argv, &options);

    if (rc != 0) {
        return rc > 0 ? EXIT_SUCCESS : CTL_EXIT_USAGE;
    }
    wolfSSL_Init();
    rc = run(&options);
    wolfSSL_Cleanup();
    if (fflush(stdout) != 0 && rc == 0) {
        rc = ca_error(-errno, "standard output: %s", strerror(errno));
    }
    return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
