#include "tools/ctl/shown.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
collect(void *context, const struct certs_one *cert)
{
    struct shown *shown = context;
    struct certs_one *kept;
    uint8_t *der;

    if (shown->count == CHAIN_COUNT_MAX) {
        return 0;
    }
    /* What PEM is decoded into is gone after this call. */
    der = malloc(cert->der_len);
    if (der == NULL) {
        return -ENOMEM;
    }
    memcpy(der, cert->der, cert->der_len);
    kept = &shown->certs[shown->count++];
    *kept = *cert;
    kept->der = der;
    return 0;
}

static void
report_file(void *context, const struct policy_problem *problem)
{
    const char *what = context;

    fprintf(stderr, "%s: %s\n", what, problem->text);
}

int
shown_read(const char *path, const char *what, struct shown *shown)
{
    struct policy_report report = {report_file, (void *)(uintptr_t)what, 0};
    const struct problem_place place = {&report, "", 0, path};
    struct file file;
    int rc = file_read(path, &file);

    if (rc != 0) {
        return problem_in(&place, "%s", file_error(rc));
    }
    rc = certs_each(&place, &file, collect, shown);
    file_done(&file);
    if (rc == 0) {
        return problem_in(&place, "holds no certificate");
    }
    return rc < 0 ? rc : 0;
}

void
shown_done(struct shown *shown)
{
    for (int i = 0; i < shown->count; i++) {
        free((void *)(uintptr_t)shown->certs[i].der);
    }
    shown->count = 0;
}
