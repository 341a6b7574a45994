/* The whole way of a control datagram, through the firmware's own task: requests of any octets, signed changes, further
 * pages, a clock that goes on. The remedies must never change but by a change that was signed.
 *
 * The input is a sequence of actions: which one, its length (two octets), and so many octets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_auth.h"
#include "control_reply.h"
#include "control_request.h"
#include "hmac.h"
#include "json_read.h"
#include "remedies.h"
#include "stack.h"
#include "target.h"

enum action {
  SEND,      /* these octets, as they are */
  CHALLENGE, /* asks for a nonce */
  CHANGE,    /* a change with these octets as its `set`, signed */
  FORGE,     /* the same, with one digit of the signature changed */
  REPEAT,    /* the last change once more */
  FURTHER,   /* the next page of the list */
  WAIT,      /* time passes: the octets' number, in units of 100 ms */
  PEER,      /* somebody else asks */
  ACTIONS
};

static const uint8_t key[CONTROL_KEY_OCTETS] = {1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t *input;
static size_t left;
static char nonce[NONCE_HEX + 1];
static char last[2 * CONTROL_REQUEST_MAX];
static size_t last_length;
static uint32_t snapshot, from;
static struct remedies before;
static bool is_signed;

static long next(char *into, size_t size);
static long act(enum action action, const uint8_t *octets, size_t length, char *into, size_t size);
static long put(char *into, size_t size, const char *octets, size_t length);
static void sign(const uint8_t *set, size_t length, bool forged);
static void reply(const char *text, size_t length);
static void judge_remedies(void);
static void remember(struct json j);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static bool started;
  struct remedies unfixed;
  if (!started) {
    channel_start(key);
    started = true;
  }
  /* Nonces, tries and lists of the input before are of the past, and its remedies too. */
  stack_set_uptime_ms(stack_uptime_ms() + 100000);
  stack_set_peer(0);
  stack_make_blocks(size > 0 ? data[0] : 0, size > 1 ? data[1] : 0);
  remedies_of_mode("unfixed", &unfixed);
  remedies_put(&unfixed);
  before = unfixed;
  memset(nonce, '0', sizeof nonce - 1);
  last_length = 0;
  snapshot = from = 0;
  is_signed = false;
  input = size > 2 ? data + 2 : data + size;
  left = size > 2 ? size - 2 : 0;
  channel_run(next, reply);
  judge_remedies();
  return 0;
}

static long next(char *into, size_t size)
{
  for (;;) {
    judge_remedies();
    if (left < 3) {
      return -1;
    }
    enum action action = (enum action)(input[0] % ACTIONS);
    size_t length = (size_t)input[1] << 8 | input[2];
    input += 3;
    left -= 3;
    length = length < left ? length : left;
    const uint8_t *octets = input;
    input += length;
    left -= length;
    long got = act(action, octets, length, into, size);
    if (got >= 0) {
      return got;
    }
  }
}

/* The datagram that is sent, or -1 where nothing is. */
static long act(enum action action, const uint8_t *octets, size_t length, char *into, size_t size)
{
  char text[128];
  uint32_t number = 0;
  for (size_t i = 0; i < length && i < 3; i++) {
    number = number << 8 | octets[i];
  }
  is_signed = false;
  switch (action) {
  case SEND:
    return put(into, size, (const char *)octets, length);
  case CHALLENGE:
    snprintf(text, sizeof text, "{\"v\":1,\"id\":1,\"op\":\"challenge\"}");
    return put(into, size, text, strlen(text));
  case CHANGE:
  case FORGE:
    sign(octets, length, action == FORGE);
    is_signed = action == CHANGE;
    return put(into, size, last, last_length);
  case REPEAT:
    return put(into, size, last, last_length);
  case FURTHER:
    snprintf(text, sizeof text, "{\"v\":1,\"id\":2,\"op\":\"pcbs\",\"snapshot\":%lu,\"from\":%lu}",
             (unsigned long)snapshot, (unsigned long)from);
    return put(into, size, text, strlen(text));
  case WAIT:
    stack_set_uptime_ms(stack_uptime_ms() + number * 100ull);
    return -1;
  case PEER:
    stack_set_peer(number % 3);
    return -1;
  case ACTIONS:
    break;
  }
  return -1;
}

/* As a socket does: what does not fit is cut off. */
static long put(char *into, size_t size, const char *octets, size_t length)
{
  length = length < size ? length : size;
  /* Behind the datagram stands what was there before, as on a device. */
  memcpy(into, octets, length);
  return (long)length;
}

/* With the nonce that was given last, under the right key. */
static void sign(const uint8_t *set, size_t length, bool forged)
{
  static const char purpose[] = "esp-tcpwatch control 1\n";
  uint8_t octets[SHA256_OCTETS];
  char hex[MAC_HEX + 1];
  struct hmac mac;
  int head = snprintf(last, sizeof last, "{\"v\":1,\"id\":3,\"op\":\"set\",\"nonce\":\"%s\",\"set\":", nonce);
  size_t room = sizeof last - (size_t)head - MAC_HEX - 16;
  length = length < room ? length : room;
  memcpy(last + head, set, length);
  last_length = (size_t)head + length;
  hmac_begin(&mac, key, sizeof key);
  hmac_add(&mac, purpose, sizeof purpose - 1);
  hmac_add(&mac, last, last_length);
  hmac_end(&mac, octets);
  octets_to_hex(octets, sizeof octets, hex);
  if (forged) {
    hex[length % MAC_HEX] = hex[length % MAC_HEX] == '0' ? '1' : '0';
  }
  memcpy(last + last_length, ",\"mac\":\"", 8);
  memcpy(last + last_length + 8, hex, MAC_HEX);
  memcpy(last + last_length + 8 + MAC_HEX, "\"}", 2);
  last_length += 8 + MAC_HEX + 2;
}

/* One JSON object in plain ASCII that fits. */
static void reply(const char *text, size_t length)
{
  char *copy = exact(text, length);
  struct json j = json_from(copy, length);
  if (length > CONTROL_REPLY_MAX || !json_skip_value(&j) || !json_at_end(&j)) {
    abort();
  }
  remember(json_from(copy, length));
  free(copy);
}

/* The nonce, and where the list goes on. */
static void remember(struct json j)
{
  struct json_text name, text;
  json_enter_object(&j);
  while (json_next_name(&j, &name)) {
    if (json_text_is(name, "challenge")) {
      struct json inner = j;
      json_enter_object(&inner);
      if (json_next_name(&inner, &name) && json_string(&inner, &text) && text.length == NONCE_HEX) {
        memcpy(nonce, text.start, NONCE_HEX);
      }
    } else if (json_text_is(name, "pcbs")) {
      struct json inner = j;
      for (json_enter_object(&inner); json_next_name(&inner, &name);) {
        uint32_t *into = json_text_is(name, "snapshot") ? &snapshot : json_text_is(name, "next") ? &from : NULL;
        if (into == NULL || !json_u32(&inner, into)) {
          json_skip_value(&inner);
        }
      }
    }
    json_skip_value(&j);
  }
}

/* Called after each datagram was dealt with. */
static void judge_remedies(void)
{
  struct remedies now = remedies_now();
  bool changed = now.msl_ms != before.msl_ms || now.rst != before.rst || now.syn != before.syn ||
                 now.close != before.close || now.pcb_cap != before.pcb_cap;
  if (changed && !is_signed) {
    abort(); /* nobody but the owner changes the device */
  }
  if (now.msl_ms < MSL_MS_MIN || now.msl_ms > MSL_MS_MAX || now.pcb_cap > PCB_CAP_MAX) {
    abort();
  }
  before = now;
}
