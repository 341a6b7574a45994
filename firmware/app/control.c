/* Receive, judge, act, answer; only the faults of the link wait until the answer is out, or they
 * would eat it. Doing the same request twice leaves the same state, which makes a lost reply harmless. */
#include "lwip/opt.h"

#include "control.h"

#include <string.h>

#include "lwip/sockets.h"
#include "lwip/sys.h"

#include "control_auth.h"
#include "control_change.h"
#include "control_reply.h"
#include "control_request.h"
#include "pcb_list.h"

static const struct app_identity *identity;
static int channel = -1;

static void control_task(void *arg);
static struct asker asker_at(const struct sockaddr_storage *peer);
static const struct pcb_list *list_for(struct control_request *request);

bool control_start(const struct app_identity *who)
{
  struct sockaddr_storage any;
  memset(&any, 0, sizeof any);
#if LWIP_IPV6
  struct sockaddr_in6 *address = (struct sockaddr_in6 *)&any;
  address->sin6_family = AF_INET6;
  address->sin6_port = lwip_htons(CONTROL_PORT);
  channel = lwip_socket(AF_INET6, SOCK_DGRAM, 0);
#else
  struct sockaddr_in *address = (struct sockaddr_in *)&any;
  address->sin_family = AF_INET;
  address->sin_port = lwip_htons(CONTROL_PORT);
  channel = lwip_socket(AF_INET, SOCK_DGRAM, 0);
#endif
  if (channel < 0) {
    return false;
  }
  if (lwip_bind(channel, (struct sockaddr *)&any, sizeof *address) != 0) {
    lwip_close(channel);
    return false;
  }
  identity = who;
  control_auth_begin(who->control_key);
  sys_thread_new("control", control_task, NULL, DEFAULT_THREAD_STACKSIZE, DEFAULT_THREAD_PRIO);
  return true;
}

static void control_task(void *arg)
{
  /* Static: a chip's task has a small stack, and there is one such task. One octet more than is
   * allowed, so that a longer datagram shows. */
  static char datagram[CONTROL_REQUEST_MAX + 1];
  static char reply[CONTROL_REPLY_MAX];
  static struct control_request request;
  LWIP_UNUSED_ARG(arg);
  for (;;) {
    struct sockaddr_storage peer;
    socklen_t peer_length = sizeof peer;
    ssize_t got = lwip_recvfrom(channel, datagram, sizeof datagram, 0, (struct sockaddr *)&peer,
                                &peer_length);
    if (got < 0) {
      sys_msleep(10); /* out of memory for a moment; never a reason to stop listening */
      continue;
    }
    control_request_read(&request, datagram, (size_t)got);
    bool change = request.error == CONTROL_OK && request.op == OP_FAULT;
    if (change) {
      faults_put_device(&request.faults);
    }
    if (request.error == CONTROL_OK && request.op == OP_CHALLENGE) {
      control_challenge(&request, asker_at(&peer));
    } else if (request.error == CONTROL_OK && request.op == OP_SET) {
      control_change(&request, asker_at(&peer), datagram, (size_t)got);
    }
    const struct pcb_list *list = list_for(&request);
    size_t length = control_reply_write(&request, identity, list, reply, sizeof reply);
    if (length > 0) {
      lwip_sendto(channel, reply, length, 0, (struct sockaddr *)&peer, peer_length);
    }
    if (change) {
      faults_put_link(&request.faults);
    }
  }
}

/* The address without its port: the next request may come from another. */
static struct asker asker_at(const struct sockaddr_storage *peer)
{
  struct asker asker;
#if LWIP_IPV6
  const struct sockaddr_in6 *address = (const struct sockaddr_in6 *)peer;
  asker.address = &address->sin6_addr;
  asker.length = sizeof address->sin6_addr;
#else
  const struct sockaddr_in *address = (const struct sockaddr_in *)peer;
  asker.address = &address->sin_addr;
  asker.length = sizeof address->sin_addr;
#endif
  return asker;
}

/* The list that a page is asked of; NULL with another op, or when the request is refused for it. */
static const struct pcb_list *list_for(struct control_request *request)
{
  if (request->error != CONTROL_OK || request->op != OP_PCBS) {
    return NULL;
  }
  if (!request->has_snapshot) {
    return pcb_list_take(request->id);
  }
  const struct pcb_list *list = pcb_list_of(request->snapshot);
  if (list == NULL) {
    control_request_refuse(request, CONTROL_SNAPSHOT_GONE,
                           "that list is kept no more: ask for a new one, without snapshot");
  } else if (request->from > list->kept) {
    control_request_refuse(request, CONTROL_OUT_OF_RANGE, "from is beyond the end of the list");
  }
  return list;
}
