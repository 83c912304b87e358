/* The "#!" line of a script, read as the kernel and env(1) read it. */
#ifndef TOOLS_TARGET_SCRIPT_H
#define TOOLS_TARGET_SCRIPT_H

#include <stddef.h>

#define TARGET_SCRIPT_LINE 256 /* the kernel looks at no more (BINPRM_BUF_SIZE) */

struct target_script {
    char interpreter[TARGET_SCRIPT_LINE];
    char argument[TARGET_SCRIPT_LINE]; /* all that follows, as one string; "" = none */
};

/*
 * Takes a script's beginning apart.
 *
 *   head, len  in   the first bytes of the file, at most TARGET_SCRIPT_LINE
 *   script     out
 *
 * Returns  0; -ENOEXEC when this is no script that the kernel would run.
 * Source   execve(2), "Interpreter scripts"
 */
int target_script_parse(const char *head, size_t len, struct target_script *script)
    __attribute__((warn_unused_result));

/*
 * Finds the program that env(1) would start when a script's line is "#!/usr/bin/env
 * ARGUMENT": options and assignments are skipped, -S is split into words.
 *
 *   argument  in   as in struct target_script
 *   program   out  TARGET_SCRIPT_LINE bytes; "" when env would start none
 */
void target_script_env(const char *argument, char program[TARGET_SCRIPT_LINE]);

#endif
