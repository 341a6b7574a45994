/* In place of ESP-IDF's header of that name: first the project's hooks, then ESP-IDF's own. */
#ifndef CHECK_LWIP_DEFAULT_HOOKS_H
#define CHECK_LWIP_DEFAULT_HOOKS_H

#include "lwip/arch.h"
#include "lwip/err.h"
#include "lwip/ip_addr.h"
#include "lwip/pbuf.h"

#ifdef ESP_IDF_LWIP_HOOK_FILENAME
#include ESP_IDF_LWIP_HOOK_FILENAME
#endif

#ifdef CONFIG_LWIP_HOOK_TCP_ISN_CUSTOM
u32_t lwip_hook_tcp_isn(const ip_addr_t *local_ip, u16_t local_port, const ip_addr_t *remote_ip,
                        u16_t remote_port);
#define LWIP_HOOK_TCP_ISN lwip_hook_tcp_isn
#endif

#endif
