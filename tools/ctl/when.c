#include "tools/ctl/when.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* 24h: so long ago. */
static bool
parse_age(const char *text, int64_t *ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {
        {'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}};
    char *end;

    errno = 0;
    long number = strtol(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || errno != 0 || end[0] == '\0' ||
        end[1] != '\0') {
        return false;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (*end == units[i].unit) {
            return !__builtin_mul_overflow((int64_t)number, units[i].ms, ms);
        }
    }
    return false;
}

/* So many digits, neither more nor fewer characters. Returns -1 when they are not there;
 * text then stays. */
static int
take(const char **text, int count, int max)
{
    int value = 0;

    for (int i = 0; i < count; i++) {
        if (!isdigit((unsigned char)(*text)[i])) {
            return -1;
        }
        value = value * 10 + ((*text)[i] - '0');
    }
    if (value > max) {
        return -1;
    }
    *text += count;
    return value;
}

static bool
take_char(const char **text, const char *any)
{
    bool is_there = **text != '\0' && strchr(any, **text) != NULL;

    *text += is_there ? 1 : 0;
    return is_there;
}

static bool
parse_date(const char **text, struct tm *tm)
{
    int year = take(text, 4, 9999);
    bool good = year >= 1970 && take_char(text, "-");
    int month = good ? take(text, 2, 12) : -1;

    good = month >= 1 && take_char(text, "-");
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    tm->tm_mday = good ? take(text, 2, 31) : -1;
    return tm->tm_mday >= 1;
}

/* hh:mm, hh:mm:ss or hh:mm:ss.fraction */
static bool
parse_clock(const char **text, struct tm *tm, int *ms)
{
    tm->tm_hour = take(text, 2, 23);
    if (tm->tm_hour < 0 || !take_char(text, ":") ||
        (tm->tm_min = take(text, 2, 59)) < 0) {
        return false;
    }
    if (!take_char(text, ":")) {
        return true;
    }
    tm->tm_sec = take(text, 2, 60);
    if (tm->tm_sec < 0 || !take_char(text, ".")) {
        return tm->tm_sec >= 0;
    }
    int weight = 100;
    if (!isdigit((unsigned char)**text)) {
        return false;
    }
    for (; isdigit((unsigned char)**text); (*text)++) {
        *ms += (**text - '0') * weight;
        weight /= 10;
    }
    return true;
}

/* Z, +hh:mm, or nothing. */
static bool
parse_offset(const char *text, int64_t *offset_s)
{
    bool is_west = *text == '-';

    *offset_s = 0;
    if (*text == '\0' || strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) {
        return true;
    }
    if (!take_char(&text, "+-")) {
        return false;
    }
    int hours = take(&text, 2, 23);
    (void)take_char(&text, ":");
    int minutes = hours >= 0 ? take(&text, 2, 59) : -1;
    *offset_s = (hours * 3600 + minutes * 60) * (is_west ? -1 : 1);
    return minutes >= 0 && *text == '\0';
}

bool
when_parse(const char *text, int64_t now_ms, int64_t *ms)
{
    struct tm tm = {.tm_mday = 0};
    int64_t age_ms;
    int64_t offset_s = 0;
    int fraction_ms = 0;

    if (parse_age(text, &age_ms)) {
        *ms = now_ms > age_ms ? now_ms - age_ms : 0;
        return true;
    }
    if (!parse_date(&text, &tm)) {
        return false;
    }
    int day = tm.tm_mday;
    if (*text != '\0' &&
        !(take_char(&text, "Tt ") && parse_clock(&text, &tm, &fraction_ms) &&
          parse_offset(text, &offset_s))) {
        return false;
    }
    bool is_leap_second = tm.tm_sec == 60;
    tm.tm_sec -= is_leap_second;
    time_t seconds = timegm(&tm);
    if (tm.tm_mday != day) { /* no such day in this month */
        return false;
    }
    *ms = (seconds + is_leap_second - offset_s) * 1000 + fraction_ms;
    return true;
}
