/* The five remedies as atomics: written by one task, read by the tcpip thread and the server. */
#include "remedies.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "app_lwip_hooks.h"

static const char *const rst_names[] = {"ignore", "honour"};
static const char *const syn_names[] = {"refuse", "accept"};
static const char *const close_names[] = {"server-first", "client-first", "keep-alive", "reset"};

/* `fixed` leaves the close alone: what is compared is the same traffic on a better stack. */
static const struct {
  const char *name;
  struct remedies remedies;
} modes[] = {
    {"unfixed", {60000, RST_IGNORE, SYN_REFUSE, CLOSE_SERVER_FIRST, 0}},
    {"fixed", {6000, RST_HONOUR, SYN_ACCEPT, CLOSE_SERVER_FIRST, 12}},
    {"fixed-app", {60000, RST_IGNORE, SYN_REFUSE, CLOSE_KEEP_ALIVE, 0}},
    {"fixed-all", {6000, RST_HONOUR, SYN_ACCEPT, CLOSE_KEEP_ALIVE, 12}},
};
#define MODE_COUNT (sizeof modes / sizeof modes[0])

static _Atomic uint32_t msl_ms = 60000;
static _Atomic uint32_t rst = RST_IGNORE;
static _Atomic uint32_t syn = SYN_REFUSE;
static _Atomic uint32_t close_mode = CLOSE_SERVER_FIRST;
static _Atomic uint32_t pcb_cap;

struct remedies remedies_now(void)
{
  struct remedies now = {
      .msl_ms = atomic_load_explicit(&msl_ms, memory_order_relaxed),
      .rst = (enum rst_in_time_wait)atomic_load_explicit(&rst, memory_order_relaxed),
      .syn = (enum syn_in_time_wait)atomic_load_explicit(&syn, memory_order_relaxed),
      .close = (enum close_mode)atomic_load_explicit(&close_mode, memory_order_relaxed),
      .pcb_cap = atomic_load_explicit(&pcb_cap, memory_order_relaxed),
  };
  return now;
}

void remedies_put(const struct remedies *wanted)
{
  atomic_store_explicit(&msl_ms, wanted->msl_ms, memory_order_relaxed);
  atomic_store_explicit(&rst, wanted->rst, memory_order_relaxed);
  atomic_store_explicit(&syn, wanted->syn, memory_order_relaxed);
  atomic_store_explicit(&close_mode, wanted->close, memory_order_relaxed);
  atomic_store_explicit(&pcb_cap, wanted->pcb_cap, memory_order_relaxed);
}

u32_t app_tcp_msl_ms(void)
{
  return atomic_load_explicit(&msl_ms, memory_order_relaxed);
}

/* Decimal digits only: strtoul would take signs, spaces and overflow in silence. */
static bool number_within(const char *text, uint32_t least, uint32_t most, uint32_t *into)
{
  uint32_t n = 0;
  if (*text == '\0') {
    return false;
  }
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9' || n > most) {
      return false;
    }
    n = n * 10 + (uint32_t)(*text - '0');
  }
  if (n < least || n > most) {
    return false;
  }
  *into = n;
  return true;
}

static int word_index(const char *const *words, int count, const char *word)
{
  for (int i = 0; i < count; i++) {
    if (strcmp(words[i], word) == 0) {
      return i;
    }
  }
  return -1;
}

const char *remedies_set_by_name(struct remedies *into, const char *name, const char *value)
{
  int i;
  if (strcmp(name, "msl_ms") == 0) {
    return number_within(value, MSL_MS_MIN, MSL_MS_MAX, &into->msl_ms)
               ? NULL
               : "milliseconds of MSL, 250 to 600000 (TIME-WAIT lasts twice that)";
  }
  if (strcmp(name, "pcb_cap") == 0) {
    return number_within(value, 0, PCB_CAP_MAX, &into->pcb_cap)
               ? NULL
               : "a number of PCBs, 1 to 255, or 0 for no cap";
  }
  if (strcmp(name, "rst_in_time_wait") == 0) {
    if ((i = word_index(rst_names, 2, value)) < 0) {
      return "ignore or honour";
    }
    into->rst = (enum rst_in_time_wait)i;
    return NULL;
  }
  if (strcmp(name, "syn_in_time_wait") == 0) {
    if ((i = word_index(syn_names, 2, value)) < 0) {
      return "refuse or accept";
    }
    into->syn = (enum syn_in_time_wait)i;
    return NULL;
  }
  if (strcmp(name, "close") == 0) {
    if ((i = word_index(close_names, 4, value)) < 0) {
      return "server-first, client-first, keep-alive or reset";
    }
    into->close = (enum close_mode)i;
    return NULL;
  }
  return "one of msl_ms, rst_in_time_wait, syn_in_time_wait, close, pcb_cap";
}

bool remedies_of_mode(const char *mode, struct remedies *into)
{
  for (size_t i = 0; i < MODE_COUNT; i++) {
    if (strcmp(modes[i].name, mode) == 0) {
      *into = modes[i].remedies;
      return true;
    }
  }
  return false;
}

const char *remedies_mode_name(const struct remedies *r)
{
  for (size_t i = 0; i < MODE_COUNT; i++) {
    const struct remedies *m = &modes[i].remedies;
    if (m->msl_ms == r->msl_ms && m->rst == r->rst && m->syn == r->syn && m->close == r->close &&
        m->pcb_cap == r->pcb_cap) {
      return modes[i].name;
    }
  }
  return "custom";
}

const char *remedies_mode_list(void)
{
  return "unfixed, fixed, fixed-app or fixed-all";
}

const char *rst_in_time_wait_name(enum rst_in_time_wait value)
{
  return rst_names[value];
}

const char *syn_in_time_wait_name(enum syn_in_time_wait value)
{
  return syn_names[value];
}

const char *close_mode_name(enum close_mode value)
{
  return close_names[value];
}
