/* Stock lwIP in TIME-WAIT: a RST is ignored (RFC 1337), a SYN is answered by an ACK with the old
 * connection's numbers, or by a RST when its sequence falls into the old window. Both remedies
 * decide before lwIP sees the segment. */
#include "lwip/opt.h"

#include "time_wait.h"

#include <stdbool.h>

#include "lwip/def.h"
#include "lwip/ip.h"
#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"

#include "remedies.h"

/* Only the tcpip thread touches these; status reads them from inside it too. */
static struct time_wait_counters counters;
static bool replacing;
static u32_t replaced_snd_nxt;

static err_t rst_segment(struct tcp_pcb *pcb, const struct tcp_hdr *hdr);
static err_t syn_segment(struct tcp_pcb *pcb, struct tcp_hdr *hdr, u16_t optlen,
                         const u8_t *opt2, struct pbuf *p);
static bool give_back_header(struct tcp_hdr *hdr, u16_t optlen, const u8_t *opt2, struct pbuf *p);

err_t time_wait_segment(struct tcp_pcb *pcb, struct tcp_hdr *hdr, u16_t optlen, u8_t *opt2,
                        struct pbuf *p)
{
  u8_t flags = TCPH_FLAGS(hdr);
  if (flags & TCP_RST) {
    return rst_segment(pcb, hdr);
  }
  if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
    return syn_segment(pcb, hdr, optlen, opt2, p);
  }
  return ERR_OK;
}

static err_t rst_segment(struct tcp_pcb *pcb, const struct tcp_hdr *hdr)
{
  counters.rsts++;
  /* The exact sequence only, as RFC 5961 3.2 asks: it is the number of our own stale ACK coming
   * back, so the sender has seen that ACK. An old duplicate is what RFC 1337 fears; a guess in the
   * window is what RFC 5961 fears. */
  if (remedies_now().rst != RST_HONOUR || hdr->seqno != pcb->rcv_nxt) {
    return ERR_OK;
  }
  counters.rsts_honoured++;
  tcp_abort(pcb); /* in TIME-WAIT: frees the PCB, sends nothing */
  return ERR_ABRT;
}

static err_t syn_segment(struct tcp_pcb *pcb, struct tcp_hdr *hdr, u16_t optlen,
                         const u8_t *opt2, struct pbuf *p)
{
  counters.syns++;
  /* RFC 1122 4.2.2.13 (2): strictly beyond what the old connection received, or it may be a
   * duplicate from before. */
  if (remedies_now().syn == SYN_ACCEPT && TCP_SEQ_GT(hdr->seqno, pcb->rcv_nxt) &&
      give_back_header(hdr, optlen, opt2, p)) {
    counters.syns_accepted++;
    replaced_snd_nxt = pcb->snd_nxt;
    replacing = true;
    tcp_abort(pcb);
    /* Fed again, the same SYN now finds the listener. tcp_input() frees its pbuf, and so does the
     * call we are inside of: hence the second reference. */
    pbuf_ref(p);
    tcp_input(p, ip_current_input_netif());
    replacing = false;
    return ERR_ABRT;
  }
  if (TCP_SEQ_BETWEEN(hdr->seqno, pcb->rcv_nxt, pcb->rcv_nxt + pcb->rcv_wnd)) {
    counters.syns_in_window++;
  }
  return ERR_OK;
}

/* Undoes what tcp_input() did to the segment before it called the hook: the hidden header and the
 * host byte order. The checksum was left alone, so it holds again. */
static bool give_back_header(struct tcp_hdr *hdr, u16_t optlen, const u8_t *opt2, struct pbuf *p)
{
  if (opt2 != NULL) {
    return false; /* options split over two pbufs: not a SYN any stack sends; leave it to lwIP */
  }
  /* By force: a Wi-Fi driver's buffer comes as a PBUF_REF, to which nothing may be put in front, and
   * lwIP cannot know that what we ask for is what it has just hidden itself. */
  if (pbuf_add_header_force(p, (size_t)TCP_HLEN + optlen) != 0) {
    return false;
  }
  hdr->src = lwip_htons(hdr->src);
  hdr->dest = lwip_htons(hdr->dest);
  hdr->seqno = lwip_htonl(hdr->seqno);
  hdr->ackno = lwip_htonl(hdr->ackno);
  hdr->wnd = lwip_htons(hdr->wnd);
  return true;
}

u32_t time_wait_isn_above_old(u32_t isn)
{
  if (replacing && !TCP_SEQ_GT(isn, replaced_snd_nxt)) {
    return replaced_snd_nxt + 1;
  }
  return isn;
}

struct time_wait_counters time_wait_counters(void)
{
  return counters;
}
