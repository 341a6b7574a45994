/* A namespace of its own: whoever forgets the settings does not forget the starts. */
#include "boots.h"

#include "esp_log.h"
#include "nvs.h"

#define NAMESPACE "tcpwatch_boots"
#define NAME_COUNT "count"

uint32_t boots_count(void)
{
  nvs_handle_t flash = 0;
  uint32_t count = 0;
  if (nvs_open(NAMESPACE, NVS_READWRITE, &flash) != ESP_OK) {
    ESP_LOGW("boots", "this start is not counted: no room in flash");
    return 0;
  }
  if (nvs_get_u32(flash, NAME_COUNT, &count) != ESP_OK) {
    count = 0; /* the first since flash was erased */
  }
  if (count < UINT32_MAX) {
    count++;
  }
  if (nvs_set_u32(flash, NAME_COUNT, count) != ESP_OK || nvs_commit(flash) != ESP_OK) {
    ESP_LOGW("boots", "this start is not counted: flash did not take it");
    count = 0;
  }
  nvs_close(flash);
  return count;
}
