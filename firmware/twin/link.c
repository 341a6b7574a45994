/* One thread reads; whoever sends, writes. */
#include "lwip/opt.h"

#include "link.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/pbuf.h"
#include "lwip/sys.h"

#include "app.h"
#include "faults.h"
#include "random.h"

/* MTU and an Ethernet header with room for a VLAN tag. */
#define FRAME_MAX 1518
#define MAILBOX_PATIENCE_MS 500

/* ESP-IDF hands lwIP the Wi-Fi driver's own buffer by reference; so do we, since lwIP takes some
 * liberties only with pbufs that carry their octets themselves. */
struct received_frame {
  struct pbuf_custom pbuf; /* first: freeing one is freeing the other */
  char octets[FRAME_MAX];
};

static _Atomic uint64_t down_until_ms;

static err_t send_frame(struct netif *netif, struct pbuf *p);
static void receive_frames(void *netif);
static void deliver(struct netif *netif, const char *frame, size_t length);
static void free_frame(struct pbuf *p);
static bool link_is_down(void);

err_t link_init(struct netif *netif)
{
  static const u8_t mac[] = TWIN_MAC;
  netif->name[0] = 't';
  netif->name[1] = 'w';
  netif->hwaddr_len = sizeof mac;
  memcpy(netif->hwaddr, mac, sizeof mac);
  netif->mtu = 1500;
  netif->output = etharp_output;
  netif->output_ip6 = ethip6_output;
  netif->linkoutput = send_frame;
  netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET |
                 NETIF_FLAG_LINK_UP | NETIF_FLAG_MLD6;
  return ERR_OK;
}

void link_start(struct netif *netif)
{
  sys_thread_new("link", receive_frames, netif, DEFAULT_THREAD_STACKSIZE, DEFAULT_THREAD_PRIO);
}

static int tap_of(const struct netif *netif)
{
  return (int)(intptr_t)netif->state;
}

/* A frame the TAP does not take is a frame lost on the air: no error for TCP to see. */
static err_t send_frame(struct netif *netif, struct pbuf *p)
{
  char frame[FRAME_MAX];
  if (link_is_down() || random_one_in_permille(fault_now(FAULT_LOSS_OUT_PERMILLE)) ||
      p->tot_len > sizeof frame) {
    return ERR_OK;
  }
  u16_t length = pbuf_copy_partial(p, frame, p->tot_len, 0);
  ssize_t written = write(tap_of(netif), frame, length);
  LWIP_UNUSED_ARG(written);
  return ERR_OK;
}

static void receive_frames(void *arg)
{
  struct netif *netif = arg;
  /* The descriptor may be non-blocking: it is its opener's, and so are its flags. */
  struct pollfd readable = {.fd = tap_of(netif), .events = POLLIN};
  char frame[FRAME_MAX];
  for (;;) {
    if (poll(&readable, 1, -1) < 0) {
      if (errno == EINTR) {
        continue;
      }
      break;
    }
    ssize_t got = read(readable.fd, frame, sizeof frame);
    if (got > 0) {
      deliver(netif, frame, (size_t)got);
    } else if (got < 0 && errno != EAGAIN && errno != EINTR) {
      if (errno != EIO) {
        break;
      }
      usleep(100000); /* EIO: the interface is set down for now; it may come up */
    }
  }
  fprintf(stderr, "esp-tcpwatch-twin: the TAP device is gone: %s\n", strerror(errno));
  exit(1);
}

static void deliver(struct netif *netif, const char *frame, size_t length)
{
  if (link_is_down() || random_one_in_permille(fault_now(FAULT_LOSS_IN_PERMILLE))) {
    return;
  }
  struct received_frame *received = malloc(sizeof *received);
  if (received == NULL) {
    return;
  }
  memcpy(received->octets, frame, length);
  received->pbuf.custom_free_function = free_frame;
  struct pbuf *p = pbuf_alloced_custom(PBUF_RAW, (u16_t)length, PBUF_REF, &received->pbuf,
                                       received->octets, (u16_t)length);
  if (p == NULL) {
    free(received);
    return;
  }
  /* ERR_MEM: the tcpip thread's mailbox is full. A chip drops the frame then; here it mostly means
   * that the host was busy, which must not look like a lossy device, so the TAP's queue waits. */
  for (int ms = 0; netif->input(p, netif) != ERR_OK; ms++) {
    if (ms == MAILBOX_PATIENCE_MS) {
      pbuf_free(p);
      return;
    }
    usleep(1000);
  }
}

static void free_frame(struct pbuf *p)
{
  free(p);
}

static bool link_is_down(void)
{
  return app_uptime_ms() < atomic_load_explicit(&down_until_ms, memory_order_relaxed);
}

void shell_link_down(uint32_t ms)
{
  atomic_store_explicit(&down_until_ms, app_uptime_ms() + ms, memory_order_relaxed);
}

uint32_t shell_link_down_ms_left(void)
{
  uint64_t until = atomic_load_explicit(&down_until_ms, memory_order_relaxed);
  uint64_t now = app_uptime_ms();
  return until > now ? (uint32_t)(until - now) : 0;
}
