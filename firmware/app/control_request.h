/* One control datagram, read and judged whole before anything is done.
 *
 * Knows: the grammar of requests (docs/control-protocol.md).
 * Refuses to know: sockets, and how a request is carried out.
 */
#ifndef APP_CONTROL_REQUEST_H
#define APP_CONTROL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control_auth.h"
#include "faults.h"
#include "json_read.h"

#define CONTROL_VERSION 1u
#define CONTROL_REQUEST_MAX 1024u

enum control_op { OP_STATUS, OP_FAULT, OP_PCBS, OP_CHALLENGE, OP_SET };

enum control_error {
  CONTROL_OK,
  CONTROL_BAD_JSON,
  CONTROL_BAD_VERSION,
  CONTROL_UNKNOWN_OP,
  CONTROL_UNKNOWN_FAULT,
  CONTROL_OUT_OF_RANGE,
  CONTROL_TOO_LARGE,
  CONTROL_NOT_COMPILED_IN,
  CONTROL_SNAPSHOT_GONE,
  CONTROL_UNKNOWN_REMEDY,
  CONTROL_NO_KEY,
  CONTROL_STALE_NONCE,
  CONTROL_BAD_MAC,
  CONTROL_SLOW_DOWN
};

struct control_request {
  bool has_id;
  uint32_t id;
  enum control_op op;
  struct fault_change faults;
  bool has_snapshot; /* OP_PCBS: a further page, of this list and from this block on */
  uint32_t snapshot, from;
  char nonce_made[NONCE_HEX + 1]; /* OP_CHALLENGE: filled in when it is carried out */
  /* OP_SET, read when the owner's word has been judged; these point into the datagram. */
  struct json_text nonce;
  bool has_set;
  struct json set;
  unsigned remedies_named; /* bits, so that none is taken twice */
  enum control_error error;
  char detail[96]; /* for people; never carries a peer's octets other than [a-z0-9_-] */
};

/* Never fails to answer: what is wrong stands in `error` and `detail`. */
void control_request_read(struct control_request *request, const char *datagram, size_t length);
/* What turned out only when the request was carried out. */
void control_request_refuse(struct control_request *request, enum control_error error,
                            const char *detail);
const char *control_error_name(enum control_error error);

#endif
