/* What the owner of this device chose: from the build, else from flash.
 *
 * Knows: which of the two wins, and the names in flash.
 * Refuses to know: where stored values come from (provisioning.c) and what they are used for.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "console_line.h"
#include "control_auth.h"

struct settings {
  char ssid[CONSOLE_SSID_MAX + 1]; /* empty: none yet */
  char password[CONSOLE_PASSWORD_MAX + 1];
  bool has_key;
  uint8_t key[CONTROL_KEY_OCTETS];
};

/* The network was chosen in the build: the console has nothing to ask. */
bool settings_are_built_in(void);
/* After nvs_flash_init(). What cannot be read counts as absent. */
void settings_load(struct settings *into);
/* `value` has passed console_line_complaint(). False: flash refused. */
bool settings_store(enum console_word word, const char *value);
bool settings_forget(void);

#endif
