/* One datagram, read and judged, in memory of exactly its size. */
#include "control_request.h"

#include <stdlib.h>
#include <string.h>

#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct control_request request, again;
  char *datagram = exact(data, size);
  control_request_read(&request, datagram, size);
  if (request.error > CONTROL_SLOW_DOWN || control_error_name(request.error) == NULL) {
    abort();
  }
  if (memchr(request.detail, '\0', sizeof request.detail) == NULL ||
      (request.error == CONTROL_OK) != (request.detail[0] == '\0')) {
    abort(); /* a refusal says why, and nothing else does */
  }
  for (const char *c = request.detail; *c != '\0'; c++) {
    if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\') {
      abort(); /* it goes into JSON and onto terminals */
    }
  }
  if (size > CONTROL_REQUEST_MAX && request.error != CONTROL_TOO_LARGE) {
    abort();
  }
  for (int i = 0; i < FAULT_COUNT; i++) {
    if (request.error == CONTROL_OK && request.faults.asked[i] &&
        request.faults.value[i] > fault_shapes[i].most) {
      abort();
    }
  }
  control_request_read(&again, datagram, size);
  if (memcmp(request.detail, again.detail, sizeof request.detail) != 0 || request.op != again.op) {
    abort();
  }
  free(datagram);
  return 0;
}

/* The link is the shell's, and there is none. */
uint32_t shell_link_down_ms_left(void)
{
  return 0;
}

void shell_link_down(uint32_t ms)
{
  (void)ms;
}
