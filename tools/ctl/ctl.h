/* The commands of mtlsctl: each gets its own argv, argv[0] being the command's name. */
#ifndef TOOLS_CTL_CTL_H
#define TOOLS_CTL_CTL_H

#define CTL_EXIT_USAGE 2 /* the command line is wrong */

/* Runs the development CA; returns the exit status. */
int ctl_ca(int argc, char **argv);

/* Checks a policy and the files that it names; returns the exit status. */
int ctl_check(int argc, char **argv);

/* Says whether a program can be covered, or a process is; returns the exit status. */
int ctl_doctor(int argc, char **argv);

/* Says which rule of a policy a connection falls under; returns the exit status. */
int ctl_explain(int argc, char **argv);

/* Tells what audit logs say; returns the exit status. */
int ctl_report(int argc, char **argv);

/* Makes rules of what audit logs have seen; returns the exit status. */
int ctl_suggest(int argc, char **argv);

/* Shows or serves what the processes of this host have counted; returns the exit status.
 */
int ctl_metrics(int argc, char **argv);

/* Shows the connections of this host; returns the exit status. */
int ctl_top(int argc, char **argv);

/* Does a handshake with a server and shows it; returns the exit status. */
int ctl_probe(int argc, char **argv);

/* Judges a certificate by a policy; returns the exit status. */
int ctl_verify(int argc, char **argv);

#endif
