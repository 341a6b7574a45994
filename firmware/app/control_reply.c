/* Status, faults or an error: one object each. */
#include "lwip/opt.h"

#include "control_reply.h"

#include "lwip/init.h"
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
static void put_faults(struct json_writer *w, const struct fault_change *just_asked);
static void put_error(struct json_writer *w, const struct control_request *request);

const char *app_stack_name(void)
{
  return STACK;
}

size_t control_reply_write(const struct control_request *request, const struct app_identity *identity,
                           char *buffer, size_t size)
{
  struct json_writer w = json_into(buffer, size);
  put_head(&w, request, request->error == CONTROL_OK);
  if (request->error != CONTROL_OK) {
    put_error(&w, request);
  } else if (request->op == OP_FAULT) {
    put_faults(&w, &request->faults);
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
  struct remedies remedies = remedies_now();
  struct http_counters http = http_server_counters();
  struct stack_account account = stack_account_take();
  json_open(w, "status");
  json_put_u32(w, "protocol", CONTROL_VERSION);
  json_put_text(w, "firmware", identity->firmware);
  json_put_text(w, "chip", identity->chip);
  json_put_text(w, "stack", STACK);
  json_put_u64(w, "uptime_ms", app_uptime_ms());
  json_put_text(w, "mode", remedies_mode_name(&remedies));

  json_open(w, "remedies");
  json_put_u32(w, "msl_ms", remedies.msl_ms);
  json_put_text(w, "rst_in_time_wait", rst_in_time_wait_name(remedies.rst));
  json_put_text(w, "syn_in_time_wait", syn_in_time_wait_name(remedies.syn));
  json_put_text(w, "close", close_mode_name(remedies.close));
  json_put_u32(w, "pcb_cap", remedies.pcb_cap);
  json_close(w);

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

static void put_error(struct json_writer *w, const struct control_request *request)
{
  json_put_text(w, "error", control_error_name(request->error));
  json_put_text(w, "detail", request->detail);
}
