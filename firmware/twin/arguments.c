/* Every option takes its value from the next word or after `=`; a mode is applied before the single
 * remedies, wherever it stands, so that `--msl-ms 3000 --mode fixed` means what it says. */
#include <arpa/inet.h> /* before lwIP's headers, which define some of its names as macros */
#include <netinet/in.h>

#include "lwip/opt.h"

#include "arguments.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "hmac.h"

static const char help_text[] =
    "esp-tcpwatch-twin: the test firmware of esp-tcpwatch on this machine's own TAP device,\n"
    "with the TCP/IP stack of the ESP32 (lwIP) and its bug.\n"
    "\n"
    "Usage: esp-tcpwatch-twin (--tap-fd N | --tap NAME) --ip ADDR [options]\n"
    "\n"
    "  --tap-fd N          TAP device opened by the caller (IFF_TAP | IFF_NO_PI); no privilege needed\n"
    "  --tap NAME          open this one; needs CAP_NET_ADMIN or a TAP that belongs to the user\n"
    "  --ip ADDR           IPv4 address of the device\n"
    "  --netmask MASK      [255.255.255.0]\n"
    "  --gateway ADDR      [none]\n"
    "  --ip6 ADDR          IPv6 address, beside the link-local one (/64)\n"
    "  --seed N            makes chance repeatable: lost frames, initial sequence numbers\n"
    "  --boots N           what it tells as the count of its starts; without, it keeps none\n"
    "  --key-file FILE     64 hexadecimal digits: who has them may change remedies; without, nobody\n"
    "  --mode MODE         unfixed: 60000, ignore, refuse, server-first, 0 [default]\n"
    "                      fixed:    6000, honour, accept, server-first, 12\n"
    "                      fixed-app: unfixed with keep-alive; fixed-all: fixed with keep-alive\n"
    "and over the mode, each on its own:\n"
    "  --msl-ms N                    250 to 600000; TIME-WAIT lasts twice that\n"
    "  --rst-in-time-wait WORD       ignore | honour (the exact sequence only)\n"
    "  --syn-in-time-wait WORD       refuse | accept (a newer sequence only)\n"
    "  --close WORD                  server-first | client-first | keep-alive | reset\n"
    "  --pcb-cap N                   1 to 255, oldest TIME-WAIT gives way; 0: no cap\n"
    "  -h, --help\n"
    "\n"
    "It serves HTTP on TCP port 80 (/, /big?OCTETS, /stall) and answers status on UDP port 7777.\n"
    "When it listens it prints one line of JSON. It ends when its standard input does: keep that\n"
    "open. SIGTERM and SIGINT end it too.\n";

static int complain(const char *option, const char *value, const char *expected);
static int apply_mode(int argc, char **argv, struct arguments *into);
static const char *apply(struct arguments *into, const char *option, const char *value);
static bool ip4_address(const char *text, ip4_addr_t *into);
static bool ip6_address(const char *text, ip6_addr_t *into);
static bool whole_number(const char *text, uint64_t most, uint64_t *into);
static bool key_in_file(const char *path, uint8_t key[CONTROL_KEY_OCTETS]);
static const char *remedy_of(const char *option);

#define UNKNOWN "" /* what apply() returns for an option that is not one */

/* Splits argv[*i] and the word after it; NULL: the value is missing. */
static const char *value_at(int argc, char **argv, int *i, char *option, size_t size)
{
  const char *word = argv[*i];
  const char *equals = strchr(word, '=');
  size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
  snprintf(option, size, "%.*s", (int)LWIP_MIN(length, size - 1), word);
  if (equals != NULL) {
    return equals + 1;
  }
  return *i + 1 < argc ? argv[++*i] : NULL;
}

int arguments_read(int argc, char **argv, struct arguments *into)
{
  char option[32];
  memset(into, 0, sizeof *into);
  into->tap_fd = -1;
  IP4_ADDR(&into->netmask, 255, 255, 255, 0);
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
      fputs(help_text, stdout);
      return 0;
    }
  }
  int refused = apply_mode(argc, argv, into);
  for (int i = 1; refused < 0 && i < argc; i++) {
    const char *value = value_at(argc, argv, &i, option, sizeof option);
    const char *expected = apply(into, option, value != NULL ? value : "");
    if (expected != NULL) {
      refused = complain(option, value, expected);
    }
  }
  if (refused >= 0) {
    return refused;
  }
  if ((into->tap_fd >= 0) == (into->tap_name != NULL)) {
    return complain("--tap-fd or --tap", "", "exactly one of the two");
  }
  if (ip4_addr_isany_val(into->ip)) {
    return complain("--ip", NULL, "the device's IPv4 address");
  }
  return -1;
}

static int apply_mode(int argc, char **argv, struct arguments *into)
{
  char option[32];
  remedies_of_mode("unfixed", &into->remedies);
  for (int i = 1; i < argc; i++) {
    const char *value = value_at(argc, argv, &i, option, sizeof option);
    if (strcmp(option, "--mode") == 0 &&
        !remedies_of_mode(value != NULL ? value : "", &into->remedies)) {
      return complain(option, value, remedies_mode_list());
    }
  }
  return -1;
}

/* NULL, or what was expected. */
static const char *apply(struct arguments *into, const char *option, const char *value)
{
  uint64_t n;
  if (strcmp(option, "--tap-fd") == 0) {
    if (!whole_number(value, 1000000, &n)) {
      return "the number of an open descriptor";
    }
    into->tap_fd = (int)n;
    return NULL;
  }
  if (strcmp(option, "--tap") == 0) {
    into->tap_name = value;
    return *value != '\0' ? NULL : "the name of an interface";
  }
  if (strcmp(option, "--ip") == 0) {
    return ip4_address(value, &into->ip) ? NULL : "an IPv4 address like 10.77.0.2";
  }
  if (strcmp(option, "--netmask") == 0) {
    return ip4_address(value, &into->netmask) &&
                   ip4_addr_netmask_valid(ip4_addr_get_u32(&into->netmask))
               ? NULL
               : "a netmask like 255.255.255.0";
  }
  if (strcmp(option, "--gateway") == 0) {
    return ip4_address(value, &into->gateway) ? NULL : "an IPv4 address like 10.77.0.1";
  }
  if (strcmp(option, "--ip6") == 0) {
    into->has_ip6 = ip6_address(value, &into->ip6);
    return into->has_ip6 ? NULL : "an IPv6 address like fd77::2";
  }
  if (strcmp(option, "--seed") == 0) {
    into->has_seed = whole_number(value, UINT64_MAX, &into->seed);
    return into->has_seed ? NULL : "a whole number";
  }
  if (strcmp(option, "--boots") == 0) {
    if (!whole_number(value, UINT32_MAX, &n) || n == 0) {
      return "a whole number from 1 on";
    }
    into->boots = (uint32_t)n;
    return NULL;
  }
  if (strcmp(option, "--key-file") == 0) {
    into->has_key = key_in_file(value, into->key);
    return into->has_key ? NULL : "a readable file of 64 hexadecimal digits (openssl rand -hex 32)";
  }
  if (strcmp(option, "--mode") == 0) {
    return NULL; /* applied already */
  }
  const char *remedy = remedy_of(option);
  return remedy != NULL ? remedies_set_by_name(&into->remedies, remedy, value) : UNKNOWN;
}

static const char *remedy_of(const char *option)
{
  static const char *const names[][2] = {
      {"--msl-ms", "msl_ms"},
      {"--rst-in-time-wait", "rst_in_time_wait"},
      {"--syn-in-time-wait", "syn_in_time_wait"},
      {"--close", "close"},
      {"--pcb-cap", "pcb_cap"},
  };
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strcmp(names[i][0], option) == 0) {
      return names[i][1];
    }
  }
  return NULL;
}

/* The host's parser: lwIP's takes `10.77` and `::x` without a word. */
static bool ip4_address(const char *text, ip4_addr_t *into)
{
  struct in_addr parsed;
  if (inet_pton(AF_INET, text, &parsed) != 1) {
    return false;
  }
  ip4_addr_set_u32(into, parsed.s_addr);
  return true;
}

static bool ip6_address(const char *text, ip6_addr_t *into)
{
  struct in6_addr parsed;
  if (inet_pton(AF_INET6, text, &parsed) != 1) {
    return false;
  }
  memcpy(into->addr, &parsed, sizeof into->addr);
  ip6_addr_clear_zone(into);
  return true;
}

static bool whole_number(const char *text, uint64_t most, uint64_t *into)
{
  uint64_t n = 0;
  if (*text == '\0') {
    return false;
  }
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9') {
      return false;
    }
    uint64_t digit = (uint64_t)(*text - '0');
    if (n > (most - digit) / 10) {
      return false;
    }
    n = n * 10 + digit;
  }
  *into = n;
  return true;
}

/* Digits of either case, and what white space an editor leaves behind them. */
static bool key_in_file(const char *path, uint8_t key[CONTROL_KEY_OCTETS])
{
  char text[2 * CONTROL_KEY_OCTETS + 16];
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    return false;
  }
  size_t length = fread(text, 1, sizeof text, file);
  fclose(file);
  while (length > 0 && isspace((unsigned char)text[length - 1])) {
    length--;
  }
  for (size_t i = 0; i < length; i++) {
    text[i] = (char)tolower((unsigned char)text[i]);
  }
  return octets_from_hex(text, length, key, CONTROL_KEY_OCTETS);
}

static int complain(const char *option, const char *value, const char *expected)
{
  if (strcmp(expected, UNKNOWN) == 0) {
    fprintf(stderr, "esp-tcpwatch-twin: no option %s\n", option);
  } else if (value == NULL) {
    fprintf(stderr, "esp-tcpwatch-twin: %s needs a value: %s\n", option, expected);
  } else {
    fprintf(stderr, "esp-tcpwatch-twin: %s%s%s: expected %s\n", option, *value ? " " : "", value,
            expected);
  }
  fputs("Try esp-tcpwatch-twin --help\n", stderr);
  return 2;
}
