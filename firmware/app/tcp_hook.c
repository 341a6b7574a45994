/* Where lwIP hands over every TCP segment that found a PCB.
 *
 * Knows: which state is whose business.
 * Refuses to know: the business (time_wait.c, pcb_cap.c).
 */
#include "lwip/opt.h"

#include "lwip/priv/tcp_priv.h"

#include "app_lwip_hooks.h"
#include "pcb_cap.h"
#include "time_wait.h"

err_t app_tcp_inpacket(struct tcp_pcb *pcb, struct tcp_hdr *hdr, u16_t optlen, u8_t *opt2,
                       struct pbuf *p)
{
  if (pcb == NULL) {
    return ERR_OK;
  }
  switch (pcb->state) {
  case TIME_WAIT:
    return time_wait_segment(pcb, hdr, optlen, opt2, p);
  case LISTEN:
    return pcb_cap_listen_segment((const struct tcp_pcb_listen *)pcb, hdr);
  default: /* a live connection is lwIP's alone */
    return ERR_OK;
  }
}
