/*
 * What libc writes to fd 2 by itself.
 */
#ifndef SHIM_INTERPOSE_STANDARD_ERROR_H
#define SHIM_INTERPOSE_STANDARD_ERROR_H

/*
 * What a fortified function does with a buffer that is too small: ends the process by
 * SIGABRT.  libc says so on fd 2 unless that is governed, for it would say it in
 * plaintext.
 */
_Noreturn void standard_error_chk_fail(void);

#endif
