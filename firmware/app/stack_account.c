/* One visit to the tcpip thread counts every list at the same instant. */
#include "lwip/opt.h"

#include "stack_account.h"

#include <string.h>

#include "lwip/priv/tcp_priv.h"
#include "lwip/priv/tcpip_priv.h"

/* `call` first: lwIP hands the callback a pointer to it, which is then a pointer to the visit. */
struct visit {
  struct tcpip_api_call_data call;
  struct stack_account account;
};

static err_t count_lists(struct tcpip_api_call_data *call)
{
  struct stack_account *account = &((struct visit *)call)->account;
  for (const struct tcp_pcb *pcb = tcp_bound_pcbs; pcb != NULL; pcb = pcb->next) {
    account->pcbs[CLOSED]++;
  }
  for (const struct tcp_pcb_listen *l = tcp_listen_pcbs.listen_pcbs; l != NULL; l = l->next) {
    account->pcbs[LISTEN]++;
  }
  for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
    if ((unsigned)pcb->state < TCP_STATE_COUNT) {
      account->pcbs[pcb->state]++;
    }
  }
  for (const struct tcp_pcb *pcb = tcp_tw_pcbs; pcb != NULL; pcb = pcb->next) {
    account->pcbs[TIME_WAIT]++;
  }
  account->time_wait = time_wait_counters();
  account->pcb_cap = pcb_cap_counters();
  return ERR_OK;
}

struct stack_account stack_account_take(void)
{
  struct visit visit;
  memset(&visit, 0, sizeof visit);
  tcpip_api_call(count_lists, &visit.call);
  return visit.account;
}

const char *tcp_state_name(unsigned state)
{
  static const char *const names[TCP_STATE_COUNT] = {
      "bound",      "listen",     "syn_sent", "syn_received", "established", "fin_wait_1",
      "fin_wait_2", "close_wait", "closing",  "last_ack",     "time_wait",
  };
  return state < TCP_STATE_COUNT ? names[state] : "unknown";
}
