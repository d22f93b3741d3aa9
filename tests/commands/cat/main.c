// cat [-n] [file ...]: the files one after another, "-" and no file at all are the standard input; -n numbers lines.
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool numbered, line_open;
static unsigned long line;

static void put(const char *bytes, size_t length) {
  for (size_t i = 0; numbered && i < length; i++) {
    if (!line_open) printf("%6lu\t", ++line);
    line_open = bytes[i] != '\n';
    putchar(bytes[i]);
  }
  if (!numbered) fwrite(bytes, 1, length, stdout);
}

static bool copy(FILE *file) {
  char buffer[65536];
  ssize_t got;
  // read(), not fread(): what is there is passed on at once, as one expects in a pipe or at a terminal
  while ((got = read(fileno(file), buffer, sizeof buffer)) > 0) {
    put(buffer, (size_t)got);
    if (fflush(stdout) != 0 || ferror(stdout)) {
      fprintf(stderr, "cat: standard output: %s\n", strerror(errno));
      exit(1);
    }
  }
  return got == 0;
}

int main(int argc, char **argv) {
  int first = 1, failed = 0;
  if (argc > 1 && strcmp(argv[1], "-n") == 0) numbered = true, first = 2;
  for (int i = first; i < argc || i == first; i++) {
    const char *name = i < argc ? argv[i] : "-";
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "rb");
    if (file == NULL || !copy(file)) {
      fprintf(stderr, "cat: %s: %s\n", name, strerror(errno));
      failed = 1;
    }
    if (file != NULL && file != stdin) fclose(file);
  }
  return failed;
}
