/* A cursor over the text. Every read of an octet goes through peek(), which knows the end. */
#include "json_read.h"

#include <string.h>

static bool skip_value(struct json *j, int depth);
static bool skip_members(struct json *j, int depth, char close);
static bool skip_string(struct json *j, struct json_text *text);
static bool skip_escape(struct json *j);
static bool skip_number(struct json *j);
static bool skip_digits(struct json *j);
static bool skip_word(struct json *j, const char *word);
static void skip_space(struct json *j);
static int peek(const struct json *j);
static bool take(struct json *j, char c);
static bool fail(struct json *j);

struct json json_from(const char *text, size_t length)
{
  struct json j = {.at = text, .end = text + length, .failed = false, .first = false};
  return j;
}

bool json_enter_object(struct json *j)
{
  skip_space(j);
  j->first = true;
  return take(j, '{') || fail(j);
}

bool json_next_name(struct json *j, struct json_text *name)
{
  if (j->failed) {
    return false;
  }
  skip_space(j);
  if (take(j, '}')) {
    j->first = false;
    return false;
  }
  if (!j->first && !take(j, ',')) {
    return fail(j);
  }
  j->first = false;
  skip_space(j);
  if (!skip_string(j, name)) {
    return false;
  }
  skip_space(j);
  return take(j, ':') || fail(j);
}

bool json_u32(struct json *j, uint32_t *value)
{
  if (j->failed) {
    return false;
  }
  skip_space(j);
  struct json probe = *j;
  const char *start = probe.at;
  if (!skip_number(&probe)) {
    return false;
  }
  uint64_t n = 0;
  for (const char *p = start; p < probe.at; p++) {
    if (*p < '0' || *p > '9') {
      return false; /* a sign, a fraction or an exponent */
    }
    n = n * 10 + (uint64_t)(*p - '0');
    if (n > UINT32_MAX) {
      return false;
    }
  }
  *value = (uint32_t)n;
  *j = probe;
  return true;
}

bool json_bool(struct json *j, bool *value)
{
  if (j->failed) {
    return false;
  }
  skip_space(j);
  if (peek(j) != 't' && peek(j) != 'f') {
    return false;
  }
  *value = peek(j) == 't';
  return skip_word(j, *value ? "true" : "false");
}

bool json_string(struct json *j, struct json_text *value)
{
  if (j->failed) {
    return false;
  }
  skip_space(j);
  return peek(j) == '"' && skip_string(j, value);
}

bool json_skip_value(struct json *j)
{
  return !j->failed && skip_value(j, 0);
}

bool json_at_end(struct json *j)
{
  skip_space(j);
  return !j->failed && j->at == j->end;
}

bool json_text_is(struct json_text text, const char *word)
{
  return text.length == strlen(word) && memcmp(text.start, word, text.length) == 0;
}

static bool skip_value(struct json *j, int depth)
{
  struct json_text ignored;
  skip_space(j);
  switch (peek(j)) {
  case '{':
    return depth < JSON_DEPTH ? skip_members(j, depth, '}') : fail(j);
  case '[':
    return depth < JSON_DEPTH ? skip_members(j, depth, ']') : fail(j);
  case '"':
    return skip_string(j, &ignored);
  case 't':
    return skip_word(j, "true");
  case 'f':
    return skip_word(j, "false");
  case 'n':
    return skip_word(j, "null");
  default:
    return skip_number(j);
  }
}

static bool skip_members(struct json *j, int depth, char close)
{
  struct json_text ignored;
  j->at++; /* the opening bracket the caller saw */
  skip_space(j);
  if (take(j, close)) {
    return true;
  }
  for (;;) {
    if (close == '}') {
      skip_space(j);
      if (!skip_string(j, &ignored)) {
        return false;
      }
      skip_space(j);
      if (!take(j, ':')) {
        return fail(j);
      }
    }
    if (!skip_value(j, depth + 1)) {
      return false;
    }
    skip_space(j);
    if (take(j, close)) {
      return true;
    }
    if (!take(j, ',')) {
      return fail(j);
    }
  }
}

static bool skip_string(struct json *j, struct json_text *text)
{
  if (!take(j, '"')) {
    return fail(j);
  }
  text->start = j->at;
  for (;;) {
    int c = peek(j);
    if (c < 0x20 || c > 0x7e) {
      return fail(j); /* the end, a control character, or not ASCII */
    }
    j->at++;
    if (c == '"') {
      text->length = (size_t)(j->at - 1 - text->start);
      return true;
    }
    if (c == '\\' && !skip_escape(j)) {
      return false;
    }
  }
}

static bool skip_escape(struct json *j)
{
  int c = peek(j);
  if (c < 0 || c == 0 || strchr("\"\\/bfnrtu", c) == NULL) {
    return fail(j);
  }
  j->at++;
  for (int digit = 0; c == 'u' && digit < 4; digit++) {
    int h = peek(j);
    if (!((h >= '0' && h <= '9') || (h >= 'a' && h <= 'f') || (h >= 'A' && h <= 'F'))) {
      return fail(j);
    }
    j->at++;
  }
  return true;
}

static bool skip_number(struct json *j)
{
  (void)take(j, '-');
  if (take(j, '0')) {
    if (peek(j) >= '0' && peek(j) <= '9') {
      return fail(j); /* no leading zeros */
    }
  } else if (!skip_digits(j)) {
    return false;
  }
  if (take(j, '.') && !skip_digits(j)) {
    return false;
  }
  if (take(j, 'e') || take(j, 'E')) {
    if (!take(j, '+')) {
      (void)take(j, '-');
    }
    return skip_digits(j);
  }
  return true;
}

static bool skip_digits(struct json *j)
{
  const char *start = j->at;
  while (peek(j) >= '0' && peek(j) <= '9') {
    j->at++;
  }
  return j->at > start || fail(j);
}

static bool skip_word(struct json *j, const char *word)
{
  size_t length = strlen(word);
  if ((size_t)(j->end - j->at) < length || memcmp(j->at, word, length) != 0) {
    return fail(j);
  }
  j->at += length;
  return true;
}

static void skip_space(struct json *j)
{
  while (j->at < j->end && (*j->at == ' ' || *j->at == '\t' || *j->at == '\r' || *j->at == '\n')) {
    j->at++;
  }
}

/* The next octet, or -1 at the end. */
static int peek(const struct json *j)
{
  return j->at < j->end ? (unsigned char)*j->at : -1;
}

static bool take(struct json *j, char c)
{
  if (j->failed || peek(j) != (unsigned char)c) {
    return false;
  }
  j->at++;
  return true;
}

static bool fail(struct json *j)
{
  j->failed = true;
  return false;
}
