/* Misbehaviour on request, for the lab: each fault is one number, 0 (or its default) when absent.
 *
 * Knows: the list, the ranges, what is in force.
 * Refuses to know: how a fault is acted out (http_server.c, http_connection.c, the shell's link).
 *
 * Compiled in only where APP_FAULTS is defined; the faults of the link only where the shell has a
 * link of its own and defines APP_LINK_FAULTS (the twin). Elsewhere they read as absent.
 */
#ifndef APP_FAULTS_H
#define APP_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

enum fault {
  FAULT_STALL_MS,     /* answer this long after the request was read */
  FAULT_LEAK_MS,      /* keep the connection this long after the answer, deaf to the peer's FIN */
  FAULT_NO_READ_MS,   /* read nothing this long after accept: the window closes */
  FAULT_NO_ACCEPT,    /* leave connections in the backlog */
  FAULT_BACKLOG,      /* length of the listen queue */
  FAULT_LOSS_IN_PERMILLE,  /* of frames to the device */
  FAULT_LOSS_OUT_PERMILLE, /* of frames from it */
  FAULT_LINK_DOWN_MS, /* nothing passes, control included, for this long from now on */
  FAULT_COUNT,
  FIRST_LINK_FAULT = FAULT_LOSS_IN_PERMILLE
};

#define FAULT_MS_MAX 3600000u

struct fault_shape {
  const char *name;
  uint32_t most;
  uint32_t absent; /* the value that means: not misbehaving */
  bool flag;       /* JSON true and false instead of a number */
};

extern const struct fault_shape fault_shapes[FAULT_COUNT];

/* Several faults asked for at once: taken all or none. */
struct fault_change {
  bool asked[FAULT_COUNT];
  uint32_t value[FAULT_COUNT];
};

uint32_t fault_now(enum fault fault);
/* In two halves, because a reply has to leave before the link goes bad. */
void faults_put_device(const struct fault_change *change);
void faults_put_link(const struct fault_change *change);
bool fault_compiled_in(enum fault fault);

#ifdef APP_LINK_FAULTS
/* The shell's side of FAULT_LINK_DOWN_MS: time is the shell's, so it tells what is left. */
uint32_t shell_link_down_ms_left(void);
void shell_link_down(uint32_t ms);
#endif

#endif
