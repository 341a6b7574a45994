/* Initial sequence numbers of RFC 6528: a secret hash of the four-tuple plus a clock.
 *
 * Knows: the shape ESP-IDF's default has, in which one tuple's numbers only grow with time.
 * Refuses to know: connections.
 */
#include "lwip/opt.h"

#include <pthread.h>
#include <string.h>

#include "lwip/ip_addr.h"
#include "lwip/sys.h"

#include "random.h"
#include "time_wait.h"
#include "twin_lwip_hooks.h"

/* RFC 9293 3.4.1: a 4 microsecond clock. */
#define ISN_PER_MS 250u

static u32_t secret[2];
static pthread_once_t secret_once = PTHREAD_ONCE_INIT;

static void draw_secret(void)
{
  secret[0] = twin_random();
  secret[1] = twin_random();
}

/* FNV-1a, not a MAC: nobody attacks the twin, and a run shall be repeatable. */
static u32_t mix(u32_t hash, const void *octets, size_t length)
{
  const u8_t *at = octets;
  for (size_t i = 0; i < length; i++) {
    hash = (hash ^ at[i]) * 16777619u;
  }
  return hash;
}

static u32_t mix_address(u32_t hash, const ip_addr_t *address)
{
  if (IP_IS_V6(address)) {
    return mix(hash, ip_2_ip6(address)->addr, sizeof ip_2_ip6(address)->addr);
  }
  return mix(hash, &ip_2_ip4(address)->addr, sizeof ip_2_ip4(address)->addr);
}

u32_t twin_tcp_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                   u16_t remote_port)
{
  u16_t ports[2] = {local_port, remote_port};
  pthread_once(&secret_once, draw_secret);
  u32_t hash = mix(2166136261u, secret, sizeof secret);
  hash = mix_address(hash, local);
  hash = mix_address(hash, remote);
  hash = mix(hash, ports, sizeof ports);
  return time_wait_isn_above_old(hash + sys_now() * ISN_PER_MS);
}
