/* HMAC over a text in pieces is HMAC over the text; hexadecimal there and back; lengths of any kind. */
#include "hmac.h"

#include <stdlib.h>
#include <string.h>

#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  uint8_t whole[SHA256_OCTETS], pieces[SHA256_OCTETS], back[SHA256_OCTETS];
  char hex[2 * SHA256_OCTETS + 1];
  struct hmac mac;
  size_t key_length = size > 0 ? data[0] % 100u : 0;
  size_t step = size > 1 ? 1u + data[1] : 1;
  key_length = key_length < size ? key_length : size;
  uint8_t *key = (uint8_t *)exact(data, key_length);
  const uint8_t *text = data + key_length;
  size_t length = size - key_length;

  hmac_begin(&mac, key, key_length);
  hmac_add(&mac, text, length);
  hmac_end(&mac, whole);
  hmac_begin(&mac, key, key_length);
  for (size_t at = 0; at < length; at += step) {
    hmac_add(&mac, text + at, length - at < step ? length - at : step);
  }
  hmac_end(&mac, pieces);
  if (!octets_equal(whole, pieces, sizeof whole)) {
    abort();
  }
  octets_to_hex(whole, sizeof whole, hex);
  if (!octets_from_hex(hex, strlen(hex), back, sizeof back) || memcmp(whole, back, sizeof back) != 0) {
    abort();
  }
  whole[step % sizeof whole] ^= 1;
  if (octets_equal(whole, pieces, sizeof whole)) {
    abort();
  }
  char *digits = exact(text, length);
  if (octets_from_hex(digits, length, back, sizeof back)) {
    octets_to_hex(back, sizeof back, hex);
    if (length != 2 * sizeof back || memcmp(hex, digits, length) != 0) {
      abort();
    }
  }
  free(digits);
  free(key);
  return 0;
}
