/* The application's hooks, and the one hook that on a chip is ESP-IDF's own: the initial sequence
 * number. lwIP's default counts seconds of its own timer and would give one number to many SYNs. */
#ifndef TWIN_LWIP_HOOKS_H
#define TWIN_LWIP_HOOKS_H

#include "app_lwip_hooks.h"
#include "lwip/ip_addr.h"

u32_t twin_tcp_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                   u16_t remote_port);
#define LWIP_HOOK_TCP_ISN twin_tcp_isn

#endif
