/* The one header lwIP itself includes: LWIP_HOOK_FILENAME in the twin, ESP_IDF_LWIP_HOOK_FILENAME
 * in an ESP-IDF project. No lwIP file is changed for any of this.
 *
 * Knows: which two places of lwIP the application replaces.
 * Refuses to know: what is done there (tcp_hook.c) and what is in force (remedies.c).
 */
#ifndef APP_LWIP_HOOKS_H
#define APP_LWIP_HOOKS_H

#include "lwip/arch.h"
#include "lwip/err.h"

struct tcp_pcb;
struct tcp_hdr;
struct pbuf;

/* tcp.c is the only user of TCP_MSL and includes this file after tcp_priv.h, so the constant can
 * become a call: TIME-WAIT lasts what is configured at the moment the timer looks. */
u32_t app_tcp_msl_ms(void);
#undef TCP_MSL
#define TCP_MSL app_tcp_msl_ms()

/* Called in the tcpip thread for every segment that found a PCB: TIME-WAIT, LISTEN or active.
 * Anything but ERR_OK makes tcp_input() drop the segment and look at the PCB no more. */
err_t app_tcp_inpacket(struct tcp_pcb *pcb, struct tcp_hdr *hdr, u16_t optlen, u8_t *opt2,
                       struct pbuf *p);
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, hdr, optlen, opt1len, opt2, p) \
  app_tcp_inpacket((struct tcp_pcb *)(pcb), hdr, optlen, opt2, p)

#endif
