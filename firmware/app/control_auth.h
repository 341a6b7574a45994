/* Who may change this device: one challenge, one signed request, no second use.
 *
 * Knows: the key, nonces and which were used, how often somebody may try.
 * Refuses to know: JSON, and what a change is.
 *
 * A nonce holds the time of its birth and a MAC of that and of the asker's address under a secret of this start, so
 * a flood of challenges costs no memory and pushes nobody out. Used nonces are remembered for as long as they live.
 */
#ifndef APP_CONTROL_AUTH_H
#define APP_CONTROL_AUTH_H

#include <stddef.h>
#include <stdint.h>

#define CONTROL_KEY_OCTETS 32u
#define NONCE_OCTETS 16u
#define NONCE_HEX (2 * NONCE_OCTETS)
#define MAC_HEX 64u
#define NONCE_LIFE_MS 30000u

enum auth_verdict {
  AUTH_OK,
  AUTH_RETRY,    /* this very request was taken already: answer it again, change nothing */
  AUTH_NO_KEY,   /* this firmware was built without a key: nobody may change it */
  AUTH_STALE,    /* the nonce is not ours, not this asker's, too old or used */
  AUTH_BAD_MAC,
  AUTH_SLOW_DOWN /* too many tries, or too many changes */
};

/* `key` NULL: no changes. Draws the secret of this start. Call once, before anything else. */
void control_auth_begin(const uint8_t *key);

/* A nonce for the asker at `address`. `now_ms` since start. */
void control_auth_nonce(const void *address, size_t address_length, uint64_t now_ms,
                        char nonce[NONCE_HEX + 1]);

/* Judges a request: `text` is what was signed, `nonce` and `mac` are hexadecimal, of any length. */
enum auth_verdict control_auth_judge(const void *address, size_t address_length, uint64_t now_ms,
                                     const char *text, size_t text_length, const char *nonce,
                                     size_t nonce_length, const char *mac, size_t mac_length);

#endif
