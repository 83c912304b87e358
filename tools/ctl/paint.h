/* Colours, where somebody sees them. */
#ifndef TOOLS_CTL_PAINT_H
#define TOOLS_CTL_PAINT_H

#include <stdio.h>

enum paint { PAINT_GOOD, PAINT_BAD, PAINT_WARN };

/*
 * The sequences that begin and end a colour: empty unless the stream is a terminal that
 * has them and NO_COLOR is not set.
 *
 * Source   https://no-color.org
 */
const char *paint_on(FILE *out, enum paint paint);
const char *paint_off(FILE *out);

#endif
