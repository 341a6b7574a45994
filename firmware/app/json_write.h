/* Writes one JSON text into a fixed buffer.
 *
 * Knows: commas, quotes, escapes, and when the buffer is full.
 * Refuses to know: what is written. Names are our own plain words; values may be any octets, of
 * which those that are not plain ASCII come out as `?`.
 */
#ifndef APP_JSON_WRITE_H
#define APP_JSON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_writer {
  char *buffer;
  size_t size;
  size_t length;
  bool overflow; /* the text is cut and must not be sent */
  bool comma;    /* something stands before the next member */
};

struct json_writer json_into(char *buffer, size_t size);
/* `name` NULL: a value with no name, the outermost object. */
void json_open(struct json_writer *w, const char *name);
void json_close(struct json_writer *w);
void json_open_list(struct json_writer *w, const char *name);
void json_close_list(struct json_writer *w);
void json_put_u32(struct json_writer *w, const char *name, uint32_t value);
void json_put_u64(struct json_writer *w, const char *name, uint64_t value);
void json_put_bool(struct json_writer *w, const char *name, bool value);
void json_put_text(struct json_writer *w, const char *name, const char *value);
void json_put_null(struct json_writer *w, const char *name);

#endif
