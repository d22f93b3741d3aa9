// probe args|env|terminals|exit CODE|abort|spin|chatter: shows what a program is given, or ends as it is told.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static void at_exit(void) {
  printf("at exit\n");
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "args") == 0) {
    for (int i = 0; i < argc; i++) printf("%s\n", argv[i]);
  } else if (strcmp(what, "env") == 0) {
    for (char **variable = environ; *variable != NULL; variable++) printf("%s\n", *variable);
  } else if (strcmp(what, "terminals") == 0) {
    printf("%d %d %d\n", isatty(0), isatty(1), isatty(2));
  } else if (strcmp(what, "exit") == 0) {
    atexit(at_exit);
    exit(argc > 2 ? atoi(argv[2]) : 0);
  } else if (strcmp(what, "abort") == 0) {
    abort();
  } else if (strcmp(what, "spin") == 0) {
    printf("spinning\n");
    fflush(stdout);
    for (volatile unsigned i = 0;; i++) continue;
  } else if (strcmp(what, "chatter") == 0) {
    while (true) puts("and another thing");
  }
  return 0;
}
