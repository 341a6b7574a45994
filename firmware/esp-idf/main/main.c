/* The ESP32: settings, network, application, and then the console.
 *
 * Knows: the order of starting.
 * Refuses to know: what the device does meanwhile.
 */
#include <stdint.h>

#include "esp_event.h"
#include "esp_log.h"
#include "esp_netif.h"
#include "esp_random.h"
#include "esp_system.h"
#include "esp_timer.h"
#include "nvs_flash.h"
#include "sdkconfig.h"
#ifdef CONFIG_TCPWATCH_MDNS
#include "mdns.h"
#endif

#include "app.h"
#include "boots.h"
#include "provisioning.h"
#include "remedies.h"
#include "settings.h"
#include "wifi.h"

static const char tag[] = "esp-tcpwatch";

/* They outlive app_main(): the application holds on to them. */
static struct settings settings;
static uint32_t boots;
static struct app_identity identity = {.firmware = APP_FIRMWARE_VERSION, .chip = CONFIG_IDF_TARGET};

void app_main(void); /* ESP-IDF calls it, and declares it in no header */
static void flash_ready(void);
static void choose_mode(void);
static void announce(void);
static void serve(void);

void app_main(void)
{
  flash_ready();
  boots = boots_count();
  settings_load(&settings);
  ESP_ERROR_CHECK(esp_netif_init()); /* starts lwIP's task */
  ESP_ERROR_CHECK(esp_event_loop_create_default());
  if (settings.ssid[0] != '\0') {
    choose_mode();
    announce();
    wifi_start(settings.ssid, settings.password, CONFIG_TCPWATCH_HOSTNAME);
    serve();
  } else {
    ESP_LOGW(tag, "no network has been chosen");
  }
  if (!settings_are_built_in()) {
    provisioning_run();
  }
}

/* A full or foreign NVS partition is emptied, as ESP-IDF advises: it holds nothing that cannot be
 * typed again. */
static void flash_ready(void)
{
  esp_err_t err = nvs_flash_init();
  if (err == ESP_ERR_NVS_NO_FREE_PAGES || err == ESP_ERR_NVS_NEW_VERSION_FOUND) {
    ESP_ERROR_CHECK(nvs_flash_erase());
    err = nvs_flash_init();
  }
  ESP_ERROR_CHECK(err);
}

static void choose_mode(void)
{
  struct remedies remedies;
  if (remedies_of_mode(CONFIG_TCPWATCH_MODE, &remedies)) {
    remedies_put(&remedies);
  } else {
    ESP_LOGE(tag, "TCPWATCH_MODE is none of %s: starting unfixed", remedies_mode_list());
  }
}

static void announce(void)
{
#ifdef CONFIG_TCPWATCH_MDNS
  if (mdns_init() != ESP_OK || mdns_hostname_set(CONFIG_TCPWATCH_HOSTNAME) != ESP_OK ||
      mdns_service_add(NULL, "_http", "_tcp", 80, NULL, 0) != ESP_OK) {
    ESP_LOGW(tag, "no mDNS: reach this device by its address");
  }
#endif
}

/* After the radio is on: the nonces' secret is drawn here, and the chip's random numbers are
 * only as good as its noise. */
static void serve(void)
{
  identity.control_key = settings.has_key ? settings.key : NULL;
  const char *missing = app_start(&identity);
  if (missing != NULL) {
    ESP_LOGE(tag, "cannot open %s", missing);
    return;
  }
  ESP_LOGI(tag, "test firmware %s on %s; %s", identity.firmware, app_stack_name(),
           settings.has_key ? "remedies change with the key" : "no key: remedies stay as they are");
}

uint64_t app_uptime_ms(void)
{
  return (uint64_t)esp_timer_get_time() / 1000;
}

/* Tells two starts apart, and keeps no secret. */
uint32_t app_boot(void)
{
  static uint32_t boot;
  if (boot == 0) {
    boot = esp_random() | 1; /* the control channel's task alone asks */
  }
  return boot;
}

uint32_t app_boots(void)
{
  return boots;
}

bool app_heap(struct app_heap *into)
{
  into->free = esp_get_free_heap_size();
  into->lowest = esp_get_minimum_free_heap_size();
  return true;
}
