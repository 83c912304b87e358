/* An HTTP server that knows one page. */
#ifndef TOOLS_CTL_METRICS_SERVE_H
#define TOOLS_CTL_METRICS_SERVE_H

/*
 * Serves what is counted in dir until it is killed.
 *
 *   address  in  ADDR:PORT; :PORT for the loopback
 *
 * Returns  the exit status.
 */
int metrics_serve(const char *dir, const char *address);

#endif
