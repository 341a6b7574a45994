/* A limit on connection blocks, TIME-WAIT giving way first: what IDF 4.4 had, MicroPython 1.24 put
 * back by counting allocations, and IDF 5.3.3 restored.
 *
 * Knows: when a SYN would exceed the cap, and which TIME-WAIT is the oldest.
 * Refuses to know: what becomes of the connection then.
 */
#ifndef APP_PCB_CAP_H
#define APP_PCB_CAP_H

#include "lwip/arch.h"
#include "lwip/err.h"

struct tcp_pcb_listen;
struct tcp_hdr;

struct pcb_cap_counters {
  u32_t evicted;        /* TIME-WAITs ended early to make room */
  u32_t dropped_at_cap; /* SYNs dropped because nothing could give way */
};

/* Both run in the tcpip thread. */
err_t pcb_cap_listen_segment(const struct tcp_pcb_listen *listener, const struct tcp_hdr *hdr);
struct pcb_cap_counters pcb_cap_counters(void);

#endif
