/* Every connection block at one instant, kept for a moment so that it can be told in pages.
 *
 * Knows: lwIP's lists (through the tcpip thread, never directly) and how long a list stays good.
 * Refuses to know: how a page is written.
 */
#ifndef APP_PCB_LIST_H
#define APP_PCB_LIST_H

#include "lwip/arch.h"
#include "lwip/ip_addr.h"

/* What a chip can spare: 64 blocks of some 50 octets. A list that is longer is cut, and says so. */
#ifndef PCB_LIST_MAX
#define PCB_LIST_MAX 64u
#endif
/* How long the pages of one list can be had. */
#define PCB_LIST_KEPT_MS 5000u

struct pcb_entry {
  ip_addr_t local_ip, remote_ip;
  u16_t local_port, remote_port; /* remote_port 0: there is no peer (listening or bound) */
  u8_t state;                    /* lwIP's enum tcp_state */
  u32_t ticks;                   /* in TIME-WAIT: slow-timer ticks since its timer was started */
};

struct pcb_list {
  u32_t id; /* never 0 */
  u64_t uptime_ms;
  u32_t msl_ms, pcb_cap, evicted;
  u32_t total; /* blocks there were */
  u32_t kept;  /* blocks in `entries`; fewer where there were too many */
  struct pcb_entry entries[PCB_LIST_MAX];
};

/* The list of now, or the one that the same request was given already: a retry must not take from
 * its own first try the list whose pages are about to be asked for. Blocks until the tcpip thread
 * has answered. Only the control task may call these two: there is one list. */
const struct pcb_list *pcb_list_take(u32_t request_id);
/* NULL: there is no such list any more. */
const struct pcb_list *pcb_list_of(u32_t id);

/* What is left of TIME-WAIT, in whole ticks: lwIP frees the block between this and one tick later. */
u32_t pcb_left_ms(const struct pcb_list *list, const struct pcb_entry *entry);

#endif
