/* The order of starting: control last, so that whoever hears it finds the server listening. */
#include "app.h"

#include <stddef.h>

#include "control.h"
#include "http_server.h"

const char *app_start(const struct app_identity *identity)
{
  if (!http_server_start()) {
    return "the HTTP server's listening socket (TCP port 80)";
  }
  if (!control_start(identity)) {
    return "the control channel's socket (UDP port 7777)";
  }
  return NULL;
}
