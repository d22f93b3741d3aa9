// files: does with files what the lines of its input say, and prints what came of each.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define CASE(name) case name: return #name

static const char *error_name(int number) {
  switch (number) {
    CASE(EACCES); CASE(EBADF); CASE(EEXIST); CASE(EINVAL); CASE(EISDIR); CASE(ELOOP); CASE(ENAMETOOLONG);
    CASE(EIO); CASE(ENOENT); CASE(ENOTDIR); CASE(ENOTEMPTY); CASE(EPERM); CASE(EBUSY); CASE(EROFS); CASE(EDQUOT); CASE(EXDEV);
  }
  static char other[30];
  return snprintf(other, sizeof other, "error %d", number), other;
}

static char buffer[200000];
static const char *words[4];

static long number(int word) { return atol(words[word]); }

static const char *kind(mode_t mode) {
  return S_ISDIR(mode) ? "folder" : S_ISLNK(mode) ? "link" : S_ISREG(mode) ? "file" : "other";
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int list(const char *path) {
  char *names[1000];
  int count = 0;
  DIR *folder = opendir(path);
  if (!folder) return -1;
  for (struct dirent *entry; (entry = readdir(folder));)
    if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) names[count++] = strdup(entry->d_name);
  closedir(folder);
  qsort(names, count, sizeof *names, by_name);
  for (int i = 0; i < count; i++) printf("%s ", names[i]), free(names[i]);
  return 0;
}

static int put(const char *path, int flags, long offset, const char *text) {
  int file = open(path, flags, 0666), result;
  if (file < 0) return -1;
  if (offset < 0) result = write(file, text, strlen(text));
  else result = pwrite(file, text, strlen(text), offset);
  struct stat status;
  if (result >= 0 && !fstat(file, &status)) printf("%ld ", (long)status.st_size);
  return close(file) || result < 0 ? -1 : 0;
}

static int get(const char *path, long offset, long length) {
  int file = open(path, O_RDONLY), got;
  if (file < 0) return -1;
  got = pread(file, buffer, length, offset);
  if (got >= 0) printf("%.*s ", got, buffer);
  return close(file) || got < 0 ? -1 : 0;
}

static int copy(const char *from, const char *to) {
  FILE *in = fopen(from, "rb"), *out = in ? fopen(to, "wb") : NULL;
  if (!out) return in ? fclose(in), -1 : -1;
  long copied = 0;
  int failed = 0;
  for (int c; !failed && (c = getc(in)) != EOF; copied++)
    if (putc(c, out) == EOF) failed = errno;
  if (!failed) printf("%ld ", copied);
  if ((fclose(in) | fclose(out)) && !failed) failed = errno;
  return errno = failed, failed ? -1 : 0;
}

// Reads and writes one file in turns, by stdio and by a second descriptor, as a program does that keeps records in it.
static int mix(const char *path) {
  FILE *file = fopen(path, "r+b");
  if (!file) return -1;
  for (int i = 0; i < 5; i++) {
    fseek(file, i * 3, SEEK_SET);
    int c = getc(file);
    fseek(file, i * 3, SEEK_SET);
    putc(c == EOF ? '!' : c + 1, file);
  }
  fflush(file);
  int other = open(path, O_RDWR), reader = open(path, O_RDONLY);
  char byte[3] = {0};
  for (int i = 0; i < 5; i++) {
    if (read(reader, byte, 2) < 0 || pwrite(other, "#", 1, i * 2 + 2) < 0) return -1;
    printf("%s", byte);
  }
  printf(" %ld %ld ", (long)lseek(reader, 0, SEEK_CUR), (long)lseek(other, 0, SEEK_END));
  return close(other) | close(reader) | fclose(file);
}

static int status(const char *path, int follow) {
  struct stat found;
  if ((follow ? stat : lstat)(path, &found)) return -1;
  printf("%s %ld ", kind(found.st_mode), S_ISDIR(found.st_mode) ? 0 : (long)found.st_nlink);
  if (!S_ISDIR(found.st_mode)) printf("%ld ", (long)found.st_size);
  if (found.st_mtim.tv_sec < 1000000000) printf("%ld.%09ld ", (long)found.st_mtim.tv_sec, found.st_mtim.tv_nsec);
  return 0;
}

static int same(const char *one, const char *other) {
  struct stat a, b;
  if (stat(one, &a) || stat(other, &b)) return -1;
  printf("%s ", a.st_ino == b.st_ino ? "same" : "different");
  return 0;
}

static int touch(const char *path, int flags) {
  struct timespec times[2] = {{.tv_sec = number(2), .tv_nsec = 4}, {.tv_sec = number(2), .tv_nsec = 5}};
  return utimensat(AT_FDCWD, path, times, flags);
}

static int shorten(const char *path, long size) {
  int file = open(path, O_WRONLY);
  if (file < 0) return -1;
  int result = ftruncate(file, size) | fsync(file);
  return close(file) | result;
}

static int link_text(const char *path) {
  long length = readlink(path, buffer, sizeof buffer);
  if (length >= 0) printf("%.*s ", (int)length, buffer);
  return length < 0 ? -1 : 0;
}

static int perform(const char *what, const char *a, const char *b) {
  if (!strcmp(what, "mkdir")) return mkdir(a, 0777);
  if (!strcmp(what, "rmdir")) return rmdir(a);
  if (!strcmp(what, "unlink")) return unlink(a);
  if (!strcmp(what, "rename")) return rename(a, b);
  if (!strcmp(what, "link")) return link(a, b);
  if (!strcmp(what, "symlink")) return symlink(a, b);
  if (!strcmp(what, "readlink")) return link_text(a);
  if (!strcmp(what, "ls")) return list(a);
  if (!strcmp(what, "stat")) return status(a, 1);
  if (!strcmp(what, "lstat")) return status(a, 0);
  if (!strcmp(what, "same")) return same(a, b);
  if (!strcmp(what, "create")) return put(a, O_WRONLY | O_CREAT | O_EXCL, -1, b);
  if (!strcmp(what, "write")) return put(a, O_WRONLY | O_CREAT | O_TRUNC, -1, b);
  if (!strcmp(what, "append")) return put(a, O_WRONLY | O_CREAT | O_APPEND, -1, b);
  if (!strcmp(what, "at")) return put(a, O_RDWR, number(3), b);
  if (!strcmp(what, "read")) return get(a, number(2), number(3));
  if (!strcmp(what, "copy")) return copy(a, b);
  if (!strcmp(what, "mix")) return mix(a);
  if (!strcmp(what, "truncate")) return shorten(a, number(2));
  if (!strcmp(what, "touch")) return touch(a, 0);
  if (!strcmp(what, "touch-link")) return touch(a, AT_SYMLINK_NOFOLLOW);
  if (!strcmp(what, "access")) return access(a, R_OK);
  abort();
}

int main(int argc, char **argv) {
  if (argc != 1) return fprintf(stderr, "%s: takes no arguments\n", argv[0]), 2;
  char line[20000];
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    printf("%.60s: ", line);
    int count = 0;
    for (char *word = strtok(line, " "); word && count < 4; word = strtok(NULL, " ")) words[count++] = word;
    while (count < 4) words[count++] = "";
    printf("%s\n", perform(words[0], words[1], words[2]) ? error_name(errno) : "done");
  }
  return 0;
}
