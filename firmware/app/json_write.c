/* Appends, and remembers whether a comma is due. */
#include "json_write.h"

#include <string.h>

static void member(struct json_writer *w, const char *name);
static void text(struct json_writer *w, const char *s);
static void octet(struct json_writer *w, char c);

struct json_writer json_into(char *buffer, size_t size)
{
  struct json_writer w = {.buffer = buffer, .size = size};
  return w;
}

void json_open(struct json_writer *w, const char *name)
{
  member(w, name);
  octet(w, '{');
  w->comma = false;
}

void json_close(struct json_writer *w)
{
  octet(w, '}');
  w->comma = true;
}

void json_open_list(struct json_writer *w, const char *name)
{
  member(w, name);
  octet(w, '[');
  w->comma = false;
}

void json_close_list(struct json_writer *w)
{
  octet(w, ']');
  w->comma = true;
}

void json_put_u32(struct json_writer *w, const char *name, uint32_t value)
{
  json_put_u64(w, name, value);
}

/* By hand: the small printf of a chip's C library may have no %llu. */
void json_put_u64(struct json_writer *w, const char *name, uint64_t value)
{
  char digits[21];
  size_t at = sizeof digits - 1;
  digits[at] = '\0';
  do {
    digits[--at] = (char)('0' + value % 10);
    value /= 10;
  } while (value != 0);
  member(w, name);
  text(w, digits + at);
}

void json_put_bool(struct json_writer *w, const char *name, bool value)
{
  member(w, name);
  text(w, value ? "true" : "false");
}

void json_put_text(struct json_writer *w, const char *name, const char *value)
{
  member(w, name);
  octet(w, '"');
  for (; *value != '\0'; value++) {
    if (*value == '"' || *value == '\\') {
      octet(w, '\\');
    }
    octet(w, *value >= 0x20 && *value < 0x7f ? *value : '?');
  }
  octet(w, '"');
}

void json_put_null(struct json_writer *w, const char *name)
{
  member(w, name);
  text(w, "null");
}

static void member(struct json_writer *w, const char *name)
{
  if (w->comma) {
    octet(w, ',');
  }
  w->comma = true;
  if (name != NULL) {
    octet(w, '"');
    text(w, name);
    text(w, "\":");
  }
}

static void text(struct json_writer *w, const char *s)
{
  for (; *s != '\0'; s++) {
    octet(w, *s);
  }
}

static void octet(struct json_writer *w, char c)
{
  if (w->length < w->size) {
    w->buffer[w->length++] = c;
  } else {
    w->overflow = true;
  }
}
