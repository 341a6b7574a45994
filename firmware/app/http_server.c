/* One task, one select(): a chip has no memory for a task a client, and a task that can be blocked
 * by one client is another way to stop answering. */
#include "lwip/opt.h"

#include "http_server.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "lwip/sockets.h"
#include "lwip/sys.h"

#include "faults.h"
#include "http_connection.h"

/* Two of lwIP's sockets are ours: the listener and the control channel. With every other one in use
 * accept() fails and lwIP resets the client after its handshake, exactly as on a chip. */
#define CONNECTION_MAX (MEMP_NUM_NETCONN - 2)
/* Faults and remedies are looked at this often; nothing else needs a clock finer. */
#define LOOK_AGAIN_MS 50

static struct http_connection connections[CONNECTION_MAX];
static int listener = -1;
static u32_t backlog_in_force;
/* Written by the server's task alone, so that a plain store needs no read-modify-write, which
 * a core without the atomic extension (ESP32-C3) would have to call a library for. */
static _Atomic u32_t accepted, served, errors;

static void server_task(void *arg);
static bool listen_with(u32_t backlog);
static void wait_for_sockets(fd_set *readable, fd_set *writable, bool accepting);
static void accept_one(u32_t now_ms);
static void add_to(_Atomic u32_t *counter, u32_t n);

bool http_server_start(void)
{
  for (int i = 0; i < CONNECTION_MAX; i++) {
    connections[i].step = STEP_CLOSED;
  }
  struct sockaddr_storage any;
  memset(&any, 0, sizeof any);
#if LWIP_IPV6
  struct sockaddr_in6 *address = (struct sockaddr_in6 *)&any;
  address->sin6_family = AF_INET6; /* the unspecified address of IPv6 takes IPv4 as well */
  address->sin6_port = lwip_htons(HTTP_PORT);
  listener = lwip_socket(AF_INET6, SOCK_STREAM, 0);
#else
  struct sockaddr_in *address = (struct sockaddr_in *)&any;
  address->sin_family = AF_INET;
  address->sin_port = lwip_htons(HTTP_PORT);
  listener = lwip_socket(AF_INET, SOCK_STREAM, 0);
#endif
  if (listener < 0) {
    return false;
  }
  if (lwip_bind(listener, (struct sockaddr *)&any, sizeof *address) != 0 ||
      lwip_fcntl(listener, F_SETFL, O_NONBLOCK) != 0 || !listen_with(fault_now(FAULT_BACKLOG))) {
    lwip_close(listener);
    return false;
  }
  sys_thread_new("http", server_task, NULL, DEFAULT_THREAD_STACKSIZE, DEFAULT_THREAD_PRIO);
  return true;
}

struct http_counters http_server_counters(void)
{
  struct http_counters now = {
      .accepted = atomic_load_explicit(&accepted, memory_order_relaxed),
      .served = atomic_load_explicit(&served, memory_order_relaxed),
      .errors = atomic_load_explicit(&errors, memory_order_relaxed),
  };
  return now;
}

static void server_task(void *arg)
{
  LWIP_UNUSED_ARG(arg);
  for (;;) {
    if (fault_now(FAULT_BACKLOG) != backlog_in_force) {
      listen_with(fault_now(FAULT_BACKLOG));
    }
    bool accepting = fault_now(FAULT_NO_ACCEPT) == 0;
    fd_set readable, writable;
    wait_for_sockets(&readable, &writable, accepting);
    u32_t now_ms = sys_now();
    for (int i = 0; i < CONNECTION_MAX; i++) {
      struct http_connection *c = &connections[i];
      if (c->step == STEP_CLOSED) {
        continue;
      }
      int fd = c->socket;
      add_to(&served, connection_run(c, FD_ISSET(fd, &readable), FD_ISSET(fd, &writable), now_ms));
      if (c->step == STEP_CLOSED && c->failed) {
        add_to(&errors, 1);
      }
    }
    /* Asked again: the fault may have come while we waited. */
    if (accepting && fault_now(FAULT_NO_ACCEPT) == 0 && FD_ISSET(listener, &readable)) {
      accept_one(now_ms);
    }
  }
}

/* listen() on a listening socket changes the length of its queue: no need to open it anew. */
static bool listen_with(u32_t backlog)
{
  backlog_in_force = backlog;
  return lwip_listen(listener, (int)backlog) == 0;
}

static void wait_for_sockets(fd_set *readable, fd_set *writable, bool accepting)
{
  int most = listener;
  FD_ZERO(readable);
  FD_ZERO(writable);
  if (accepting) {
    FD_SET(listener, readable);
  }
  for (int i = 0; i < CONNECTION_MAX; i++) {
    const struct http_connection *c = &connections[i];
    if (c->step == STEP_CLOSED) {
      continue;
    }
    if (connection_wants_read(c)) {
      FD_SET(c->socket, readable);
    }
    if (connection_wants_write(c)) {
      FD_SET(c->socket, writable);
    }
    most = LWIP_MAX(most, c->socket);
  }
  struct timeval patience = {.tv_sec = 0, .tv_usec = LOOK_AGAIN_MS * 1000};
  if (lwip_select(most + 1, readable, writable, NULL, &patience) <= 0) {
    FD_ZERO(readable);
    FD_ZERO(writable);
  }
}

static void accept_one(u32_t now_ms)
{
  int fd = lwip_accept(listener, NULL, NULL);
  if (fd < 0) {
    return; /* no socket left: lwIP has already reset that client */
  }
  add_to(&accepted, 1);
  for (int i = 0; i < CONNECTION_MAX; i++) {
    if (connections[i].step == STEP_CLOSED) {
      lwip_fcntl(fd, F_SETFL, O_NONBLOCK);
      connection_open(&connections[i], fd, now_ms);
      return;
    }
  }
  add_to(&errors, 1);
  lwip_close(fd);
}

static void add_to(_Atomic u32_t *counter, u32_t n)
{
  atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                        memory_order_relaxed);
}
