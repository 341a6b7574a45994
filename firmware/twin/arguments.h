/* What was typed, as plain data.
 *
 * Knows: the command line of the twin.
 * Refuses to know: what is done with it; it opens nothing.
 */
#ifndef TWIN_ARGUMENTS_H
#define TWIN_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "lwip/ip4_addr.h"
#include "lwip/ip6_addr.h"

#include "control_auth.h"
#include "remedies.h"

struct arguments {
  int tap_fd;           /* -1: not given */
  const char *tap_name; /* NULL: not given */
  ip4_addr_t ip, netmask, gateway;
  ip6_addr_t ip6;
  bool has_ip6, has_seed;
  uint64_t seed;
  uint32_t boots; /* 0: not given */
  bool has_key;
  uint8_t key[CONTROL_KEY_OCTETS];
  struct remedies remedies;
};

/* Returns -1 to go on, else the exit code: 0 after --help, 2 after telling what is wrong. */
int arguments_read(int argc, char **argv, struct arguments *into);

#endif
