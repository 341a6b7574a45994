/* How often this device has been started, kept in flash.
 *
 * Knows: one number.
 * Refuses to know: why it was started.
 */
#ifndef BOOTS_H
#define BOOTS_H

#include <stdint.h>

/* Counts this start. Call it once, when NVS is ready. 0: flash did not take it. */
uint32_t boots_count(void);

#endif
