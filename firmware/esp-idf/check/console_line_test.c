/* console_line.c on the host: what is shown, what is kept from sight, what is refused. */
#include "console_line.h"

#include <stdio.h>
#include <string.h>

static int failures;

static void same(const char *what, const char *is, const char *should)
{
  if (strcmp(is, should) != 0) {
    fprintf(stderr, "console_line: %s: is \"%s\", should be \"%s\"\n", what, is, should);
    failures++;
  }
}

static void expect(const char *what, bool holds)
{
  if (!holds) {
    fprintf(stderr, "console_line: %s: not so\n", what);
    failures++;
  }
}

/* Types `text` and gathers what appears. */
static void type(struct console_line *line, const char *text, char *seen, size_t size)
{
  bool complete;
  console_line_clear(line);
  seen[0] = '\0';
  for (; *text != '\0'; text++) {
    const char *echo = console_line_octet(line, (unsigned char)*text, &complete);
    strncat(seen, echo, size - strlen(seen) - 1);
  }
}

int main(void)
{
  struct console_line line;
  char seen[400];
  char text[200];
  bool complete;

  type(&line, "ssid My Network", seen, sizeof seen);
  same("a name is shown", seen, "ssid My Network");
  same("its value", console_line_value(&line), "My Network");
  expect("it is good", console_line_complaint(&line) == NULL);
  console_line_octet(&line, '\r', &complete);
  expect("CR ends it", complete);
  console_line_octet(&line, '\n', &complete);
  expect("LF ends it", complete);

  type(&line, "password  two blanks", seen, sizeof seen);
  same("a password is not shown", seen, "password ");
  same("all of it counts", console_line_value(&line), " two blanks");
  expect("it is good", console_line_complaint(&line) == NULL);

  type(&line, "pasword hunter2hunter2", seen, sizeof seen);
  same("nor after a misspelling", seen, "pasword ");
  expect("which is refused", console_line_word(&line) == WORD_UNKNOWN && console_line_complaint(&line) != NULL);
  expect("without repeating it", strstr(console_line_complaint(&line), "hunter2") == NULL);

  type(&line, "password short", seen, sizeof seen);
  expect("seven characters are too few", console_line_complaint(&line) != NULL);
  type(&line, "password", seen, sizeof seen);
  expect("no password is one for an open network", console_line_complaint(&line) == NULL);

  snprintf(text, sizeof text, "key %064d", 7);
  type(&line, text, seen, sizeof seen);
  same("a key is not shown", seen, "key ");
  expect("64 digits are a key", console_line_complaint(&line) == NULL && console_line_word(&line) == WORD_KEY);
  type(&line, text + 1, seen, sizeof seen);
  expect("and nothing without its word", console_line_word(&line) == WORD_UNKNOWN);
  text[10] = 'A';
  type(&line, text, seen, sizeof seen);
  expect("capitals are none", console_line_complaint(&line) != NULL);
  text[strlen(text) - 1] = '\0';
  type(&line, text, seen, sizeof seen);
  expect("63 are none", console_line_complaint(&line) != NULL);

  type(&line, "ssix\bd home\x7f\x7f", seen, sizeof seen);
  same("what is taken back is wiped", seen, "ssix\b \bd home\b \b\b \b");
  same("and gone", console_line_value(&line), "ho");
  type(&line, "key ab\b\b\b\b\b\b\b\b", seen, sizeof seen);
  same("of a secret nothing is wiped, since nothing was shown", seen, "key \b \b\b \b\b \b\b \b");
  expect("and no further back than the start", line.length == 0);

  snprintf(text, sizeof text, "ssid %0150d", 0);
  type(&line, text, seen, sizeof seen);
  expect("what finds no room is not kept", line.length == CONSOLE_LINE_MAX && strlen(line.text) == CONSOLE_LINE_MAX);
  expect("and spoils the line", console_line_complaint(&line) != NULL);
  type(&line, "ssid 123456789012345678901234567890123", seen, sizeof seen);
  expect("33 octets are no SSID", console_line_complaint(&line) != NULL);
  type(&line, "ssid ", seen, sizeof seen);
  expect("nor are none", console_line_complaint(&line) != NULL);
  type(&line, "\x1b[Assid \x01home", seen, sizeof seen);
  expect("control characters do not count", strchr(line.text, 0x1b) == NULL && strchr(line.text, 1) == NULL);

  type(&line, "restart", seen, sizeof seen);
  expect("restart", console_line_word(&line) == WORD_RESTART && console_line_complaint(&line) == NULL);
  type(&line, "forget me", seen, sizeof seen);
  expect("forget takes nothing more", console_line_complaint(&line) != NULL);

  if (failures == 0) {
    puts("console_line: what is typed is read, and secrets are not shown");
  }
  return failures != 0;
}
