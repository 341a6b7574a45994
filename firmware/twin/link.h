/* The wire between lwIP and the TAP, with its faults.
 *
 * Knows: frames in, frames out, which of them get lost.
 * Refuses to know: addresses and everything above Ethernet.
 */
#ifndef TWIN_LINK_H
#define TWIN_LINK_H

#include "lwip/err.h"
#include "lwip/netif.h"

/* 24:0a:c4 is one of Espressif's own blocks: a watcher shall know the device by it. */
#define TWIN_MAC {0x24, 0x0a, 0xc4, 0x77, 0x00, 0x02}

/* The netif's init function; its `state` is the TAP's descriptor, as an intptr_t. */
err_t link_init(struct netif *netif);
/* Starts the thread that reads the TAP. When the TAP is gone it ends the process. */
void link_start(struct netif *netif);

#endif
