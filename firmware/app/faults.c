/* The table of faults and the values in force. */
#include "faults.h"

#include <stdatomic.h>

const struct fault_shape fault_shapes[FAULT_COUNT] = {
    [FAULT_STALL_MS] = {"stall_ms", FAULT_MS_MAX, 0, false},
    [FAULT_LEAK_MS] = {"leak_ms", FAULT_MS_MAX, 0, false},
    [FAULT_NO_READ_MS] = {"no_read_ms", FAULT_MS_MAX, 0, false},
    [FAULT_NO_ACCEPT] = {"no_accept", 1, 0, true},
    [FAULT_BACKLOG] = {"backlog", 255, 5, false},
    [FAULT_LOSS_IN_PERMILLE] = {"loss_in_permille", 1000, 0, false},
    [FAULT_LOSS_OUT_PERMILLE] = {"loss_out_permille", 1000, 0, false},
    [FAULT_LINK_DOWN_MS] = {"link_down_ms", FAULT_MS_MAX, 0, false},
};

static _Atomic uint32_t in_force[FAULT_COUNT] = {[FAULT_BACKLOG] = 5};

uint32_t fault_now(enum fault fault)
{
#ifdef APP_LINK_FAULTS
  if (fault == FAULT_LINK_DOWN_MS) {
    return shell_link_down_ms_left();
  }
#endif
  return atomic_load_explicit(&in_force[fault], memory_order_relaxed);
}

void faults_put_device(const struct fault_change *change)
{
  for (int i = 0; i < FIRST_LINK_FAULT; i++) {
    if (change->asked[i]) {
      atomic_store_explicit(&in_force[i], change->value[i], memory_order_relaxed);
    }
  }
}

void faults_put_link(const struct fault_change *change)
{
  for (int i = FIRST_LINK_FAULT; i < FAULT_LINK_DOWN_MS; i++) {
    if (change->asked[i]) {
      atomic_store_explicit(&in_force[i], change->value[i], memory_order_relaxed);
    }
  }
#ifdef APP_LINK_FAULTS
  if (change->asked[FAULT_LINK_DOWN_MS]) {
    shell_link_down(change->value[FAULT_LINK_DOWN_MS]);
  }
#endif
}

bool fault_compiled_in(enum fault fault)
{
#if defined APP_FAULTS && defined APP_LINK_FAULTS
  (void)fault;
  return true;
#elif defined APP_FAULTS
  return fault < FIRST_LINK_FAULT;
#else
  (void)fault;
  return false;
#endif
}
