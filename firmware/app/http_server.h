/* The server of the bug report: accepts, and lets http_connection.c answer.
 *
 * Knows: the listening socket, a fixed set of connections, waiting for all of them at once.
 * Refuses to know: what is said on a connection.
 */
#ifndef APP_HTTP_SERVER_H
#define APP_HTTP_SERVER_H

#include <stdbool.h>

#include "lwip/arch.h"

#define HTTP_PORT 80

struct http_counters {
  u32_t accepted;
  u32_t served; /* answers handed to the stack whole */
  u32_t errors; /* connections that ended with a request begun or an answer unfinished */
};

/* Listens (IPv6 and IPv4 alike) and starts the server's task. False: no socket to be had. */
bool http_server_start(void);
struct http_counters http_server_counters(void);

#endif
