/* What happens to a segment that meets a connection in TIME-WAIT.
 *
 * Knows: the RST and SYN rules of RFC 793, 1122, 1337 and 5961 for that one state, and counts.
 * Refuses to know: every other state, sockets, the control channel.
 */
#ifndef APP_TIME_WAIT_H
#define APP_TIME_WAIT_H

#include "lwip/arch.h"
#include "lwip/err.h"

struct tcp_pcb;
struct tcp_hdr;
struct pbuf;

struct time_wait_counters {
  u32_t syns;           /* SYNs without ACK that met a TIME-WAIT */
  u32_t syns_in_window; /* of these, the ones lwIP answers by RST instead of the stale ACK */
  u32_t rsts;           /* RSTs that met a TIME-WAIT, whatever their sequence */
  u32_t rsts_honoured;
  u32_t syns_accepted;
};

/* All of this file runs in the tcpip thread. */
err_t time_wait_segment(struct tcp_pcb *pcb, struct tcp_hdr *hdr, u16_t optlen, u8_t *opt2,
                        struct pbuf *p);
struct time_wait_counters time_wait_counters(void);

/* RFC 1122 4.2.2.13 (1): the connection that replaces a TIME-WAIT starts above the sequence numbers
 * of the old one. A shell that owns LWIP_HOOK_TCP_ISN passes its choice through here. */
u32_t time_wait_isn_above_old(u32_t isn);

#endif
