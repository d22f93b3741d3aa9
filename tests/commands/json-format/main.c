// json-format [-c] [-i spaces]: JSON of the standard input, indented (two spaces when not said), or compact with -c.
// Exit code 1 where it is not JSON, with line and column; 2 for wrong flags.
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_DEPTH = 512 };

static bool compact;
static int indent = 2, depth, ahead;
static unsigned long line = 1, column;

static int next(void) {
  int taken = ahead;
  if (taken == '\n') line++, column = 0;
  column++;
  ahead = getchar();
  return taken;
}

static _Noreturn void wrong(const char *expected) {
  fflush(stdout);
  if (ahead == EOF) fprintf(stderr, "json-format: %lu:%lu: expected %s, not the end\n", line, column, expected);
  else fprintf(stderr, "json-format: %lu:%lu: expected %s, not '%c'\n", line, column, expected, ahead);
  exit(1);
}

static void space(void) {
  while (ahead == ' ' || ahead == '\t' || ahead == '\n' || ahead == '\r') next();
}

static void take(int wanted, const char *expected) {
  if (ahead != wanted) wrong(expected);
  putchar(next());
}

static void new_line(void) {
  if (!compact) printf("\n%*s", depth * indent, "");
}

static void digits(void) {
  if (!isdigit(ahead)) wrong("a digit");
  while (isdigit(ahead)) putchar(next());
}

static void number(void) {
  if (ahead == '-') putchar(next());
  if (ahead == '0') putchar(next());
  else digits();
  if (ahead == '.') putchar(next()), digits();
  if (ahead == 'e' || ahead == 'E') {
    putchar(next());
    if (ahead == '+' || ahead == '-') putchar(next());
    digits();
  }
}

static void string(void) {
  take('"', "a string");
  while (ahead != '"') {
    if (ahead == EOF || ahead < ' ') wrong("'\"'");
    if (ahead != '\\') {
      putchar(next());
      continue;
    }
    putchar(next());
    if (ahead == EOF || strchr("\"\\/bfnrtu", ahead) == NULL) wrong("an escape");
    if (putchar(next()) != 'u') continue;
    for (int i = 0; i < 4; i++) {
      if (!isxdigit(ahead)) wrong("a hexadecimal digit");
      putchar(next());
    }
  }
  putchar(next());
}

static void value(void);

static void members(int end, bool named) {
  putchar(next());
  if (++depth > MAX_DEPTH) wrong("less nesting");
  space();
  bool empty = ahead == end;
  while (ahead != end) {
    new_line();
    if (named) {
      string();
      space();
      take(':', "':'");
      if (!compact) putchar(' ');
      space();
    }
    value();
    space();
    if (ahead == end) break;
    take(',', "','");
    space();
    if (ahead == end) wrong("a value");
  }
  depth--;
  if (!empty) new_line();
  putchar(next());
}

static void value(void) {
  const char *word = ahead == 't' ? "true" : ahead == 'f' ? "false" : ahead == 'n' ? "null" : NULL;
  if (ahead == '{') members('}', true);
  else if (ahead == '[') members(']', false);
  else if (ahead == '"') string();
  else if (ahead == '-' || isdigit(ahead)) number();
  else if (word != NULL) for (; *word; word++) take(*word, "true, false or null");
  else wrong("a value");
}

int main(int argc, char **argv) {
  int option;
  while ((option = getopt(argc, argv, "ci:")) != -1) {
    if (option == 'c') compact = true;
    else if (option == 'i') indent = atoi(optarg);
    else return 2;
  }
  ahead = getchar();
  column = 1;
  space();
  value();
  putchar('\n');
  space();
  if (ahead != EOF) wrong("the end");
  return fflush(stdout) == 0 ? 0 : 1;
}
