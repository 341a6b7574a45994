/* SplitMix64: every seed is a good one, and each step is one atomic addition, which several threads
 * may do without a lock. */
#include "random.h"

#include <stdatomic.h>
#include <sys/random.h>
#include <time.h>

static _Atomic uint64_t state;

void random_seed(uint64_t seed)
{
  atomic_store(&state, seed);
}

static uint64_t entropy(void)
{
  uint64_t seed;
  if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    seed = (uint64_t)t.tv_sec << 30 ^ (uint64_t)t.tv_nsec;
  }
  return seed;
}

void random_seed_from_system(void)
{
  random_seed(entropy());
}

uint32_t random_from_system(void)
{
  return (uint32_t)(entropy() >> 16);
}

unsigned int twin_random(void)
{
  uint64_t z = atomic_fetch_add(&state, UINT64_C(0x9e3779b97f4a7c15)) + UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return (unsigned int)((z ^ (z >> 31)) >> 32);
}

bool random_one_in_permille(uint32_t permille)
{
  return permille != 0 && twin_random() % 1000 < permille;
}
