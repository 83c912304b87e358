/* A time as people write it on a command line. */
#ifndef TOOLS_CTL_WHEN_H
#define TOOLS_CTL_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#define WHEN_FORMS "2026-11-25, 2026-11-25T08:00:00.5+01:00, or 90m, 24h, 7d: so long ago"

/*
 * Reads a time: RFC 3339, with or without a fraction, T or a space before the hours,
 * which may lack seconds, and UTC where no offset is given; a date alone, which is its
 * first moment in UTC; or a number with s, m, h, d or w, which is so long before now.
 *
 *   now_ms  in   milliseconds since the epoch
 *   ms      out  the same; untouched on failure
 *
 * Returns  whether the text is a time.
 */
bool when_parse(const char *text, int64_t now_ms, int64_t *ms);

#endif
