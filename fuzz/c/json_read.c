/* The reader of JSON over any octets, each text in memory of exactly its size: one octet read beyond it is seen. */
#include "json_read.h"

#include <stdlib.h>
#include <string.h>

#include "target.h"

static void walk(struct json *j, unsigned depth);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  char *text = exact(data, size);
  struct json whole = json_from(text, size);
  bool is_value = json_skip_value(&whole) && json_at_end(&whole);
  struct json j = json_from(text, size);
  walk(&j, 0);
  if (is_value && (j.failed || !json_at_end(&j))) {
    abort(); /* what can be skipped as a whole can be read piece by piece */
  }
  free(text);
  return 0;
}

static void walk(struct json *j, unsigned depth)
{
  struct json before = *j;
  struct json_text name, text;
  uint32_t number;
  bool flag;
  if (json_string(j, &text)) {
    if (text.start < before.at || text.start + text.length > j->end) {
      abort();
    }
    (void)json_text_is(text, "mode");
  } else if (json_u32(j, &number) || json_bool(j, &flag)) {
    if (j->failed || j->at <= before.at) {
      abort();
    }
  } else if (!j->failed && depth < JSON_DEPTH && j->at < j->end && *j->at == '{') {
    json_enter_object(j);
    while (json_next_name(j, &name)) {
      walk(j, depth + 1);
    }
  } else {
    json_skip_value(j);
  }
  if (j->at < before.at || j->at > j->end) {
    abort();
  }
}
