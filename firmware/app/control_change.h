/* A change of remedies, from the request to what is in force.
 *
 * Knows: that the owner's word is judged first, and that a change is taken whole or not at all.
 * Refuses to know: nonces and MACs (control_auth.c), sockets, replies.
 */
#ifndef APP_CONTROL_CHANGE_H
#define APP_CONTROL_CHANGE_H

#include <stddef.h>

#include "control_request.h"

/* Who asks, as far as a nonce is concerned. */
struct asker {
  const void *address;
  size_t length;
};

/* Makes the nonce of an OP_CHALLENGE. */
void control_challenge(struct control_request *request, struct asker asker);
/* Judges an OP_SET, whose datagram this is, and puts the remedies; what is wrong stands in the request. */
void control_change(struct control_request *request, struct asker asker, const char *datagram,
                    size_t length);

#endif
