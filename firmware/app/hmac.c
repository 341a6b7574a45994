/* One compression function; everything else feeds it. */
#include "hmac.h"

#include <string.h>

static void sha256_begin(struct sha256 *hash);
static void sha256_add(struct sha256 *hash, const void *octets, size_t length);
static void sha256_end(struct sha256 *hash, uint8_t digest[SHA256_OCTETS]);

void hmac_begin(struct hmac *mac, const uint8_t *key, size_t key_length)
{
  uint8_t inner_pad[SHA256_BLOCK];
  if (key_length > SHA256_BLOCK) {
    key_length = SHA256_BLOCK;
  }
  memset(inner_pad, 0x36, sizeof inner_pad);
  memset(mac->outer_pad, 0x5c, sizeof mac->outer_pad);
  for (size_t i = 0; i < key_length; i++) {
    inner_pad[i] ^= key[i];
    mac->outer_pad[i] ^= key[i];
  }
  sha256_begin(&mac->inner);
  sha256_add(&mac->inner, inner_pad, sizeof inner_pad);
}

void hmac_add(struct hmac *mac, const void *octets, size_t length)
{
  sha256_add(&mac->inner, octets, length);
}

void hmac_end(struct hmac *mac, uint8_t digest[SHA256_OCTETS])
{
  struct sha256 outer;
  sha256_end(&mac->inner, digest);
  sha256_begin(&outer);
  sha256_add(&outer, mac->outer_pad, sizeof mac->outer_pad);
  sha256_add(&outer, digest, SHA256_OCTETS);
  sha256_end(&outer, digest);
}

bool octets_equal(const uint8_t *a, const uint8_t *b, size_t length)
{
  volatile uint8_t differing = 0;
  for (size_t i = 0; i < length; i++) {
    differing |= (uint8_t)(a[i] ^ b[i]);
  }
  return differing == 0;
}

static int hex_digit(char c)
{
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool octets_from_hex(const char *text, size_t text_length, uint8_t *octets, size_t length)
{
  if (text_length != 2 * length) {
    return false;
  }
  for (size_t i = 0; i < length; i++) {
    int high = hex_digit(text[2 * i]);
    int low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) {
      return false;
    }
    octets[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

void octets_to_hex(const uint8_t *octets, size_t length, char *text)
{
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < length; i++) {
    *text++ = digits[octets[i] >> 4];
    *text++ = digits[octets[i] & 15];
  }
  *text = '\0';
}

/* FIPS 180-4, 4.2.2: the first 32 bits of the fractional parts of the cube roots of the primes. */
static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotated(uint32_t x, unsigned by)
{
  return x >> by | x << (32 - by);
}

static void compress(struct sha256 *hash)
{
  uint32_t w[64];
  uint32_t v[8];
  for (int i = 0; i < 16; i++) {
    const uint8_t *at = hash->block + 4 * i;
    w[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
  }
  for (int i = 16; i < 64; i++) {
    uint32_t s0 = rotated(w[i - 15], 7) ^ rotated(w[i - 15], 18) ^ w[i - 15] >> 3;
    uint32_t s1 = rotated(w[i - 2], 17) ^ rotated(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  memcpy(v, hash->state, sizeof v);
  for (int i = 0; i < 64; i++) {
    uint32_t s1 = rotated(v[4], 6) ^ rotated(v[4], 11) ^ rotated(v[4], 25);
    uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
    uint32_t t1 = v[7] + s1 + choice + round_constants[i] + w[i];
    uint32_t s0 = rotated(v[0], 2) ^ rotated(v[0], 13) ^ rotated(v[0], 22);
    uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
    memmove(v + 1, v, 7 * sizeof v[0]);
    v[4] += t1;
    v[0] = t1 + s0 + majority;
  }
  for (int i = 0; i < 8; i++) {
    hash->state[i] += v[i];
  }
}

static void sha256_begin(struct sha256 *hash)
{
  static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(hash->state, initial, sizeof initial);
  hash->length = 0;
}

static void sha256_add(struct sha256 *hash, const void *octets, size_t length)
{
  const uint8_t *at = octets;
  for (; length > 0; length--) {
    hash->block[hash->length++ % SHA256_BLOCK] = *at++;
    if (hash->length % SHA256_BLOCK == 0) {
      compress(hash);
    }
  }
}

static void sha256_end(struct sha256 *hash, uint8_t digest[SHA256_OCTETS])
{
  static const uint8_t one = 0x80, zero = 0;
  uint64_t bits = hash->length * 8;
  sha256_add(hash, &one, 1);
  while (hash->length % SHA256_BLOCK != 56) {
    sha256_add(hash, &zero, 1);
  }
  for (int shift = 56; shift >= 0; shift -= 8) {
    uint8_t octet = (uint8_t)(bits >> shift);
    sha256_add(hash, &octet, 1);
  }
  for (int i = 0; i < 8; i++) {
    for (int j = 0; j < 4; j++) {
      digest[4 * i + j] = (uint8_t)(hash->state[i] >> (24 - 8 * j));
    }
  }
}
