#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "esp_err.h"
#include "esp_event.h"

typedef struct esp_netif_obj esp_netif_t;
typedef struct {
  uint32_t addr;
} esp_ip4_addr_t;
typedef struct {
  esp_ip4_addr_t ip, netmask, gw;
} esp_netif_ip_info_t;
typedef struct {
  esp_netif_t *esp_netif;
  esp_netif_ip_info_t ip_info;
  bool ip_changed;
} ip_event_got_ip_t;
typedef enum { IP_EVENT_STA_GOT_IP } ip_event_t;
extern esp_event_base_t const IP_EVENT;

#define IPSTR "%d.%d.%d.%d"
#define CHECK_IP_OCTET(ip, n) ((int)(((ip)->addr >> (8 * (n))) & 0xff))
#define IP2STR(ip) CHECK_IP_OCTET(ip, 0), CHECK_IP_OCTET(ip, 1), CHECK_IP_OCTET(ip, 2), CHECK_IP_OCTET(ip, 3)

esp_err_t esp_netif_init(void);
esp_err_t esp_netif_set_hostname(esp_netif_t *esp_netif, const char *hostname);
esp_err_t esp_netif_create_ip6_linklocal(esp_netif_t *esp_netif);
