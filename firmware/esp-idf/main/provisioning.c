/* Nobody else's echo is on: ESP-IDF's console shows nothing of what is typed, and so it is ours to
 * show names and to keep secrets off the screen. */
#include "provisioning.h"

#include <stdio.h>
#include <unistd.h>

#include "esp_system.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

#include "console_line.h"
#include "settings.h"

/* Without a driver of its own the console never blocks, and the UART keeps 128 octets: more than a line
 * pasted at 115200 baud in this time. */
#define LOOK_AGAIN_MS 10

static void say(const char *text);
static void obey(const struct console_line *line);

_Noreturn void provisioning_run(void)
{
  static struct console_line line; /* static: the main task has a small stack */
  say("To set up: ssid NAME, password WORDS, key 64-HEX-DIGITS, then restart. To undo: forget.\n");
  for (;;) {
    unsigned char octet;
    if (read(STDIN_FILENO, &octet, 1) != 1) {
      vTaskDelay(pdMS_TO_TICKS(LOOK_AGAIN_MS) > 0 ? pdMS_TO_TICKS(LOOK_AGAIN_MS) : 1);
      continue;
    }
    bool complete;
    say(console_line_octet(&line, octet, &complete));
    if (complete) {
      if (line.length > 0) { /* the second half of CR LF is an empty line */
        obey(&line);
      }
      console_line_clear(&line);
    }
  }
}

static void obey(const struct console_line *line)
{
  const char *complaint = console_line_complaint(line);
  if (complaint != NULL) {
    say("Expected ");
    say(complaint);
    say(".\n");
    return;
  }
  enum console_word word = console_line_word(line);
  if (word == WORD_RESTART) {
    esp_restart();
  }
  bool done = word == WORD_FORGET ? settings_forget() : settings_store(word, console_line_value(line));
  say(done ? "Done; in force after: restart\n" : "The flash did not take it.\n");
}

static void say(const char *text)
{
  fputs(text, stdout);
  fflush(stdout);
}
