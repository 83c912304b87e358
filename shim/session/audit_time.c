#include "shim/session/audit_time.h"

#include <string.h>

#include "shim/session/audit_json.h"

#define DAY_SECONDS 86400

/* Years begin in March here, so that the leap day is the last one; an era is 400 years.
 */
void
audit_time_split(int64_t seconds, unsigned ms, struct audit_time *time)
{
    int64_t days = seconds / DAY_SECONDS;
    unsigned rest = (unsigned)(seconds % DAY_SECONDS);
    days += 719468; /* from the first of March of the year 0 to 1970 */
    int64_t era = days / 146097;
    int64_t day_of_era = days % 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* 0 = March */

    time->day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1);
    time->month = (unsigned)(month < 10 ? month + 3 : month - 9);
    time->year = era * 400 + year_of_era + (time->month <= 2 ? 1 : 0);
    time->hour = rest / 3600;
    time->minute = rest / 60 % 60;
    time->second = rest % 60;
    time->ms = ms;
}

static size_t
put_number(char *text, size_t len, unsigned number, unsigned width, char after)
{
    len = audit_json_decimal(text, len, number, width);
    text[len++] = after;
    return len;
}

void
audit_time_rfc3339(const struct audit_time *time, char text[AUDIT_TIME_LEN])
{
    size_t len = put_number(text, 0, (unsigned)time->year, 4, '-');
    len = put_number(text, len, time->month, 2, '-');
    len = put_number(text, len, time->day, 2, 'T');
    len = put_number(text, len, time->hour, 2, ':');
    len = put_number(text, len, time->minute, 2, ':');
    len = put_number(text, len, time->second, 2, '.');
    len = put_number(text, len, time->ms, 3, 'Z');
    text[len] = '\0';
}
