/* What the stack holds and has met, taken in one piece.
 *
 * Knows: how to look at lwIP's lists from another task (through the tcpip thread, never directly).
 * Refuses to know: what anybody concludes from it.
 */
#ifndef APP_STACK_ACCOUNT_H
#define APP_STACK_ACCOUNT_H

#include "lwip/arch.h"

#include "pcb_cap.h"
#include "time_wait.h"

/* lwIP's enum tcp_state, CLOSED to TIME_WAIT. */
#define TCP_STATE_COUNT 11

struct stack_account {
  u32_t pcbs[TCP_STATE_COUNT]; /* CLOSED: bound, not yet listening or connecting */
  struct time_wait_counters time_wait;
  struct pcb_cap_counters pcb_cap;
};

/* The RFC's name in lower case, as the control protocol spells it. */
const char *tcp_state_name(unsigned state);

/* Blocks until the tcpip thread has answered. Not to be called from that thread. */
struct stack_account stack_account_take(void);

#endif
