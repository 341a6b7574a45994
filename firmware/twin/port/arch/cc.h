/* lwIP's questions about compiler and platform, answered for a POSIX host. */
#ifndef TWIN_CC_H
#define TWIN_CC_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#define LWIP_TIMEVAL_PRIVATE 0
#define LWIP_ERRNO_STDINCLUDE 1

typedef int sys_prot_t;

unsigned int twin_random(void);
#define LWIP_RAND() ((u32_t)twin_random())

#define LWIP_PLATFORM_DIAG(x) \
  do {                        \
    printf x;                 \
  } while (0)

/* A broken assertion in the stack under test must not be survived in silence. */
#define LWIP_PLATFORM_ASSERT(x)                                                             \
  do {                                                                                      \
    fprintf(stderr, "esp-tcpwatch-twin: lwIP assertion failed: %s (%s:%d)\n", x, __FILE__, \
            __LINE__);                                                                      \
    abort();                                                                                \
  } while (0)

#endif
