/* Cheap checks first: whoever only floods reaches no hash of long texts. */
#include "lwip/opt.h"

#include "control_auth.h"

#include <string.h>

#include "hmac.h"

/* What a signature is for stands in front of what is signed, so that one for another purpose is none. */
static const char purpose[] = "esp-tcpwatch control 1\n";

/* Births are counted in these, so that two requests in a row have nonces of their own. */
#define NONCE_TICK_MS 10u
/* Tries judged in one second; the host needs one. */
#define TRIES_A_SECOND 10u
/* Changes taken in the life of one nonce. */
#define USED_COUNT 16u

struct used {
  uint64_t at_ms;
  uint8_t nonce[NONCE_OCTETS];
  uint8_t mac[SHA256_OCTETS];
};

static uint8_t key_octets[CONTROL_KEY_OCTETS];
static bool has_key;
static uint8_t secret[SHA256_OCTETS];
static struct used used[USED_COUNT];
static unsigned used_next;
static uint64_t tries_second;
static unsigned tries;

static void nonce_of(const void *address, size_t address_length, uint32_t tick,
                     uint8_t nonce[NONCE_OCTETS]);
static bool may_try(uint64_t now_ms);

void control_auth_begin(const uint8_t *key)
{
  has_key = key != NULL;
  if (has_key) {
    memcpy(key_octets, key, sizeof key_octets);
  }
  for (size_t i = 0; i < sizeof secret; i += 4) {
    u32_t word = LWIP_RAND();
    memcpy(secret + i, &word, 4);
  }
}

void control_auth_nonce(const void *address, size_t address_length, uint64_t now_ms,
                        char nonce[NONCE_HEX + 1])
{
  uint8_t octets[NONCE_OCTETS];
  nonce_of(address, address_length, (uint32_t)(now_ms / NONCE_TICK_MS), octets);
  octets_to_hex(octets, sizeof octets, nonce);
}

enum auth_verdict control_auth_judge(const void *address, size_t address_length, uint64_t now_ms,
                                     const char *text, size_t text_length, const char *nonce,
                                     size_t nonce_length, const char *mac, size_t mac_length)
{
  uint8_t given[NONCE_OCTETS], ours[NONCE_OCTETS];
  uint8_t given_mac[SHA256_OCTETS], our_mac[SHA256_OCTETS];
  struct hmac hmac;
  if (!has_key) {
    return AUTH_NO_KEY;
  }
  if (!may_try(now_ms)) {
    return AUTH_SLOW_DOWN;
  }
  if (!octets_from_hex(nonce, nonce_length, given, sizeof given)) {
    return AUTH_STALE;
  }
  uint32_t born = (uint32_t)given[0] << 24 | (uint32_t)given[1] << 16 | (uint32_t)given[2] << 8 | given[3];
  uint32_t now = (uint32_t)(now_ms / NONCE_TICK_MS);
  nonce_of(address, address_length, born, ours);
  if (!octets_equal(given, ours, sizeof ours) || now - born > NONCE_LIFE_MS / NONCE_TICK_MS) {
    return AUTH_STALE;
  }
  if (!octets_from_hex(mac, mac_length, given_mac, sizeof given_mac)) {
    return AUTH_BAD_MAC;
  }
  hmac_begin(&hmac, key_octets, sizeof key_octets);
  hmac_add(&hmac, purpose, sizeof purpose - 1);
  hmac_add(&hmac, text, text_length);
  hmac_end(&hmac, our_mac);
  if (!octets_equal(given_mac, our_mac, sizeof our_mac)) {
    return AUTH_BAD_MAC;
  }
  for (unsigned i = 0; i < USED_COUNT; i++) {
    if (used[i].at_ms != 0 && memcmp(used[i].nonce, given, sizeof given) == 0) {
      return memcmp(used[i].mac, our_mac, sizeof our_mac) == 0 ? AUTH_RETRY : AUTH_STALE;
    }
  }
  /* One second more than a nonce lives: ages are counted in ticks. */
  struct used *slot = &used[used_next];
  if (slot->at_ms != 0 && now_ms - slot->at_ms <= NONCE_LIFE_MS + 1000) {
    return AUTH_SLOW_DOWN;
  }
  used_next = (used_next + 1) % USED_COUNT;
  slot->at_ms = now_ms > 0 ? now_ms : 1;
  memcpy(slot->nonce, given, sizeof slot->nonce);
  memcpy(slot->mac, our_mac, sizeof slot->mac);
  return AUTH_OK;
}

static void nonce_of(const void *address, size_t address_length, uint32_t tick,
                     uint8_t nonce[NONCE_OCTETS])
{
  uint8_t digest[SHA256_OCTETS];
  struct hmac hmac;
  nonce[0] = (uint8_t)(tick >> 24);
  nonce[1] = (uint8_t)(tick >> 16);
  nonce[2] = (uint8_t)(tick >> 8);
  nonce[3] = (uint8_t)tick;
  hmac_begin(&hmac, secret, sizeof secret);
  hmac_add(&hmac, nonce, 4);
  hmac_add(&hmac, address, address_length);
  hmac_end(&hmac, digest);
  memcpy(nonce + 4, digest, NONCE_OCTETS - 4);
}

static bool may_try(uint64_t now_ms)
{
  uint64_t second = now_ms / 1000;
  if (second != tries_second) {
    tries_second = second;
    tries = 0;
  }
  return tries++ < TRIES_A_SECOND;
}
