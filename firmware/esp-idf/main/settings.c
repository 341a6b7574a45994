/* The network comes whole from one place; the key may be built in though the network is stored. */
#include "settings.h"

#include <string.h>

#include "esp_log.h"
#include "nvs.h"
#include "sdkconfig.h"

#include "hmac.h"

#define NAMESPACE "tcpwatch"
#define NAME_SSID "ssid"
#define NAME_PASSWORD "password"
#define NAME_KEY "key"

static const char tag[] = "settings";

_Static_assert(sizeof CONFIG_TCPWATCH_WIFI_SSID <= CONSOLE_SSID_MAX + 1, "an SSID has at most 32 octets");
_Static_assert(sizeof CONFIG_TCPWATCH_WIFI_PASSWORD <= CONSOLE_PASSWORD_MAX + 1,
               "a Wi-Fi password has at most 64 characters");
_Static_assert(sizeof CONFIG_TCPWATCH_CONTROL_KEY == 1 ||
                   sizeof CONFIG_TCPWATCH_CONTROL_KEY == 2 * CONTROL_KEY_OCTETS + 1,
               "the control key has 64 hexadecimal digits, or is empty");

static void load_network(struct settings *into, nvs_handle_t flash, bool readable);
static void load_key(struct settings *into, nvs_handle_t flash, bool readable);

bool settings_are_built_in(void)
{
  return sizeof CONFIG_TCPWATCH_WIFI_SSID > 1;
}

void settings_load(struct settings *into)
{
  nvs_handle_t flash = 0;
  memset(into, 0, sizeof *into);
  bool readable = nvs_open(NAMESPACE, NVS_READONLY, &flash) == ESP_OK;
  load_network(into, flash, readable);
  load_key(into, flash, readable);
  if (readable) {
    nvs_close(flash);
  }
}

static void load_network(struct settings *into, nvs_handle_t flash, bool readable)
{
  if (settings_are_built_in()) {
    memcpy(into->ssid, CONFIG_TCPWATCH_WIFI_SSID, sizeof CONFIG_TCPWATCH_WIFI_SSID);
    memcpy(into->password, CONFIG_TCPWATCH_WIFI_PASSWORD, sizeof CONFIG_TCPWATCH_WIFI_PASSWORD);
    return;
  }
  size_t length = sizeof into->ssid;
  if (!readable || nvs_get_str(flash, NAME_SSID, into->ssid, &length) != ESP_OK) {
    into->ssid[0] = '\0';
    return;
  }
  length = sizeof into->password;
  if (nvs_get_str(flash, NAME_PASSWORD, into->password, &length) != ESP_OK) {
    into->password[0] = '\0';
  }
}

static void load_key(struct settings *into, nvs_handle_t flash, bool readable)
{
  static const char built_in[] = CONFIG_TCPWATCH_CONTROL_KEY;
  if (sizeof built_in > 1) {
    into->has_key = octets_from_hex(built_in, sizeof built_in - 1, into->key, sizeof into->key);
    if (!into->has_key) {
      ESP_LOGE(tag, "TCPWATCH_CONTROL_KEY is not lower-case hexadecimal: nobody may change remedies");
    }
    return;
  }
  size_t length = sizeof into->key;
  into->has_key = readable && nvs_get_blob(flash, NAME_KEY, into->key, &length) == ESP_OK &&
                  length == sizeof into->key;
}

bool settings_store(enum console_word word, const char *value)
{
  uint8_t key[CONTROL_KEY_OCTETS];
  nvs_handle_t flash;
  esp_err_t failed;
  if (nvs_open(NAMESPACE, NVS_READWRITE, &flash) != ESP_OK) {
    return false;
  }
  switch (word) {
  case WORD_SSID:
    failed = nvs_set_str(flash, NAME_SSID, value);
    break;
  case WORD_PASSWORD:
    failed = nvs_set_str(flash, NAME_PASSWORD, value);
    break;
  case WORD_KEY:
    failed = octets_from_hex(value, strlen(value), key, sizeof key)
                 ? nvs_set_blob(flash, NAME_KEY, key, sizeof key)
                 : ESP_FAIL;
    break;
  default:
    failed = ESP_FAIL;
    break;
  }
  if (failed == ESP_OK) {
    failed = nvs_commit(flash);
  }
  nvs_close(flash);
  return failed == ESP_OK;
}

bool settings_forget(void)
{
  nvs_handle_t flash;
  if (nvs_open(NAMESPACE, NVS_READWRITE, &flash) != ESP_OK) {
    return false;
  }
  bool done = nvs_erase_all(flash) == ESP_OK && nvs_commit(flash) == ESP_OK;
  nvs_close(flash);
  return done;
}
