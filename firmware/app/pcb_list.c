/* One visit to the tcpip thread copies every list; what is told afterwards is that instant. */
#include "lwip/opt.h"

#include "pcb_list.h"

#include <stdbool.h>
#include <string.h>

#include "lwip/priv/tcp_priv.h"
#include "lwip/priv/tcpip_priv.h"
#include "lwip/sys.h"

#include "app.h"
#include "pcb_cap.h"
#include "remedies.h"

static struct pcb_list list;
static bool there_is_one;
static u32_t taken_for; /* the request */
static u32_t taken_at;  /* sys_now() */

static bool is_fresh(void);
static err_t copy_lists(struct tcpip_api_call_data *call);
static struct pcb_entry *next_entry(void);

const struct pcb_list *pcb_list_take(u32_t request_id)
{
  if (is_fresh() && taken_for == request_id) {
    return &list;
  }
  struct tcpip_api_call_data call;
  memset(&call, 0, sizeof call);
  u32_t id = list.id + 1;
  list.id = id != 0 ? id : 1;
  tcpip_api_call(copy_lists, &call);
  there_is_one = true;
  taken_for = request_id;
  taken_at = sys_now();
  return &list;
}

const struct pcb_list *pcb_list_of(u32_t id)
{
  return is_fresh() && list.id == id ? &list : NULL;
}

static bool is_fresh(void)
{
  return there_is_one && (u32_t)(sys_now() - taken_at) < PCB_LIST_KEPT_MS;
}

/* In the tcpip thread. Live connections first: if the list must be cut, listeners can be spared. */
static err_t copy_lists(struct tcpip_api_call_data *call)
{
  struct remedies remedies = remedies_now();
  LWIP_UNUSED_ARG(call);
  list.uptime_ms = app_uptime_ms();
  list.msl_ms = remedies.msl_ms;
  list.pcb_cap = remedies.pcb_cap;
  list.evicted = pcb_cap_counters().evicted;
  list.total = list.kept = 0;
  const struct tcp_pcb *const lists[] = {tcp_active_pcbs, tcp_tw_pcbs, tcp_bound_pcbs};
  for (size_t i = 0; i < LWIP_ARRAYSIZE(lists); i++) {
    for (const struct tcp_pcb *pcb = lists[i]; pcb != NULL; pcb = pcb->next) {
      struct pcb_entry *entry = next_entry();
      if (entry != NULL) {
        ip_addr_copy(entry->local_ip, pcb->local_ip);
        ip_addr_copy(entry->remote_ip, pcb->remote_ip);
        entry->local_port = pcb->local_port;
        entry->remote_port = pcb->remote_port;
        entry->state = (u8_t)pcb->state;
        entry->ticks = pcb->state == TIME_WAIT ? tcp_ticks - pcb->tmr : 0;
      }
    }
  }
  for (const struct tcp_pcb_listen *l = tcp_listen_pcbs.listen_pcbs; l != NULL; l = l->next) {
    struct pcb_entry *entry = next_entry();
    if (entry != NULL) {
      memset(entry, 0, sizeof *entry);
      ip_addr_copy(entry->local_ip, l->local_ip);
      entry->local_port = l->local_port;
      entry->state = LISTEN;
    }
  }
  return ERR_OK;
}

static struct pcb_entry *next_entry(void)
{
  list.total++;
  return list.kept < PCB_LIST_MAX ? &list.entries[list.kept++] : NULL;
}

u32_t pcb_left_ms(const struct pcb_list *of, const struct pcb_entry *entry)
{
  u32_t whole = 2 * of->msl_ms / TCP_SLOW_INTERVAL; /* as tcp_slowtmr() divides */
  return entry->ticks < whole ? (whole - entry->ticks) * TCP_SLOW_INTERVAL : 0;
}
