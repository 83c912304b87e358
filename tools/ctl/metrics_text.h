/* What was counted, in Prometheus' text format. */
#ifndef TOOLS_CTL_METRICS_TEXT_H
#define TOOLS_CTL_METRICS_TEXT_H

#include <stdio.h>

#include "tools/ctl/metrics_read.h"

#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

void metrics_text(FILE *out, const struct metrics_view *view);

#endif
