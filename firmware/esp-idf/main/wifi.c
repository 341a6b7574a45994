/* Every loss of the network is followed by another try, later each time: an access point that has
 * just restarted is not helped by a device that asks without pause. */
#include "wifi.h"

#include <inttypes.h>
#include <string.h>

#include "esp_event.h"
#include "esp_log.h"
#include "esp_netif.h"
#include "esp_timer.h"
#include "esp_wifi.h"

#define FIRST_WAIT_MS 500u
#define LONGEST_WAIT_MS 30000u

static const char tag[] = "wifi";
static esp_netif_t *station;
static esp_timer_handle_t again;
static uint32_t wait_ms = FIRST_WAIT_MS; /* touched by the event task alone */

static void configure(const char *ssid, const char *password);
static void on_wifi_event(void *arg, esp_event_base_t base, int32_t id, void *data);
static void on_address(void *arg, esp_event_base_t base, int32_t id, void *data);
static void join(void *arg);

void wifi_start(const char *ssid, const char *password, const char *hostname)
{
  static const esp_timer_create_args_t timer = {.callback = join, .name = "wifi again"};
  wifi_init_config_t defaults = WIFI_INIT_CONFIG_DEFAULT();
  station = esp_netif_create_default_wifi_sta();
  ESP_ERROR_CHECK(esp_netif_set_hostname(station, hostname));
  ESP_ERROR_CHECK(esp_timer_create(&timer, &again));
  ESP_ERROR_CHECK(esp_wifi_init(&defaults));
  ESP_ERROR_CHECK(esp_event_handler_register(WIFI_EVENT, ESP_EVENT_ANY_ID, on_wifi_event, NULL));
  ESP_ERROR_CHECK(esp_event_handler_register(IP_EVENT, IP_EVENT_STA_GOT_IP, on_address, NULL));
  configure(ssid, password);
  ESP_ERROR_CHECK(esp_wifi_start());
  /* Modem sleep, the default, lets the access point hold frames back for up to some beacons: delays of
   * hundreds of milliseconds that look like a device which stalls. What is measured here is TCP. */
  ESP_ERROR_CHECK(esp_wifi_set_ps(WIFI_PS_NONE));
}

static void configure(const char *ssid, const char *password)
{
  wifi_config_t config;
  memset(&config, 0, sizeof config);
  /* Neither ends with a zero when it is as long as its field. */
  memcpy(config.sta.ssid, ssid, strnlen(ssid, sizeof config.sta.ssid));
  memcpy(config.sta.password, password, strnlen(password, sizeof config.sta.password));
  config.sta.threshold.authmode = password[0] != '\0' ? WIFI_AUTH_WPA2_PSK : WIFI_AUTH_OPEN;
  config.sta.sae_pwe_h2e = WPA3_SAE_PWE_BOTH;
  ESP_ERROR_CHECK(esp_wifi_set_storage(WIFI_STORAGE_RAM)); /* settings.c keeps it in flash already */
  ESP_ERROR_CHECK(esp_wifi_set_mode(WIFI_MODE_STA));
  ESP_ERROR_CHECK(esp_wifi_set_config(WIFI_IF_STA, &config));
  memset(&config, 0, sizeof config);
}

static void on_wifi_event(void *arg, esp_event_base_t base, int32_t id, void *data)
{
  (void)arg;
  (void)base;
  if (id == WIFI_EVENT_STA_START) {
    join(NULL);
  } else if (id == WIFI_EVENT_STA_CONNECTED) {
    esp_netif_create_ip6_linklocal(station);
  } else if (id == WIFI_EVENT_STA_DISCONNECTED) {
    const wifi_event_sta_disconnected_t *lost = data;
    ESP_LOGW(tag, "no network (reason %d); again in %" PRIu32 " ms", (int)lost->reason, wait_ms);
    esp_timer_start_once(again, (uint64_t)wait_ms * 1000);
    wait_ms = wait_ms * 2 < LONGEST_WAIT_MS ? wait_ms * 2 : LONGEST_WAIT_MS;
  }
}

static void on_address(void *arg, esp_event_base_t base, int32_t id, void *data)
{
  const ip_event_got_ip_t *got = data;
  (void)arg;
  (void)base;
  (void)id;
  wait_ms = FIRST_WAIT_MS;
  ESP_LOGI(tag, "http://" IPSTR "/ is up; status on UDP port 7777", IP2STR(&got->ip_info.ip));
}

/* A try that cannot even begin ends in no event, so it must arrange for the next one itself. */
static void join(void *arg)
{
  (void)arg;
  if (esp_wifi_connect() != ESP_OK) {
    esp_timer_start_once(again, (uint64_t)LONGEST_WAIT_MS * 1000);
  }
}
