/* Initial sequence numbers of RFC 6528: a keyed hash of the four-tuple plus a 4 microsecond clock, as
 * ESP-IDF's own are, passed through time_wait.c for the one case in which they must not go back.
 *
 * Knows: the four-tuple. Refuses to know: connections. Runs in the tcpip task.
 */
#include "lwip/opt.h"

#include <stdbool.h>
#include <string.h>

#include "lwip/ip_addr.h"
#include "lwip/sys.h"
#include "lwip_default_hooks.h"

#include "hmac.h"
#include "time_wait.h"

#define ISN_PER_MS 250u

/* By the first SYN the radio is on, which is what makes the chip's random numbers random. */
static const uint8_t *secret(void)
{
  static uint8_t octets[SHA256_OCTETS];
  static bool drawn;
  if (!drawn) {
    for (size_t i = 0; i < sizeof octets; i += 4) {
      u32_t word = LWIP_RAND();
      memcpy(octets + i, &word, 4);
    }
    drawn = true;
  }
  return octets;
}

static void add_address(struct hmac *hash, const ip_addr_t *address)
{
  if (IP_IS_V6(address)) {
    hmac_add(hash, ip_2_ip6(address)->addr, sizeof ip_2_ip6(address)->addr);
  } else {
    hmac_add(hash, &ip_2_ip4(address)->addr, sizeof ip_2_ip4(address)->addr);
  }
}

u32_t lwip_hook_tcp_isn(const ip_addr_t *local_ip, u16_t local_port, const ip_addr_t *remote_ip,
                        u16_t remote_port)
{
  static struct hmac hash; /* static: a small stack, and one task */
  uint8_t digest[SHA256_OCTETS];
  u16_t ports[2] = {local_port, remote_port};
  u32_t number;
  hmac_begin(&hash, secret(), SHA256_OCTETS);
  add_address(&hash, local_ip);
  add_address(&hash, remote_ip);
  hmac_add(&hash, ports, sizeof ports);
  hmac_end(&hash, digest);
  memcpy(&number, digest, sizeof number);
  return time_wait_isn_above_old(number + sys_now() * ISN_PER_MS);
}
