/* One line typed on the console, octet by octet.
 *
 * Knows: the words of provisioning, what their values may be, and which values nobody may look at.
 * Refuses to know: where octets come from and what is done with a line. Plain C, tested on the host.
 */
#ifndef CONSOLE_LINE_H
#define CONSOLE_LINE_H

#include <stdbool.h>
#include <stddef.h>

#define CONSOLE_SSID_MAX 32u
#define CONSOLE_PASSWORD_MAX 64u /* 8 to 63 characters, or 64 hexadecimal digits */
#define CONSOLE_LINE_MAX 80u

enum console_word { WORD_SSID, WORD_PASSWORD, WORD_KEY, WORD_FORGET, WORD_RESTART, WORD_UNKNOWN };

struct console_line {
  char text[CONSOLE_LINE_MAX + 1]; /* zeroed by console_line_clear(), so it always ends */
  size_t length;
  bool overlong; /* an octet found no room: the whole line is refused */
};

/* Takes one octet and returns what is to be shown for it: mostly the octet, and nothing at all in
 * the value of a secret. True in `complete`: the line has ended; look at it, then clear it. */
const char *console_line_octet(struct console_line *line, int octet, bool *complete);
void console_line_clear(struct console_line *line);

enum console_word console_line_word(const struct console_line *line);
/* What follows the first space, spaces included; empty when there is none. */
const char *console_line_value(const struct console_line *line);
/* NULL when the line may be obeyed, else what was expected. Never repeats what was typed. */
const char *console_line_complaint(const struct console_line *line);

#endif
