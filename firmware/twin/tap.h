/* The TAP device: how one is taken over or opened.
 *
 * Knows: Linux's tun driver, and no header of lwIP (the two define the same names).
 * Refuses to know: frames.
 */
#ifndef TWIN_TAP_H
#define TWIN_TAP_H

#include <stddef.h>

/* Both return the descriptor, or -1 with the reason and the next step in `why`. */
int tap_inherit(int fd, char *why, size_t why_size);
int tap_open(const char *name, char *why, size_t why_size);

#endif
