/* Status, faults, a page of connection blocks or an error: one object each. */
#include "lwip/opt.h"

#include "control_reply.h"

#include <ctype.h>
#include <stdio.h>

#include "lwip/init.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/sys.h"

#include "http_server.h"
#include "json_write.h"
#include "remedies.h"
#include "stack_account.h"

#define AS_TEXT(x) #x
#define NUMBER_TEXT(x) AS_TEXT(x)
#define STACK                                                                     \
  "lwIP " NUMBER_TEXT(LWIP_VERSION_MAJOR) "." NUMBER_TEXT(LWIP_VERSION_MINOR) "." \
      NUMBER_TEXT(LWIP_VERSION_REVISION)

static void put_head(struct json_writer *w, const struct control_request *request, bool ok);
static void put_status(struct json_writer *w, const struct app_identity *identity);
static void put_mode(struct json_writer *w);
static void put_challenge(struct json_writer *w, const struct control_request *request);
static void put_faults(struct json_writer *w, const struct fault_change *just_asked);
static void put_boots(struct json_writer *w);
static void put_heap(struct json_writer *w);
static void put_page(struct json_writer *w, const struct pcb_list *list, u32_t from);
static void put_pcb(struct json_writer *w, const struct pcb_list *list, const struct pcb_entry *entry);
static void put_socket(struct json_writer *w, const char *name, const ip_addr_t *ip, u16_t port);
static void put_error(struct json_writer *w, const struct control_request *request);

const char *app_stack_name(void)
{
  return STACK;
}

size_t control_reply_write(const struct control_request *request, const struct app_identity *identity,
                           const struct pcb_list *list, char *buffer, size_t size)
{
  struct json_writer w = json_into(buffer, size);
  put_head(&w, request, request->error == CONTROL_OK);
  if (request->error != CONTROL_OK) {
    put_error(&w, request);
  } else if (request->op == OP_FAULT) {
    put_faults(&w, &request->faults);
  } else if (request->op == OP_CHALLENGE) {
    put_challenge(&w, request);
  } else if (request->op == OP_SET) {
    put_mode(&w);
  } else if (request->op == OP_PCBS) {
    put_page(&w, list, request->from);
  } else {
    put_status(&w, identity);
  }
  json_close(&w);
  return w.overflow ? 0 : w.length;
}

static void put_head(struct json_writer *w, const struct control_request *request, bool ok)
{
  json_open(w, NULL);
  json_put_u32(w, "v", CONTROL_VERSION);
  if (request->has_id) {
    json_put_u32(w, "id", request->id);
  } else {
    json_put_null(w, "id");
  }
  json_put_bool(w, "ok", ok);
}

static void put_status(struct json_writer *w, const struct app_identity *identity)
{
  struct http_counters http = http_server_counters();
  struct stack_account account = stack_account_take();
  json_open(w, "status");
  json_put_u32(w, "protocol", CONTROL_VERSION);
  json_put_text(w, "firmware", identity->firmware);
  json_put_text(w, "chip", identity->chip);
  json_put_text(w, "stack", STACK);
  json_put_u64(w, "uptime_ms", app_uptime_ms());
  json_put_u32(w, "boot", app_boot());
  put_boots(w);
  put_heap(w);
  put_mode(w);
  put_faults(w, NULL);

  json_open(w, "http");
  json_put_u32(w, "accepted", http.accepted);
  json_put_u32(w, "served", http.served);
  json_put_u32(w, "errors", http.errors);
  json_close(w);

  json_open(w, "time_wait");
  json_put_u32(w, "syns", account.time_wait.syns);
  json_put_u32(w, "syns_in_window", account.time_wait.syns_in_window);
  json_put_u32(w, "rsts", account.time_wait.rsts);
  json_put_u32(w, "rsts_honoured", account.time_wait.rsts_honoured);
  json_put_u32(w, "syns_accepted", account.time_wait.syns_accepted);
  json_put_u32(w, "evicted", account.pcb_cap.evicted);
  json_put_u32(w, "dropped_at_cap", account.pcb_cap.dropped_at_cap);
  json_close(w);

  json_open(w, "pcbs");
  for (unsigned state = 0; state < TCP_STATE_COUNT; state++) {
    json_put_u32(w, tcp_state_name(state), account.pcbs[state]);
  }
  json_close(w);
  json_close(w);
}

static void put_mode(struct json_writer *w)
{
  struct remedies remedies = remedies_now();
  json_put_text(w, "mode", remedies_mode_name(&remedies));
  json_open(w, "remedies");
  json_put_u32(w, "msl_ms", remedies.msl_ms);
  json_put_text(w, "rst_in_time_wait", rst_in_time_wait_name(remedies.rst));
  json_put_text(w, "syn_in_time_wait", syn_in_time_wait_name(remedies.syn));
  json_put_text(w, "close", close_mode_name(remedies.close));
  json_put_u32(w, "pcb_cap", remedies.pcb_cap);
  json_close(w);
}

static void put_challenge(struct json_writer *w, const struct control_request *request)
{
  json_open(w, "challenge");
  json_put_text(w, "nonce", request->nonce_made);
  json_put_u32(w, "valid_ms", NONCE_LIFE_MS);
  json_close(w);
}

/* What is in force, with what was just asked on top: a link that goes down may only do so after
 * this reply has left, and the reply tells it all the same. */
static void put_faults(struct json_writer *w, const struct fault_change *just_asked)
{
  json_open(w, "faults");
  for (int i = 0; i < FAULT_COUNT; i++) {
    if (!fault_compiled_in((enum fault)i)) {
      continue;
    }
    uint32_t value = just_asked != NULL && just_asked->asked[i] ? just_asked->value[i]
                                                                : fault_now((enum fault)i);
    if (fault_shapes[i].flag) {
      json_put_bool(w, fault_shapes[i].name, value != 0);
    } else {
      json_put_u32(w, fault_shapes[i].name, value);
    }
  }
  json_close(w);
}

static void put_boots(struct json_writer *w)
{
  uint32_t boots = app_boots();
  if (boots == 0) {
    json_put_null(w, "boots");
  } else {
    json_put_u32(w, "boots", boots);
  }
}

static void put_heap(struct json_writer *w)
{
  struct app_heap heap;
  if (!app_heap(&heap)) {
    json_put_null(w, "heap");
    return;
  }
  json_open(w, "heap");
  json_put_u32(w, "free", heap.free);
  json_put_u32(w, "lowest", heap.lowest);
  json_close(w);
}

/* What may still follow the last block: `],"next":4294967295}}`. */
#define PAGE_TAIL 24u

/* As many blocks as fit. One always does: its longest text is half a datagram. */
static void put_page(struct json_writer *w, const struct pcb_list *list, u32_t from)
{
  json_open(w, "pcbs");
  json_put_u32(w, "snapshot", list->id);
  json_put_u64(w, "uptime_ms", list->uptime_ms);
  json_put_u32(w, "tick_ms", TCP_SLOW_INTERVAL);
  json_put_u32(w, "msl_ms", list->msl_ms);
  json_put_u32(w, "pcb_cap", list->pcb_cap);
  json_put_u32(w, "evicted", list->evicted);
  json_put_u32(w, "total", list->total);
  json_put_u32(w, "kept", list->kept);
  json_put_u32(w, "from", from);
  json_open_list(w, "list");
  u32_t next = from;
  while (next < list->kept) {
    struct json_writer before = *w;
    put_pcb(w, list, &list->entries[next]);
    if (w->overflow || w->size - w->length < PAGE_TAIL) {
      *w = before;
      break;
    }
    next++;
  }
  json_close_list(w);
  if (next < list->kept) {
    json_put_u32(w, "next", next);
  } else {
    json_put_null(w, "next");
  }
  json_close(w);
}

static void put_pcb(struct json_writer *w, const struct pcb_list *list, const struct pcb_entry *entry)
{
  json_open(w, NULL);
  json_put_text(w, "state", tcp_state_name(entry->state));
  put_socket(w, "local", &entry->local_ip, entry->local_port);
  if (entry->remote_port != 0) {
    put_socket(w, "remote", &entry->remote_ip, entry->remote_port);
  }
  if (entry->state == TIME_WAIT) {
    json_put_u32(w, "left_ms", pcb_left_ms(list, entry));
    json_put_u32(w, "age_ms", entry->ticks * TCP_SLOW_INTERVAL);
  }
  json_close(w);
}

/* `10.77.0.2:80`, `[fd77::2]:80`. */
static void put_socket(struct json_writer *w, const char *name, const ip_addr_t *ip, u16_t port)
{
  char address[IPADDR_STRLEN_MAX], socket[IPADDR_STRLEN_MAX + 9];
  ipaddr_ntoa_r(ip, address, sizeof address);
  for (char *c = address; *c != '\0'; c++) {
    *c = (char)tolower((unsigned char)*c); /* RFC 5952 4.3; lwIP writes capitals */
  }
  snprintf(socket, sizeof socket, IP_IS_V6(ip) ? "[%s]:%u" : "%s:%u", address, (unsigned)port);
  json_put_text(w, name, socket);
}

static void put_error(struct json_writer *w, const struct control_request *request)
{
  json_put_text(w, "error", control_error_name(request->error));
  json_put_text(w, "detail", request->detail);
}
