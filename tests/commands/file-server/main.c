// file-server [-n requests] port folder: the files below a folder over HTTP, one request a connection, on 127.0.0.1.
// A folder is its index.html, or else a list of what is in it. With -n it ends after so many requests.
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net.h"

enum { MAX_PATH = 1024, MAX_HEAD = 8192 };

static const char *root;

static const char *type_of(const char *path) {
  static const char *const types[][2] = {
      {".html", "text/html; charset=utf-8"}, {".css", "text/css"},         {".js", "text/javascript"},
      {".json", "application/json"},         {".txt", "text/plain; charset=utf-8"}, {".png", "image/png"},
  };
  const char *dot = strrchr(path, '.');
  for (size_t i = 0; dot != NULL && i < sizeof types / sizeof *types; i++) {
    if (strcmp(dot, types[i][0]) == 0) return types[i][1];
  }
  return "application/octet-stream";
}

static int head(const char *status, const char *type, long long length, const char *more) {
  char text[512];
  int size = snprintf(text, sizeof text, "HTTP/1.1 %s\r\ncontent-type: %s\r\ncontent-length: %lld\r\n%sconnection: close\r\n\r\n",
                      status, type, length, more);
  return net_write(text, (size_t)size);
}

static void answer(const char *status, const char *body, bool with_body, const char *more) {
  head(status, "text/plain; charset=utf-8", (long long)strlen(body), more);
  if (with_body) net_write(body, strlen(body));
}

static void send_file(const char *path, long long length, bool with_body) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    answer("403 Forbidden", "no access\n", with_body, "");
    return;
  }
  char buffer[32768];
  size_t got;
  if (head("200 OK", type_of(path), length, "") == 0 && with_body) {
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0 && net_write(buffer, got) == 0) continue;
  }
  fclose(file);
}

static int by_name(const void *one, const void *other) {
  return strcmp(*(char *const *)one, *(char *const *)other);
}

static void send_list(const char *path, bool with_body) {
  DIR *folder = opendir(path);
  char *names[256], text[16384] = "";
  size_t count = 0, size = 0;
  for (struct dirent *entry; folder != NULL && count < 256 && (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] != '.') names[count++] = strdup(entry->d_name);
  }
  if (folder != NULL) closedir(folder);
  qsort(names, count, sizeof *names, by_name);
  for (size_t i = 0; i < count; i++) {
    if (size + strlen(names[i]) + 2 < sizeof text) size += (size_t)sprintf(text + size, "%s\n", names[i]);
    free(names[i]);
  }
  answer("200 OK", text, with_body, "");
}

// Decodes %41 and leaves out the query; returns whether the path stays below the folder.
static bool decode(const char *target, char *path, size_t room) {
  size_t size = 0;
  for (; *target != '\0' && *target != '?'; target++) {
    char byte = *target;
    if (byte == '%') {
      char digits[3] = {target[1], target[1] ? target[2] : '\0', '\0'}, *end;
      byte = (char)strtol(digits, &end, 16);
      if (end != digits + 2 || byte == '\0') return false;
      target += 2;
    }
    if (size + 1 >= room) return false;
    path[size++] = byte;
  }
  path[size] = '\0';
  return path[0] == '/' && strstr(path, "/../") == NULL && (size < 3 || strcmp(path + size - 3, "/..") != 0);
}

static void serve(void) {
  char text[MAX_HEAD + 1], path[MAX_PATH], full[2 * MAX_PATH];
  size_t size = 0;
  ssize_t got = 1;
  text[0] = '\0';
  while (size < MAX_HEAD && strstr(text, "\r\n\r\n") == NULL && (got = net_read(text + size, MAX_HEAD - size)) > 0) {
    text[size += (size_t)got] = '\0';
  }
  if (strstr(text, "\r\n\r\n") == NULL) {
    if (size > 0) answer("400 Bad Request", "not a request\n", true, "");
    return;
  }
  char *method = strtok(text, " "), *target = strtok(NULL, " ");
  bool get = method != NULL && strcmp(method, "GET") == 0, with_body = get;
  struct stat info;
  if (!get && (method == NULL || strcmp(method, "HEAD") != 0)) {
    answer("405 Method Not Allowed", "only GET and HEAD\n", true, "allow: GET, HEAD\r\n");
  } else if (target == NULL || !decode(target, path, sizeof path)) {
    answer("400 Bad Request", "not a path\n", with_body, "");
  } else {
    snprintf(full, sizeof full, "%s%s", root, path);
    if (stat(full, &info) != 0) {
      answer("404 Not Found", "no such file\n", with_body, "");
    } else if (!S_ISDIR(info.st_mode)) {
      send_file(full, (long long)info.st_size, with_body);
    } else {
      size_t length = strlen(full);
      snprintf(full + length, sizeof full - length, "/index.html");
      if (stat(full, &info) == 0) {
        send_file(full, (long long)info.st_size, with_body);
      } else {
        full[length] = '\0';
        send_list(full, with_body);
      }
    }
  }
}

int main(int argc, char **argv) {
  long requests = -1;
  int option;
  while ((option = getopt(argc, argv, "n:")) != -1) {
    if (option != 'n') return 2;
    requests = atol(optarg);
  }
  if (argc - optind != 2) {
    fprintf(stderr, "usage: file-server [-n requests] port folder\n");
    return 2;
  }
  root = argv[optind + 1];
  int port = net_listen((unsigned)atoi(argv[optind]));
  if (port < 0) {
    fprintf(stderr, "file-server: cannot listen on port %s\n", argv[optind]);
    return 1;
  }
  printf("listening on %d\n", port);
  fflush(stdout);
  for (; requests != 0 && net_accept() == 0; requests--) {
    serve();
    net_close();
  }
  return requests == 0 ? 0 : 1;
}
