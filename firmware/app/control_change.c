/* Values are read into a copy, the mode before single remedies; only a copy without fault is put. */
#include "control_change.h"

#include <stdio.h>
#include <string.h>

#include "app.h"
#include "control_auth.h"
#include "remedies.h"

/* The last member, as it must be written: what stands before it is what was signed. */
static const char mac_begins[] = ",\"mac\":\"";
#define MAC_END_OCTETS (sizeof mac_begins - 1 + MAC_HEX + 2) /* and `"}` */

static bool is_owners(struct control_request *r, struct asker asker, const char *datagram,
                      size_t length, bool *again);
static void read_remedies(struct control_request *r, struct remedies *into);
static void read_mode(struct control_request *r, struct remedies *into);
static void read_remedy(struct control_request *r, struct json *set, struct json_text name,
                        struct remedies *into);
static bool value_text(struct json *set, char *text, size_t size);

void control_challenge(struct control_request *r, struct asker asker)
{
  control_auth_nonce(asker.address, asker.length, app_uptime_ms(), r->nonce_made);
}

void control_change(struct control_request *r, struct asker asker, const char *datagram,
                    size_t length)
{
  bool again = false;
  if (!is_owners(r, asker, datagram, length, &again)) {
    return;
  }
  struct remedies wanted = remedies_now();
  read_remedies(r, &wanted); /* a retry too: what was refused is refused again, in the same words */
  if (r->error == CONTROL_OK && !again) {
    remedies_put(&wanted);
  }
}

static bool is_owners(struct control_request *r, struct asker asker, const char *datagram,
                      size_t length, bool *again)
{
  size_t signed_length = length > MAC_END_OCTETS ? length - MAC_END_OCTETS : 0;
  const char *mac = datagram + signed_length + sizeof mac_begins - 1;
  size_t mac_length = MAC_HEX;
  if (signed_length == 0 || memcmp(datagram + signed_length, mac_begins, sizeof mac_begins - 1) != 0 ||
      memcmp(datagram + length - 2, "\"}", 2) != 0) {
    mac_length = 0; /* no MAC, or not where it belongs: judged all the same, so that the key and the rate come first */
  }
  switch (control_auth_judge(asker.address, asker.length, app_uptime_ms(), datagram, signed_length,
                             r->nonce.start, r->nonce.length, mac, mac_length)) {
  case AUTH_OK:
    return true;
  case AUTH_RETRY:
    *again = true;
    return true;
  case AUTH_NO_KEY:
    control_request_refuse(r, CONTROL_NO_KEY, "this firmware has no key: nobody may change it");
    break;
  case AUTH_STALE:
    control_request_refuse(r, CONTROL_STALE_NONCE, "ask for a challenge and sign with its nonce");
    break;
  case AUTH_BAD_MAC:
    control_request_refuse(r, CONTROL_BAD_MAC, "signed with another key, or not as the protocol has it");
    break;
  case AUTH_SLOW_DOWN:
    control_request_refuse(r, CONTROL_SLOW_DOWN, "too many tries or changes: wait");
    break;
  }
  return false;
}

static void read_remedies(struct control_request *r, struct remedies *into)
{
  struct json set = r->set;
  struct json_text name;
  if (!r->has_set || !json_enter_object(&set)) {
    control_request_refuse(r, CONTROL_BAD_JSON, "set is missing, or not an object");
    return;
  }
  read_mode(r, into);
  while (r->error == CONTROL_OK && json_next_name(&set, &name)) {
    if (json_text_is(name, "mode")) {
      json_skip_value(&set);
    } else {
      read_remedy(r, &set, name, into);
    }
  }
}

static void read_mode(struct control_request *r, struct remedies *into)
{
  struct json set = r->set;
  struct json_text name;
  char mode[24];
  bool seen = false;
  for (json_enter_object(&set); json_next_name(&set, &name);) {
    if (!json_text_is(name, "mode")) {
      json_skip_value(&set);
      continue;
    }
    if (seen) {
      control_request_refuse(r, CONTROL_BAD_JSON, "mode is given twice");
      return;
    }
    seen = true;
    if (!value_text(&set, mode, sizeof mode) || !remedies_of_mode(mode, into)) {
      control_request_refuse(r, CONTROL_UNKNOWN_REMEDY,
                             "there are the modes unfixed, fixed, fixed-app and fixed-all");
      return;
    }
  }
}

static void read_remedy(struct control_request *r, struct json *set, struct json_text name,
                        struct remedies *into)
{
  static const char *const names[] = {"msl_ms", "rst_in_time_wait", "syn_in_time_wait", "close",
                                      "pcb_cap"};
  char value[24];
  unsigned at = 0;
  while (at < sizeof names / sizeof names[0] && !json_text_is(name, names[at])) {
    at++;
  }
  if (at == sizeof names / sizeof names[0]) {
    control_request_refuse(r, CONTROL_UNKNOWN_REMEDY,
                           "there are msl_ms, rst_in_time_wait, syn_in_time_wait, close and pcb_cap");
    return;
  }
  if ((r->remedies_named & 1u << at) != 0) {
    control_request_refuse(r, CONTROL_BAD_JSON, "a remedy is given twice");
    return;
  }
  r->remedies_named |= 1u << at;
  const char *expected = value_text(set, value, sizeof value)
                             ? remedies_set_by_name(into, names[at], value)
                             : "a number or a word";
  if (expected != NULL) {
    char detail[sizeof r->detail];
    snprintf(detail, sizeof detail, "%s is %s", names[at], expected);
    control_request_refuse(r, CONTROL_OUT_OF_RANGE, detail);
  }
}

/* A whole number or a short word, as text. */
static bool value_text(struct json *set, char *text, size_t size)
{
  struct json_text word;
  uint32_t number;
  if (json_u32(set, &number)) {
    snprintf(text, size, "%lu", (unsigned long)number);
    return true;
  }
  if (!json_string(set, &word) || word.length >= size) {
    return false;
  }
  memcpy(text, word.start, word.length);
  text[word.length] = '\0';
  return true;
}
