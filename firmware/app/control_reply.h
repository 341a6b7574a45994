/* What the device says of itself, as one JSON datagram.
 *
 * Knows: the grammar of replies (docs/control-protocol.md) and where each number comes from.
 * Refuses to know: sockets.
 */
#ifndef APP_CONTROL_REPLY_H
#define APP_CONTROL_REPLY_H

#include <stddef.h>

#include "app.h"
#include "control_request.h"
#include "pcb_list.h"

#define CONTROL_REPLY_MAX 1399u

/* `list`: with OP_PCBS, the one a page is asked of. Returns the length, never more than `size`. */
size_t control_reply_write(const struct control_request *request, const struct app_identity *identity,
                           const struct pcb_list *list, char *buffer, size_t size);

#endif
