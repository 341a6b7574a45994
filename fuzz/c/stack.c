/* The control task is the firmware's own, and never returns: it is left by longjmp() where it asks for a datagram that is
 * not there. It owns nothing at that place. */
#include "lwip/opt.h"

#include "stack.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/priv/tcp_priv.h"
#include "lwip/priv/tcpip_priv.h"
#include "lwip/sockets.h"
#include "lwip/sys.h"

#include "app.h"
#include "control.h"
#include "faults.h"
#include "http_server.h"
#include "pcb_cap.h"
#include "time_wait.h"

#define BLOCKS 300u

static struct app_identity identity = {"0.1.0", "fuzz", NULL};
static lwip_thread_fn task;
static jmp_buf no_more;
static channel_next next_datagram;
static channel_reply take_reply;
static uint64_t uptime_ms;
static unsigned peer_number;
static struct tcp_pcb blocks[BLOCKS];
static struct tcp_pcb_listen listener;

void channel_start(const uint8_t *key)
{
  identity.control_key = key;
  if (!control_start(&identity) || task == NULL) {
    abort();
  }
}

void channel_run(channel_next next, channel_reply reply)
{
  next_datagram = next;
  take_reply = reply;
  if (setjmp(no_more) == 0) {
    task(NULL);
  }
}

void stack_set_uptime_ms(uint64_t now)
{
  uptime_ms = now > uptime_ms ? now : uptime_ms;
}

uint64_t stack_uptime_ms(void)
{
  return uptime_ms;
}

void stack_set_peer(unsigned which)
{
  peer_number = which;
}

void stack_make_blocks(unsigned count, uint32_t seed)
{
  struct tcp_pcb **const lists[] = {&tcp_active_pcbs, &tcp_tw_pcbs, &tcp_bound_pcbs};
  tcp_active_pcbs = tcp_tw_pcbs = tcp_bound_pcbs = NULL;
  tcp_ticks = seed ^ 0x8000;
  for (unsigned i = 0; i < count && i < BLOCKS; i++) {
    struct tcp_pcb *pcb = &blocks[i];
    seed = seed * 1664525u + 1013904223u;
    memset(pcb, 0, sizeof *pcb);
    if (seed >> 30 == 3) {
      IP_ADDR6(&pcb->local_ip, 0xffffffff, seed, 0, 2);
      IP_ADDR6(&pcb->remote_ip, 0xfd770000, 0, seed, seed);
    } else {
      IP_ADDR4(&pcb->local_ip, 10, 77, 0, 2);
      IP_ADDR4(&pcb->remote_ip, 10, 77, (u8_t)(seed >> 8), (u8_t)seed);
    }
    pcb->local_port = 80;
    pcb->remote_port = (u16_t)(seed >> 16);
    unsigned list = (seed >> 4) % 3;
    /* lwIP's lists hold these states and no others. */
    pcb->state = list == 1 ? TIME_WAIT : list == 2 ? CLOSED : (enum tcp_state)(SYN_SENT + (seed >> 12) % 8);
    pcb->tmr = tcp_ticks - (seed >> 20);
    pcb->next = *lists[list];
    *lists[list] = pcb;
  }
  memset(&listener, 0, sizeof listener);
  listener.local_port = 80;
  listener.state = LISTEN;
  tcp_listen_pcbs.listen_pcbs = &listener;
}

/* ---- what the control task asks of lwIP ---- */

union tcp_listen_pcbs_t tcp_listen_pcbs;
struct tcp_pcb *tcp_active_pcbs, *tcp_tw_pcbs, *tcp_bound_pcbs;
u32_t tcp_ticks;

int lwip_socket(int domain, int type, int protocol)
{
  (void)domain, (void)type, (void)protocol;
  return 3;
}

int lwip_bind(int s, const struct sockaddr *name, socklen_t length)
{
  (void)s, (void)name, (void)length;
  return 0;
}

int lwip_close(int s)
{
  (void)s;
  return 0;
}

sys_thread_t sys_thread_new(const char *name, lwip_thread_fn thread, void *arg, int stacksize, int prio)
{
  sys_thread_t none;
  (void)name, (void)arg, (void)stacksize, (void)prio;
  memset(&none, 0, sizeof none);
  task = thread;
  return none;
}

ssize_t lwip_recvfrom(int s, void *mem, size_t len, int flags, struct sockaddr *from, socklen_t *fromlen)
{
  struct sockaddr_in6 *peer = (struct sockaddr_in6 *)from;
  (void)s, (void)flags;
  memset(peer, 0, sizeof *peer);
  peer->sin6_family = AF_INET6;
  peer->sin6_port = lwip_htons((u16_t)(1024 + peer_number));
  long got = next_datagram(mem, len);
  if (got < 0) {
    longjmp(no_more, 1);
  }
  peer->sin6_addr.un.u32_addr[3] = lwip_htonl(peer_number);
  *fromlen = sizeof *peer;
  return got;
}

ssize_t lwip_sendto(int s, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t tolen)
{
  (void)s, (void)flags, (void)to, (void)tolen;
  take_reply(data, size);
  return (ssize_t)size;
}

err_t tcpip_api_call(tcpip_api_call_fn fn, struct tcpip_api_call_data *call)
{
  return fn(call);
}

/* As lwIP's ip.c, which is left out for what else it needs. */
char *ipaddr_ntoa_r(const ip_addr_t *addr, char *buf, int buflen)
{
  return IP_IS_V6(addr) ? ip6addr_ntoa_r(ip_2_ip6(addr), buf, buflen) : ip4addr_ntoa_r(ip_2_ip4(addr), buf, buflen);
}

struct netif *netif_find(const char *name)
{
  (void)name;
  return NULL;
}

void sys_msleep(u32_t ms)
{
  (void)ms;
}

u32_t sys_now(void)
{
  return (u32_t)uptime_ms;
}

/* ---- what it asks of the shell and of the rest of the application ---- */

uint64_t app_uptime_ms(void)
{
  return uptime_ms;
}

/* The twin's LWIP_RAND(): the secret of a start. */
u32_t twin_random(void)
{
  static u32_t drawn;
  return drawn = drawn * 1664525u + 1013904223u;
}

uint32_t app_boot(void)
{
  return 7;
}

uint32_t app_boots(void)
{
  return 0;
}

bool app_heap(struct app_heap *into)
{
  into->free = 100000;
  into->lowest = 50000;
  return true;
}

uint32_t shell_link_down_ms_left(void)
{
  return 0;
}

void shell_link_down(uint32_t ms)
{
  (void)ms;
}

struct http_counters http_server_counters(void)
{
  struct http_counters counters;
  memset(&counters, 0xff, sizeof counters);
  return counters;
}

struct time_wait_counters time_wait_counters(void)
{
  struct time_wait_counters counters;
  memset(&counters, 0xff, sizeof counters);
  return counters;
}

struct pcb_cap_counters pcb_cap_counters(void)
{
  struct pcb_cap_counters counters;
  memset(&counters, 0xff, sizeof counters);
  return counters;
}
