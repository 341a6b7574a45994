/* One seeded stream of numbers for everything the twin leaves to chance, so that a run can be had
 * again: lost frames, lwIP's own dice, the secret in the initial sequence numbers. */
#ifndef TWIN_RANDOM_H
#define TWIN_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

void random_seed(uint64_t seed);
/* From the kernel, when no seed was asked for. */
void random_seed_from_system(void);
unsigned int twin_random(void);
/* Chance that no seed repeats. */
uint32_t random_from_system(void);
/* True `permille` times in a thousand. */
bool random_one_in_permille(uint32_t permille);

#endif
