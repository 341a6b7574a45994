/* Whatever is not known to be harmless stays unseen: a mistyped `pasword` has a secret after it too. */
#include "console_line.h"

#include <string.h>

#define BACKSPACE 0x08
#define DELETE 0x7f

static const char *const words[] = {
    [WORD_SSID] = "ssid",     [WORD_PASSWORD] = "password", [WORD_KEY] = "key",
    [WORD_FORGET] = "forget", [WORD_RESTART] = "restart",
};

static bool shown(const struct console_line *line);
static size_t word_length(const struct console_line *line);
static bool is_hexadecimal(const char *text);

const char *console_line_octet(struct console_line *line, int octet, bool *complete)
{
  static char echo[2];
  *complete = octet == '\r' || octet == '\n';
  if (*complete) {
    return "\n";
  }
  if (octet == BACKSPACE || octet == DELETE) {
    if (line->length == 0 || line->overlong) {
      return "";
    }
    line->text[--line->length] = '\0';
    return shown(line) ? "\b \b" : "";
  }
  if (octet < 0x20 || octet > 0xff) {
    return "";
  }
  if (line->length == CONSOLE_LINE_MAX) {
    line->overlong = true;
    return "";
  }
  bool show = shown(line);
  line->text[line->length++] = (char)octet;
  echo[0] = (char)octet;
  return show ? echo : "";
}

void console_line_clear(struct console_line *line)
{
  memset(line, 0, sizeof *line);
}

/* Is the octet at `length` one for all to see? The first word and the name of a network are. */
static bool shown(const struct console_line *line)
{
  return memchr(line->text, ' ', line->length) == NULL || console_line_word(line) == WORD_SSID;
}

enum console_word console_line_word(const struct console_line *line)
{
  size_t length = word_length(line);
  for (int i = 0; i < WORD_UNKNOWN; i++) {
    if (strlen(words[i]) == length && memcmp(words[i], line->text, length) == 0) {
      return (enum console_word)i;
    }
  }
  return WORD_UNKNOWN;
}

const char *console_line_value(const struct console_line *line)
{
  size_t length = word_length(line);
  return line->text + length + (length < line->length ? 1 : 0);
}

const char *console_line_complaint(const struct console_line *line)
{
  const char *value = console_line_value(line);
  size_t length = strlen(value);
  if (line->overlong) {
    return "a line has at most 80 characters";
  }
  switch (console_line_word(line)) {
  case WORD_SSID:
    return length >= 1 && length <= CONSOLE_SSID_MAX ? NULL : "ssid and a name of 1 to 32 octets";
  case WORD_PASSWORD:
    /* IEEE 802.11i: a passphrase of 8 to 63 characters, or the key itself. */
    return length == 0 || (length >= 8 && length <= 63) || (length == 64 && is_hexadecimal(value))
               ? NULL
               : "password and 8 to 63 characters; or nothing, for an open network";
  case WORD_KEY:
    return length == 64 && is_hexadecimal(value) ? NULL
                                                 : "key and 64 lower-case hexadecimal digits";
  case WORD_FORGET:
  case WORD_RESTART:
    return length == 0 ? NULL : "that word alone";
  case WORD_UNKNOWN:
    break;
  }
  return "ssid NAME, password WORDS, key DIGITS, forget or restart";
}

static size_t word_length(const struct console_line *line)
{
  const char *space = memchr(line->text, ' ', line->length);
  return space != NULL ? (size_t)(space - line->text) : line->length;
}

static bool is_hexadecimal(const char *text)
{
  return strspn(text, "0123456789abcdef") == strlen(text);
}
