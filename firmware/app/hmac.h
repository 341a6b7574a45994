/* SHA-256 (FIPS 180-4) and HMAC over it (RFC 2104), for the control channel alone.
 *
 * Knows: octets. Refuses to know: keys' origin, nonces, what is signed.
 *
 * Small and portable, so that the twin and every chip run the same lines; nothing here is fast.
 */
#ifndef APP_HMAC_H
#define APP_HMAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_OCTETS 32u
#define SHA256_BLOCK 64u

struct sha256 {
  uint32_t state[8];
  uint64_t length; /* octets so far */
  uint8_t block[SHA256_BLOCK];
};

struct hmac {
  struct sha256 inner;
  uint8_t outer_pad[SHA256_BLOCK];
};

/* The key is at most one block long: ours have 32 octets. A longer one is cut, never read beyond. */
void hmac_begin(struct hmac *mac, const uint8_t *key, size_t key_length);
void hmac_add(struct hmac *mac, const void *octets, size_t length);
void hmac_end(struct hmac *mac, uint8_t digest[SHA256_OCTETS]);

/* In a time that tells nothing about where two texts differ. */
bool octets_equal(const uint8_t *a, const uint8_t *b, size_t length);

/* Lower-case hexadecimal, exactly 2 * length digits; false when `text` is anything else. */
bool octets_from_hex(const char *text, size_t text_length, uint8_t *octets, size_t length);
/* `text` gets 2 * length digits and a terminating zero. */
void octets_to_hex(const uint8_t *octets, size_t length, char *text);

#endif
