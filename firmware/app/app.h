/* The test firmware as a shell sees it: give it a name, start it on a running stack.
 *
 * Knows: what every shell must bring and what it gets.
 * Refuses to know: chips, links, Wi-Fi, command lines.
 */
#ifndef APP_H
#define APP_H

#include <stdbool.h>
#include <stdint.h>

#define APP_FIRMWARE_VERSION "0.1.0"

/* Must outlive the application. Plain words: they are sent as JSON without escaping. */
struct app_identity {
  const char *firmware; /* version of the test firmware */
  const char *chip;     /* "esp32c3", "twin" */
  const uint8_t *control_key; /* 32 octets, or NULL: nobody may change remedies */
};

/* The server and the control channel, each in a task of its own. Call when the tcpip thread runs,
 * from any other thread. NULL when both listen; else what could not be opened. */
const char *app_start(const struct app_identity *identity);

/* "lwIP 2.2.1": the stack this was compiled against. */
const char *app_stack_name(void);

/* The shell's: milliseconds since start. lwIP's own clock wraps after 49 days. */
uint64_t app_uptime_ms(void);

/* The shell's: another number at each start, by chance. Whoever sees it change knows of a restart,
 * however long the device had been up. */
uint32_t app_boot(void);

/* The shell's: how often the device has been started, this start included. 0: it does not keep count. */
uint32_t app_boots(void);

struct app_heap {
  uint32_t free, lowest; /* octets: now, and the least there ever was since start */
};
/* The shell's. False: this device has no heap of its own that could run out. */
bool app_heap(struct app_heap *into);

#endif
