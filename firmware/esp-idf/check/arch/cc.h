/* lwIP's questions about compiler and platform, answered as for a chip with a POSIX-like C library. */
#ifndef CHECK_CC_H
#define CHECK_CC_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/time.h>

#define LWIP_TIMEVAL_PRIVATE 0
#define LWIP_ERRNO_STDINCLUDE 1
#define LWIP_PLATFORM_DIAG(x) \
  do {                        \
    printf x;                 \
  } while (0)
#define LWIP_PLATFORM_ASSERT(x) abort()

typedef int sys_prot_t;

#endif
