/* The cap is kept where a PCB is about to be made: at a SYN that found a listener. */
#include "lwip/opt.h"

#include "pcb_cap.h"

#include <stddef.h>

#include "lwip/priv/tcp_priv.h"

#include "remedies.h"

static struct pcb_cap_counters counters;

static u32_t connection_pcbs(void);
static struct tcp_pcb *oldest_time_wait(void);

err_t pcb_cap_listen_segment(const struct tcp_pcb_listen *listener, const struct tcp_hdr *hdr)
{
  u32_t cap = remedies_now().pcb_cap;
  if (cap == 0 || (TCPH_FLAGS(hdr) & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN) {
    return ERR_OK;
  }
#if TCP_LISTEN_BACKLOG
  if (listener->accepts_pending >= listener->backlog) {
    return ERR_OK; /* lwIP is about to drop this SYN: no TIME-WAIT need die for it */
  }
#else
  LWIP_UNUSED_ARG(listener);
#endif
  while (connection_pcbs() >= cap) {
    struct tcp_pcb *oldest = oldest_time_wait();
    if (oldest == NULL) {
      counters.dropped_at_cap++;
      return ERR_MEM; /* in silence, as lwIP does when a pool is empty */
    }
    counters.evicted++;
    tcp_abort(oldest);
  }
  return ERR_OK;
}

/* Listeners come from a pool of their own and do not count, in IDF as here. */
static u32_t connection_pcbs(void)
{
  u32_t n = 0;
  for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
    n++;
  }
  for (const struct tcp_pcb *pcb = tcp_tw_pcbs; pcb != NULL; pcb = pcb->next) {
    n++;
  }
  for (const struct tcp_pcb *pcb = tcp_bound_pcbs; pcb != NULL; pcb = pcb->next) {
    n++;
  }
  return n;
}

static struct tcp_pcb *oldest_time_wait(void)
{
  struct tcp_pcb *oldest = NULL;
  u32_t age = 0;
  for (struct tcp_pcb *pcb = tcp_tw_pcbs; pcb != NULL; pcb = pcb->next) {
    u32_t since = tcp_ticks - pcb->tmr;
    /* Ticks are half a second long; lwIP's list has the newest first, so the last of equals. */
    if (oldest == NULL || since >= age) {
      oldest = pcb;
      age = since;
    }
  }
  return oldest;
}

struct pcb_cap_counters pcb_cap_counters(void)
{
  return counters;
}
