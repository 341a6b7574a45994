/* One client's connection, from accept to close, as a state machine that never blocks.
 *
 * Knows: reading a request, answering it, and how this mode of closing ends the connection.
 * Refuses to know: other connections, and waiting (the server waits for all of them).
 */
#ifndef APP_HTTP_CONNECTION_H
#define APP_HTTP_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "remedies.h"

#define REQUEST_MAX 1024u
#define HEAD_MAX 160u

enum connection_step {
  STEP_DEAF,      /* no_read_ms: accepted, not read yet */
  STEP_REQUEST,   /* reading up to the empty line */
  STEP_STALL,     /* request read, answer held back */
  STEP_ANSWER,    /* sending */
  STEP_LEAK,      /* answered, held open, not read */
  STEP_CLOSED
};

struct http_connection {
  int socket;
  enum connection_step step;
  enum close_mode close; /* as it was at accept: a switch does not cut a running connection */
  bool failed;
  bool stall_asked;        /* the request itself was for /stall */
  uint32_t since_ms;       /* sys_now() at the last step or octet: what waits, waits from here */
  uint32_t request_length; /* octets in `request` */
  uint32_t head_length, head_sent, body_left;
  const char *fill;        /* body: this text repeated */
  uint32_t fill_length;
  uint32_t fill_at;
  char request[REQUEST_MAX];
  char head[HEAD_MAX];
};

/* Takes over an accepted, non-blocking socket. */
void connection_open(struct http_connection *c, int socket, uint32_t now_ms);
bool connection_wants_read(const struct http_connection *c);
bool connection_wants_write(const struct http_connection *c);
/* Goes as far as it can. Returns how many answers were completed. On STEP_CLOSED the socket is gone. */
uint32_t connection_run(struct http_connection *c, bool readable, bool writable, uint32_t now_ms);

#endif
