/* What every target has in common. */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy in memory of exactly its size, to be freed. */
static inline char *exact(const void *octets, size_t size)
{
  char *copy = calloc(size > 0 ? size : 1, 1);
  if (copy == NULL) {
    abort();
  }
  if (size > 0) {
    memcpy(copy, octets, size);
  }
  return copy;
}

#endif
