/* What a probe has found, as text or JSON. */
#ifndef TOOLS_CTL_PROBE_SHOW_H
#define TOOLS_CTL_PROBE_SHOW_H

#include "tools/ctl/probe_tls.h"

#include <stdio.h>

enum probe_verdict {
    PROBE_LET_IN,
    PROBE_NOT_LET_IN,
    PROBE_PLAINTEXT,  /* the rule has it so: nobody is verified */
    PROBE_NO_VERDICT, /* there is no policy */
    PROBE_UNREACHABLE,
};

struct probe_found {
    const char *target;             /* as it was given */
    const char *policy;             /* NULL = none */
    const struct policy_rule *rule; /* NULL = none */
    const struct probe_wire *wire;
    const struct probe_watch *watch;
    const struct probe_result *result;
    enum probe_verdict verdict;
    int64_t took_ms;
};

void probe_show_text(FILE *out, const struct probe_found *found);
void probe_show_json(FILE *out, const struct probe_found *found);

#endif
