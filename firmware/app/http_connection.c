/* The dialogue. In `server-first` the answer has no length: the body ends with the connection, so
 * the client must wait for our FIN, and the device, not the client, is left with TIME-WAIT. */
#include "http_connection.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lwip/sockets.h"

#include "faults.h"

/* A browser opens spare connections and says nothing on them; they must not hold a slot for ever. */
#define IDLE_MS 60000u
#define STALL_PATH_MS FAULT_MS_MAX
#define BIG_MAX 100000000u

static const char hello[] = "Hello from esp-tcpwatch\n";
static const char block[] = "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz\n";

static bool waited_long_enough(const struct http_connection *c, uint32_t now_ms);
static void step_to(struct http_connection *c, enum connection_step step, uint32_t now_ms);
static void read_request(struct http_connection *c, uint32_t now_ms);
static ssize_t receive(struct http_connection *c);
static uint32_t request_end(const struct http_connection *c);
static void request_complete(struct http_connection *c, uint32_t end, uint32_t now_ms);
static void begin_answer(struct http_connection *c);
static bool send_answer(struct http_connection *c);
static void after_answer(struct http_connection *c, uint32_t now_ms);
static void end_connection(struct http_connection *c, bool failed);

void connection_open(struct http_connection *c, int socket, uint32_t now_ms)
{
  memset(c, 0, sizeof *c);
  c->socket = socket;
  c->close = remedies_now().close;
  step_to(c, fault_now(FAULT_NO_READ_MS) != 0 ? STEP_DEAF : STEP_REQUEST, now_ms);
}

bool connection_wants_read(const struct http_connection *c)
{
  return c->step == STEP_REQUEST;
}

bool connection_wants_write(const struct http_connection *c)
{
  return c->step == STEP_ANSWER;
}

uint32_t connection_run(struct http_connection *c, bool readable, bool writable, uint32_t now_ms)
{
  uint32_t served = 0;
  if (c->step == STEP_DEAF && waited_long_enough(c, now_ms)) {
    step_to(c, STEP_REQUEST, now_ms);
  }
  if (c->step == STEP_REQUEST) {
    if (readable) {
      read_request(c, now_ms);
    } else if (waited_long_enough(c, now_ms)) {
      end_connection(c, c->request_length > 0);
    }
  }
  do {
    if (c->step == STEP_STALL && waited_long_enough(c, now_ms)) {
      begin_answer(c);
      writable = true; /* nothing is sent yet: there is room, or send() says otherwise */
    }
    if (c->step == STEP_ANSWER && writable && send_answer(c)) {
      served++;
      after_answer(c, now_ms);
    }
    /* After a pipelined request the next one is already here, and no select() would tell. */
  } while (c->step == STEP_STALL && waited_long_enough(c, now_ms));
  if (c->step == STEP_LEAK && waited_long_enough(c, now_ms)) {
    end_connection(c, false);
  }
  return served;
}

/* Asked anew each time, so that lifting a fault frees at once what the fault held. */
static bool waited_long_enough(const struct http_connection *c, uint32_t now_ms)
{
  uint32_t patience = 0;
  switch (c->step) {
  case STEP_DEAF:
    patience = fault_now(FAULT_NO_READ_MS);
    break;
  case STEP_REQUEST:
    patience = IDLE_MS;
    break;
  case STEP_STALL:
    patience = c->stall_asked ? STALL_PATH_MS : fault_now(FAULT_STALL_MS);
    break;
  case STEP_LEAK:
    patience = fault_now(FAULT_LEAK_MS);
    break;
  case STEP_ANSWER:
  case STEP_CLOSED:
    return false;
  }
  return now_ms - c->since_ms >= patience;
}

static void step_to(struct http_connection *c, enum connection_step step, uint32_t now_ms)
{
  c->step = step;
  c->since_ms = now_ms;
}

static void read_request(struct http_connection *c, uint32_t now_ms)
{
  ssize_t got = receive(c);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    return;
  }
  if (got <= 0) {
    /* The client's FIN after an answer is how keep-alive and client-first are meant to end. */
    end_connection(c, got < 0 || c->request_length > 0);
    return;
  }
  c->request_length += (uint32_t)got;
  c->since_ms = now_ms;
  uint32_t end = request_end(c);
  if (end > 0) {
    request_complete(c, end, now_ms);
  } else if (c->request_length == REQUEST_MAX) {
    /* The head of a real browser is longer than we care to keep, and only its first line matters:
     * keep that much and the last octets, in which the empty line may have begun. */
    memmove(c->request + REQUEST_MAX / 2, c->request + REQUEST_MAX - 3, 3);
    c->request_length = REQUEST_MAX / 2 + 3;
  }
}

/* In the `reset` mode the last octet of the request stays in the socket: closing with unread data is
 * what makes lwIP send a RST in place of its FIN. SO_LINGER would not do: ESP-IDF compiles it out,
 * and with it lwIP resets only if the answer happens to be still unacknowledged. */
static ssize_t receive(struct http_connection *c)
{
  char *into = c->request + c->request_length;
  size_t room = REQUEST_MAX - c->request_length;
  if (c->close != CLOSE_RESET) {
    return lwip_recv(c->socket, into, room, 0);
  }
  ssize_t seen = lwip_recv(c->socket, into, room, MSG_PEEK);
  if (seen <= 0) {
    return seen;
  }
  uint32_t before = c->request_length;
  c->request_length += (uint32_t)seen;
  uint32_t end = request_end(c);
  c->request_length = before;
  size_t take = end > 0 ? end - before - 1 : (size_t)seen;
  if (take > 0 && lwip_recv(c->socket, into, take, 0) != (ssize_t)take) {
    return -1;
  }
  return seen;
}

/* Octets up to and including the empty line; 0 when it has not come. */
static uint32_t request_end(const struct http_connection *c)
{
  for (uint32_t i = 4; i <= c->request_length; i++) {
    if (memcmp(c->request + i - 4, "\r\n\r\n", 4) == 0) {
      return i;
    }
  }
  return 0;
}

static bool asks_for(const struct http_connection *c, uint32_t end, const char *start)
{
  size_t length = strlen(start);
  return end > length && memcmp(c->request, start, length) == 0;
}

static void request_complete(struct http_connection *c, uint32_t end, uint32_t now_ms)
{
  c->fill = hello;
  c->fill_length = sizeof hello - 1;
  c->body_left = sizeof hello - 1;
  if (asks_for(c, end, "GET /big?")) {
    uint32_t n = 0;
    for (uint32_t i = 9; i < end && c->request[i] >= '0' && c->request[i] <= '9'; i++) {
      n = n * 10 + (uint32_t)(c->request[i] - '0');
      if (n > BIG_MAX) {
        n = BIG_MAX;
        break;
      }
    }
    c->fill = block;
    c->fill_length = sizeof block - 1;
    c->body_left = n;
  }
  c->stall_asked = asks_for(c, end, "GET /stall");
  c->fill_at = 0;
  c->request_length -= end;
  memmove(c->request, c->request + end, c->request_length);
  step_to(c, STEP_STALL, now_ms);
}

static void begin_answer(struct http_connection *c)
{
  int n;
  if (c->close == CLOSE_KEEP_ALIVE || c->close == CLOSE_CLIENT_FIRST) {
    /* `client-first` says close as well, but waits for the client to do it. */
    n = snprintf(c->head, sizeof c->head,
                 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %lu\r\n"
                 "Connection: %s\r\n\r\n",
                 (unsigned long)c->body_left,
                 c->close == CLOSE_KEEP_ALIVE ? "keep-alive" : "close");
  } else {
    n = snprintf(c->head, sizeof c->head,
                 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n");
  }
  c->head_length = n > 0 && (size_t)n < sizeof c->head ? (uint32_t)n : 0;
  c->head_sent = 0;
  /* A short answer travels in one segment, as the server of the bug report sends it. */
  if (c->fill == hello && c->head_length + c->body_left < sizeof c->head) {
    memcpy(c->head + c->head_length, hello, c->body_left);
    c->head_length += c->body_left;
    c->body_left = 0;
  }
  c->step = STEP_ANSWER;
}

/* True when the stack has taken all of it. */
static bool send_answer(struct http_connection *c)
{
  while (c->head_sent < c->head_length || c->body_left > 0) {
    bool in_head = c->head_sent < c->head_length;
    const char *from = in_head ? c->head + c->head_sent : c->fill + c->fill_at;
    uint32_t length = in_head ? c->head_length - c->head_sent : c->fill_length - c->fill_at;
    if (!in_head && length > c->body_left) {
      length = c->body_left;
    }
    ssize_t taken = lwip_send(c->socket, from, length, MSG_DONTWAIT);
    if (taken < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      return false;
    }
    if (taken <= 0) {
      end_connection(c, true);
      return false;
    }
    if (in_head) {
      c->head_sent += (uint32_t)taken;
    } else {
      c->fill_at = (c->fill_at + (uint32_t)taken) % c->fill_length;
      c->body_left -= (uint32_t)taken;
    }
  }
  return true;
}

static void after_answer(struct http_connection *c, uint32_t now_ms)
{
  if (fault_now(FAULT_LEAK_MS) != 0) {
    step_to(c, STEP_LEAK, now_ms);
    return;
  }
  if (c->close == CLOSE_SERVER_FIRST || c->close == CLOSE_RESET) {
    end_connection(c, false);
    return;
  }
  step_to(c, STEP_REQUEST, now_ms);
  uint32_t end = request_end(c);
  if (end > 0) {
    request_complete(c, end, now_ms);
  }
}

static void end_connection(struct http_connection *c, bool failed)
{
  lwip_close(c->socket);
  c->socket = -1;
  c->failed = failed;
  c->step = STEP_CLOSED;
}
