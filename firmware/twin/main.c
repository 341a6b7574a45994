/* The twin: arguments, stack, link, application, and then waiting for the end of standard input.
 *
 * Knows: the order of starting and the ways of ending.
 * Refuses to know: what the device does meanwhile.
 */
#include "lwip/opt.h"

#include <ctype.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "lwip/netif.h"
#include "lwip/sys.h"
#include "lwip/tcpip.h"

#include "app.h"
#include "arguments.h"
#include "link.h"
#include "random.h"
#include "tap.h"

static struct arguments arguments;
static struct netif netif;

static int take_signals(void);
static void stack_up(void *started);
static void say_ready(void);
static void wait_for_the_end(int signals);

int main(int argc, char **argv)
{
  static struct app_identity identity = {.firmware = APP_FIRMWARE_VERSION, .chip = "twin"};
  char why[256];
  int refused = arguments_read(argc, argv, &arguments);
  if (refused >= 0) {
    return refused;
  }
  int tap = arguments.tap_name != NULL ? tap_open(arguments.tap_name, why, sizeof why)
                                       : tap_inherit(arguments.tap_fd, why, sizeof why);
  if (tap < 0) {
    fprintf(stderr, "esp-tcpwatch-twin: %s\n", why);
    return arguments.tap_name != NULL ? 1 : 2;
  }
  if (arguments.has_seed) {
    random_seed(arguments.seed);
  } else {
    random_seed_from_system();
  }
  remedies_put(&arguments.remedies);
  app_uptime_ms(); /* counts from the first call */
  app_boot();      /* likewise */

  int signals = take_signals(); /* before the first thread: they inherit the mask */
  sys_sem_t started;
  if (signals < 0 || sys_sem_new(&started, 0) != ERR_OK) {
    fprintf(stderr, "esp-tcpwatch-twin: cannot start: %s\n", strerror(errno));
    return 1;
  }
  netif.state = (void *)(intptr_t)tap;
  tcpip_init(stack_up, &started);
  sys_arch_sem_wait(&started, 0);
  sys_sem_free(&started);

  identity.control_key = arguments.has_key ? arguments.key : NULL;
  const char *missing = app_start(&identity);
  if (missing != NULL) {
    fprintf(stderr, "esp-tcpwatch-twin: cannot open %s\n", missing);
    return 1;
  }
  say_ready();
  wait_for_the_end(signals);
  return 0;
}

/* SIGPIPE belongs to a reader of our one line who left early: no reason to die. */
static int take_signals(void)
{
  sigset_t ends;
  signal(SIGPIPE, SIG_IGN);
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  if (pthread_sigmask(SIG_BLOCK, &ends, NULL) != 0) {
    return -1;
  }
  return signalfd(-1, &ends, SFD_CLOEXEC);
}

/* In the tcpip thread. */
static void stack_up(void *started)
{
  struct netif *device = &netif;
  netif_add(device, &arguments.ip, &arguments.netmask, &arguments.gateway, netif.state, link_init,
            tcpip_input);
  netif_set_default(device);
  netif_set_up(device);
  netif_create_ip6_linklocal_address(device, 1);
  netif_set_ip6_autoconfig_enabled(device, 1);
  if (arguments.has_ip6) {
    s8_t slot = -1;
    netif_add_ip6_address(device, &arguments.ip6, &slot);
    if (slot >= 0) {
      /* Given by hand on a wire of our own: no second of duplicate detection before the demo. */
      netif_ip6_addr_set_state(device, slot, IP6_ADDR_PREFERRED);
    }
  }
  link_start(device);
  sys_sem_signal((sys_sem_t *)started);
}

static void say_ready(void)
{
  char ip[IP4ADDR_STRLEN_MAX], ip6[IP6ADDR_STRLEN_MAX];
  static const u8_t mac[] = TWIN_MAC;
  printf("{\"ready\":true,\"stack\":\"%s\",\"ip\":\"%s\"", app_stack_name(),
         ip4addr_ntoa_r(&arguments.ip, ip, sizeof ip));
  if (arguments.has_ip6) {
    ip6addr_ntoa_r(&arguments.ip6, ip6, sizeof ip6);
    for (char *c = ip6; *c != '\0'; c++) {
      *c = (char)tolower((unsigned char)*c); /* RFC 5952 4.3; lwIP writes capitals */
    }
    printf(",\"ip6\":\"%s\"", ip6);
  }
  printf(",\"mac\":\"%02x:%02x:%02x:%02x:%02x:%02x\"}\n", mac[0], mac[1], mac[2], mac[3], mac[4],
         mac[5]);
  fflush(stdout);
}

/* Standard input is the lifeline: whoever started us holds the other end, and however that process
 * ends, kill -9 included, the kernel closes it. */
static void wait_for_the_end(int signals)
{
  struct pollfd watched[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = signals, .events = POLLIN}};
  char ignored[512];
  for (;;) {
    if (poll(watched, 2, -1) < 0) {
      if (errno == EINTR) {
        continue;
      }
      return;
    }
    if (watched[1].revents != 0) {
      return;
    }
    if (watched[0].revents != 0) {
      ssize_t got = read(STDIN_FILENO, ignored, sizeof ignored);
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        return;
      }
    }
  }
}

uint64_t app_uptime_ms(void)
{
  static struct timespec start;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (start.tv_sec == 0 && start.tv_nsec == 0) {
    start = now; /* in main(), before there is a second thread */
  }
  return (uint64_t)(now.tv_sec - start.tv_sec) * 1000 + (uint64_t)(now.tv_nsec / 1000000) -
         (uint64_t)(start.tv_nsec / 1000000);
}

/* Not from the seed: a seed makes two starts alike, and this is there to tell them apart. */
uint32_t app_boot(void)
{
  static uint32_t boot;
  if (boot == 0) {
    boot = random_from_system() | 1; /* in main(), before there is a second thread */
  }
  return boot;
}

/* Nothing of a twin outlives it: whoever starts it knows how often. */
uint32_t app_boots(void)
{
  return arguments.boots;
}

/* lwIP has the host's malloc here: what is free of that says nothing of a chip. */
bool app_heap(struct app_heap *into)
{
  LWIP_UNUSED_ARG(into);
  return false;
}
