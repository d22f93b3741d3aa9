// wc [-l] [-w] [-c] [file ...]: how many lines, words and bytes there are; "-" and no file at all are the standard input.
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct counts {
  unsigned long lines, words, bytes;
};

static bool show_lines, show_words, show_bytes;

static void show(struct counts counts, const char *name) {
  const char *space = "";
  if (show_lines) printf("%7lu", counts.lines), space = " ";
  if (show_words) printf("%s%7lu", space, counts.words), space = " ";
  if (show_bytes) printf("%s%7lu", space, counts.bytes);
  printf(name ? " %s\n" : "\n", name);
}

static struct counts count(FILE *file) {
  struct counts counts = {0};
  char buffer[65536];
  bool in_word = false;
  size_t got;
  while ((got = fread(buffer, 1, sizeof buffer, file)) > 0) {
    counts.bytes += got;
    for (size_t i = 0; i < got; i++) {
      bool space = strchr(" \t\n\v\f\r", buffer[i]) != NULL && buffer[i] != '\0';
      counts.lines += buffer[i] == '\n';
      counts.words += !space && !in_word;
      in_word = !space;
    }
  }
  return counts;
}

int main(int argc, char **argv) {
  int option, failed = 0;
  while ((option = getopt(argc, argv, "lwc")) != -1) {
    if (option == '?') return 2;
    show_lines |= option == 'l', show_words |= option == 'w', show_bytes |= option == 'c';
  }
  if (!show_lines && !show_words && !show_bytes) show_lines = show_words = show_bytes = true;
  if (optind == argc) show(count(stdin), NULL);
  struct counts total = {0};
  for (int i = optind; i < argc; i++) {
    FILE *file = strcmp(argv[i], "-") == 0 ? stdin : fopen(argv[i], "rb");
    struct counts counts = file ? count(file) : (struct counts){0};
    if (file == NULL || ferror(file)) {
      fprintf(stderr, "wc: %s: %s\n", argv[i], strerror(errno));
      failed = 1;
    } else {
      show(counts, argv[i]);
    }
    if (file != NULL && file != stdin) fclose(file);
    total.lines += counts.lines, total.words += counts.words, total.bytes += counts.bytes;
  }
  if (argc - optind > 1) show(total, "total");
  return failed;
}
