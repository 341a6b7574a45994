/* What can be changed against the TIME-WAIT bug, each on its own, while the device runs.
 *
 * Knows: names, ranges and the values in force.
 * Refuses to know: how lwIP is made to obey (time_wait.c, pcb_cap.c, http_connection.c) and who
 * may change them (the shell's command line today; authenticated control requests later).
 */
#ifndef APP_REMEDIES_H
#define APP_REMEDIES_H

#include <stdbool.h>
#include <stdint.h>

/* RFC 793 calls 2 minutes an MSL; anything longer than 10 only makes a test last. The floor is one
 * round of lwIP's 500 ms slow timer, below which the number would be a promise nobody keeps. */
#define MSL_MS_MIN 250u
#define MSL_MS_MAX 600000u
#define PCB_CAP_MAX 255u

enum rst_in_time_wait { RST_IGNORE, RST_HONOUR };
enum syn_in_time_wait { SYN_REFUSE, SYN_ACCEPT };
enum close_mode { CLOSE_SERVER_FIRST, CLOSE_CLIENT_FIRST, CLOSE_KEEP_ALIVE, CLOSE_RESET };

struct remedies {
  uint32_t msl_ms;
  enum rst_in_time_wait rst;
  enum syn_in_time_wait syn;
  enum close_mode close;
  uint32_t pcb_cap; /* 0: none */
};

/* A consistent enough copy: every field is read whole, not all at one instant. */
struct remedies remedies_now(void);
void remedies_put(const struct remedies *wanted);

/* One remedy by the name and the word the control protocol and the command lines use.
 * Returns NULL, or what was expected instead. `into` is untouched on refusal. */
const char *remedies_set_by_name(struct remedies *into, const char *name, const char *value);

/* A named set of all five. False: no such mode. */
bool remedies_of_mode(const char *mode, struct remedies *into);
/* The name of the mode, or "custom" when the values match none. */
const char *remedies_mode_name(const struct remedies *remedies);
const char *remedies_mode_list(void);

const char *rst_in_time_wait_name(enum rst_in_time_wait value);
const char *syn_in_time_wait_name(enum syn_in_time_wait value);
const char *close_mode_name(enum close_mode value);

#endif
