/*
 * The name that the program was started by, for who looks at logs and counters: its file
 * may have several (redis-server is a link to redis-check-rdb in Debian, busybox is many
 * programs), and a script's is its interpreter. Rules go by the file alone.
 */
#ifndef SHIM_SESSION_COMMAND_H
#define SHIM_SESSION_COMMAND_H

/*
 * Remembers it.
 *
 *   path  in  that execve() got, see AT_EXECFN in getauxval(3); copied; NULL or by an fd
 *             (fexecve(3)): it has no name
 *
 * Safe     before there are threads.
 */
void command_set(const char *path);

/* The name without folder: as started, else that of the program's file. */
const char *command_name(const char *program);

/* The same, but NULL where the file has that name as well. */
const char *command_other(const char *program);

#endif
