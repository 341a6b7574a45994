/* The device without its stack: what firmware/app asks of lwIP and of the shell, answered by the harness.
 *
 * Knows: one datagram channel, lists of connection blocks that were made up, and a clock that stands still until it is told.
 * Refuses to know: the words on the channel.
 */
#ifndef FUZZ_STACK_H
#define FUZZ_STACK_H

#include <stddef.h>
#include <stdint.h>

/* Called for the next datagram: writes at most `size` octets and returns how many the datagram had, or -1 when there are
 * no more, which ends channel_run(). */
typedef long (*channel_next)(char *into, size_t size);
/* Called with each reply. */
typedef void (*channel_reply)(const char *reply, size_t length);

/* Starts the control channel, once. */
void channel_start(const uint8_t *key);
/* Lets the control task work until `next` has no more. */
void channel_run(channel_next next, channel_reply reply);

/* Milliseconds since start; never goes back. */
void stack_set_uptime_ms(uint64_t now);
uint64_t stack_uptime_ms(void);

/* Makes up so many connection blocks, of states and addresses that follow from `seed`. */
void stack_make_blocks(unsigned count, uint32_t seed);
/* The address that the next datagram comes from: one of a few. */
void stack_set_peer(unsigned which);

#endif
