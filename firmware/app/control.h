/* The control channel: UDP, so that it leaves no TCP state and answers while TCP is stuck.
 *
 * Knows: one socket, one datagram at a time.
 * Refuses to know: the words on it (control_request.c, control_reply.c).
 */
#ifndef APP_CONTROL_H
#define APP_CONTROL_H

#include <stdbool.h>

#include "app.h"

#define CONTROL_PORT 7777

/* Binds (IPv6 and IPv4 alike) and starts the task. False: no socket to be had. */
bool control_start(const struct app_identity *identity);

#endif
