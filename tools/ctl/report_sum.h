/*
 * What a report says, added up line by line in bounded memory.
 */
#ifndef TOOLS_CTL_REPORT_SUM_H
#define TOOLS_CTL_REPORT_SUM_H

#include <stdint.h>

#include "tools/ctl/log_line.h"
#include "tools/ctl/tally.h"
#include "tools/ctl/timeline.h"

/* The timeline's series. */
enum report_series { REPORT_TLS, REPORT_REFUSED, REPORT_PLAINTEXT, REPORT_CUT };

struct report_sum {
    int64_t since_ms, until_ms; /* lines before and after are left out; 0 = no bound */
    int64_t first_ms, last_ms;  /* of the lines that count */
    int64_t lines;              /* that count */
    int64_t starts;             /* of programs, by policy_loaded */
    int64_t lost;               /* lines that the programs could not write */
    int64_t counts[TALLY_COUNT];
    struct timeline timeline;
    /* keys of the rows: */
    struct tally *rules;     /* direction, rule, service */
    struct tally *peers;     /* peer, direction, rule */
    struct tally *failures;  /* reason, direction, rule */
    struct tally *plaintext; /* direction, rule, server, client, event */
    struct tally *tls;       /* version, cipher, group */
    struct tally *unknown;   /* peer, issuer, SHA-256, reason, rule */
    struct tally *expiring;  /* whose, certificate */
    struct tally *warnings;  /* event, detail */
};

/* Returns 0, or -ENOMEM. */
int report_sum_init(struct report_sum *sum);
void report_sum_done(struct report_sum *sum);

/* Takes one line; context is a struct report_sum. */
void report_sum_take(void *context, const struct log_line *line);

#endif
