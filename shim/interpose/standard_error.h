/*
 * What libc writes to fd 2 by itself.
 */
#ifndef SHIM_INTERPOSE_STANDARD_ERROR_H
#define SHIM_INTERPOSE_STANDARD_ERROR_H

#include <stdarg.h>

/* Before libc ends the process by SIGABRT and says why on fd 2: where that is governed
 * nothing is said, for it would be said in plaintext. */
void standard_error_say_nothing(void);

/* What syslog(3) writes to fd 2 where the program has asked openlog() for LOG_PERROR. */
void standard_error_print(int priority, const char *format, va_list args);

#endif
