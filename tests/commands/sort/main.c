// sort [-r] [-n] [-u] [-o file] [file ...]: lines in the order of their bytes; -r backwards, -n by the number that a line
// begins with, -u without lines that are equal. Exit code 2 when a file cannot be read or written.
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool backwards, numeric, unique;
static char **lines;
static size_t count, room;

static _Noreturn void fail(const char *name) {
  fprintf(stderr, "sort: %s: %s\n", name, strerror(errno));
  exit(2);
}

static void read_lines(FILE *file, const char *name) {
  char *line = NULL;
  size_t size = 0;
  ssize_t length;
  while ((length = getline(&line, &size, file)) > 0) {
    if (line[length - 1] == '\n') line[length - 1] = '\0';
    if (count == room) {
      room = room ? 2 * room : 1024;
      lines = realloc(lines, room * sizeof *lines);
      if (lines == NULL) fail("memory");
    }
    lines[count] = strdup(line);
    if (lines[count++] == NULL) fail("memory");
  }
  if (ferror(file)) fail(name);
  free(line);
}

static int by_key(const char *one, const char *other) {
  if (!numeric) return strcmp(one, other);
  double left = strtod(one, NULL), right = strtod(other, NULL);
  return (left > right) - (left < right);
}

static int compare(const void *left, const void *right) {
  const char *one = *(char *const *)left, *other = *(char *const *)right;
  int order = by_key(one, other);
  if (order == 0) order = strcmp(one, other);  // qsort keeps no order of its own
  return backwards ? -order : order;
}

int main(int argc, char **argv) {
  const char *output = NULL;
  int option;
  while ((option = getopt(argc, argv, "rnuo:")) != -1) {
    switch (option) {
      case 'r': backwards = true; break;
      case 'n': numeric = true; break;
      case 'u': unique = true; break;
      case 'o': output = optarg; break;
      default: return 2;
    }
  }
  if (optind == argc) read_lines(stdin, "standard input");
  for (int i = optind; i < argc; i++) {
    FILE *file = strcmp(argv[i], "-") == 0 ? stdin : fopen(argv[i], "rb");
    if (file == NULL) fail(argv[i]);
    read_lines(file, argv[i]);
    if (file != stdin) fclose(file);
  }
  if (count > 0) qsort(lines, count, sizeof *lines, compare);
  if (output != NULL && freopen(output, "wb", stdout) == NULL) fail(output);
  for (size_t i = 0; i < count; i++) {
    if (!unique || i == 0 || by_key(lines[i - 1], lines[i]) != 0) puts(lines[i]);
  }
  if (fflush(stdout) != 0) fail(output ? output : "standard output");
  return 0;
}
