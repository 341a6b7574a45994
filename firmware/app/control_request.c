/* First the frame (v, id, op, the extent of `set`), then what `set` means for that op: the members
 * of a JSON object have no order. */
#include "control_request.h"

#include <stdio.h>
#include <string.h>

#include "json_read.h"

struct frame {
  bool has_version, has_op, has_set, has_snapshot, has_from, has_nonce;
  uint32_t version;
  struct json_text op;
  struct json set, snapshot, from; /* cursors standing before the value */
};

static bool read_frame(struct control_request *r, struct frame *f, const char *at, size_t length);
static bool read_member(struct control_request *r, struct frame *f, struct json *j,
                        struct json_text name);
static void read_faults(struct control_request *r, struct json set);
static void read_page(struct control_request *r, struct frame *f);
static void read_fault(struct control_request *r, struct json *set, struct json_text name);
static bool refuse(struct control_request *r, enum control_error error, const char *detail);
static bool refuse_named(struct control_request *r, enum control_error error, const char *before,
                         struct json_text name, const char *after);

void control_request_read(struct control_request *r, const char *datagram, size_t length)
{
  struct frame f;
  memset(r, 0, sizeof *r);
  memset(&f, 0, sizeof f);
  if (length > CONTROL_REQUEST_MAX) {
    refuse(r, CONTROL_TOO_LARGE, "a request has at most 1024 octets");
    return;
  }
  if (!read_frame(r, &f, datagram, length)) {
    return;
  }
  if (!f.has_version || f.version != CONTROL_VERSION) {
    refuse(r, CONTROL_BAD_VERSION, "this device speaks version 1, and v is missing or another");
  } else if (!r->has_id) {
    refuse(r, CONTROL_BAD_JSON, "no id, or not a whole number below 2^32");
  } else if (!f.has_op) {
    refuse(r, CONTROL_BAD_JSON, "no op, or not a string");
  } else if (json_text_is(f.op, "status")) {
    r->op = OP_STATUS;
  } else if (json_text_is(f.op, "fault")) {
    r->op = OP_FAULT;
    if (f.has_set) {
      read_faults(r, f.set);
    }
  } else if (json_text_is(f.op, "pcbs")) {
    r->op = OP_PCBS;
    read_page(r, &f);
  } else if (json_text_is(f.op, "challenge")) {
    r->op = OP_CHALLENGE;
  } else if (json_text_is(f.op, "set")) {
    r->op = OP_SET;
    r->has_set = f.has_set;
    r->set = f.set;
  } else {
    refuse_named(r, CONTROL_UNKNOWN_OP, "no op ", f.op,
                 "; there are status, fault, pcbs, challenge and set");
  }
}

static bool read_frame(struct control_request *r, struct frame *f, const char *at, size_t length)
{
  struct json j = json_from(at, length);
  struct json_text name;
  bool well_formed = json_enter_object(&j);
  while (well_formed && json_next_name(&j, &name)) {
    well_formed = read_member(r, f, &j, name);
  }
  if (r->error == CONTROL_OK && (!well_formed || !json_at_end(&j))) {
    refuse(r, CONTROL_BAD_JSON, "not one JSON object in ASCII, or nested too deep");
  }
  if (r->error != CONTROL_OK) {
    /* Half a datagram's id is not to be trusted. */
    r->has_id = false;
    return false;
  }
  return true;
}

/* A name given twice is refused: two readers might obey different halves. Unknown names are
 * skipped, so that a later version may add some. A value of the wrong type counts as absent. */
static bool read_member(struct control_request *r, struct frame *f, struct json *j,
                        struct json_text name)
{
  static const char twice[] = "a member is given twice";
  if (json_text_is(name, "v")) {
    if (f->has_version) {
      return refuse(r, CONTROL_BAD_JSON, twice);
    }
    f->has_version = json_u32(j, &f->version);
    return f->has_version || json_skip_value(j);
  }
  if (json_text_is(name, "id")) {
    if (r->has_id) {
      return refuse(r, CONTROL_BAD_JSON, twice);
    }
    r->has_id = json_u32(j, &r->id);
    return r->has_id || json_skip_value(j);
  }
  if (json_text_is(name, "op")) {
    if (f->has_op) {
      return refuse(r, CONTROL_BAD_JSON, twice);
    }
    f->has_op = json_string(j, &f->op);
    return f->has_op || json_skip_value(j);
  }
  if (json_text_is(name, "set")) {
    if (f->has_set) {
      return refuse(r, CONTROL_BAD_JSON, twice);
    }
    f->has_set = true;
    f->set = *j;
  }
  if (json_text_is(name, "nonce")) {
    if (f->has_nonce) {
      return refuse(r, CONTROL_BAD_JSON, twice);
    }
    f->has_nonce = true;
    return json_string(j, &r->nonce) || json_skip_value(j);
  }
  if (json_text_is(name, "snapshot")) {
    if (f->has_snapshot) {
      return refuse(r, CONTROL_BAD_JSON, twice);
    }
    f->has_snapshot = true;
    f->snapshot = *j;
  }
  if (json_text_is(name, "from")) {
    if (f->has_from) {
      return refuse(r, CONTROL_BAD_JSON, twice);
    }
    f->has_from = true;
    f->from = *j;
  }
  return json_skip_value(j);
}

/* Whether `from` lies inside the list is known only to whoever has the list. */
static void read_page(struct control_request *r, struct frame *f)
{
  if (f->has_from && !f->has_snapshot) {
    refuse(r, CONTROL_OUT_OF_RANGE, "from says where to go on in a snapshot, and none is named");
  } else if (f->has_snapshot && !json_u32(&f->snapshot, &r->snapshot)) {
    refuse(r, CONTROL_OUT_OF_RANGE, "snapshot is a whole number below 2^32");
  } else if (f->has_from && !json_u32(&f->from, &r->from)) {
    refuse(r, CONTROL_OUT_OF_RANGE, "from is a whole number below 2^32");
  }
  r->has_snapshot = f->has_snapshot;
}

static void read_faults(struct control_request *r, struct json set)
{
  struct json_text name;
  if (!json_enter_object(&set)) {
    refuse(r, CONTROL_BAD_JSON, "set is not an object");
    return;
  }
  while (r->error == CONTROL_OK && json_next_name(&set, &name)) {
    read_fault(r, &set, name);
  }
}

static void read_fault(struct control_request *r, struct json *set, struct json_text name)
{
  int i = 0;
  while (i < FAULT_COUNT && !json_text_is(name, fault_shapes[i].name)) {
    i++;
  }
  if (i == FAULT_COUNT) {
    refuse_named(r, CONTROL_UNKNOWN_FAULT, "no fault ", name, "");
    return;
  }
  const struct fault_shape *shape = &fault_shapes[i];
  if (!fault_compiled_in((enum fault)i)) {
    refuse_named(r, CONTROL_NOT_COMPILED_IN, "", name, " is not compiled into this firmware");
    return;
  }
  if (r->faults.asked[i]) {
    refuse_named(r, CONTROL_BAD_JSON, "", name, " is given twice");
    return;
  }
  bool flag;
  if (shape->flag) {
    if (!json_bool(set, &flag)) {
      refuse_named(r, CONTROL_OUT_OF_RANGE, "", name, " is true or false");
      return;
    }
    r->faults.value[i] = flag;
  } else if (!json_u32(set, &r->faults.value[i]) || r->faults.value[i] > shape->most) {
    char range[48];
    snprintf(range, sizeof range, " is a whole number, 0 to %lu", (unsigned long)shape->most);
    refuse_named(r, CONTROL_OUT_OF_RANGE, "", name, range);
    return;
  }
  r->faults.asked[i] = true;
}

static bool refuse(struct control_request *r, enum control_error error, const char *detail)
{
  r->error = error;
  snprintf(r->detail, sizeof r->detail, "%s", detail);
  return false;
}

void control_request_refuse(struct control_request *r, enum control_error error, const char *detail)
{
  refuse(r, error, detail);
}

/* Echoes the peer's word only when it is short and plain: it goes into JSON and onto terminals. */
static bool refuse_named(struct control_request *r, enum control_error error, const char *before,
                         struct json_text name, const char *after)
{
  char word[25];
  bool plain = name.length > 0 && name.length < sizeof word;
  for (size_t i = 0; plain && i < name.length; i++) {
    char c = name.start[i];
    plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    word[i] = c;
  }
  word[plain ? name.length : 0] = '\0';
  r->error = error;
  snprintf(r->detail, sizeof r->detail, "%s%s%s", before, plain ? word : "of that name", after);
  return false;
}

const char *control_error_name(enum control_error error)
{
  static const char *const names[] = {
      [CONTROL_OK] = "ok",
      [CONTROL_BAD_JSON] = "bad-json",
      [CONTROL_BAD_VERSION] = "bad-version",
      [CONTROL_UNKNOWN_OP] = "unknown-op",
      [CONTROL_UNKNOWN_FAULT] = "unknown-fault",
      [CONTROL_OUT_OF_RANGE] = "out-of-range",
      [CONTROL_TOO_LARGE] = "too-large",
      [CONTROL_NOT_COMPILED_IN] = "not-compiled-in",
      [CONTROL_SNAPSHOT_GONE] = "snapshot-gone",
      [CONTROL_UNKNOWN_REMEDY] = "unknown-remedy",
      [CONTROL_NO_KEY] = "no-key",
      [CONTROL_STALE_NONCE] = "stale-nonce",
      [CONTROL_BAD_MAC] = "bad-mac",
      [CONTROL_SLOW_DOWN] = "slow-down",
  };
  return names[error];
}
