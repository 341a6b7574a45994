/* A strict reader of one small JSON text, in place: no memory of its own, no recursion without end.
 *
 * Knows: RFC 8259's grammar, in ASCII (other octets must be escaped), nested at most JSON_DEPTH deep.
 * Refuses to know: what any name or value means.
 *
 * An error sticks: after the first one every call says no, and `failed` tells why it ended.
 */
#ifndef APP_JSON_READ_H
#define APP_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH 8

struct json {
  const char *at;
  const char *end;
  bool failed;
  bool first; /* nothing of the object entered last has been read yet */
};

/* Text between quotes, escapes not resolved: a name with an escape equals none of ours. */
struct json_text {
  const char *start;
  size_t length;
};

struct json json_from(const char *text, size_t length);

/* Enters an object; then json_next_name() until it says no, reading or skipping a value each time. */
bool json_enter_object(struct json *j);
bool json_next_name(struct json *j, struct json_text *name);

/* A whole number in [0, 2^32). False without an error when the value is something else: nothing is
 * consumed then, and the caller may skip it. The same holds for the two below. */
bool json_u32(struct json *j, uint32_t *value);
bool json_bool(struct json *j, bool *value);
bool json_string(struct json *j, struct json_text *value);

bool json_skip_value(struct json *j);
/* Nothing but white space is left, and nothing was wrong. */
bool json_at_end(struct json *j);

bool json_text_is(struct json_text text, const char *word);

#endif
