#ifndef __wasi__
#include "net.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static int listener = -1, connection = -1;

int net_listen(unsigned port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  socklen_t size = sizeof address;
  int yes = 1;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  signal(SIGPIPE, SIG_IGN);
  listener = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 16) != 0) return -1;
  if (getsockname(listener, (struct sockaddr *)&address, &size) != 0) return -1;
  return ntohs(address.sin_port);
}

int net_accept(void) {
  connection = accept(listener, NULL, NULL);
  return connection < 0 ? -1 : 0;
}

ssize_t net_read(void *buffer, size_t size) {
  return read(connection, buffer, size);
}

int net_write(const void *bytes, size_t size) {
  for (const char *rest = bytes; size > 0;) {
    ssize_t written = write(connection, rest, size);
    if (written <= 0) return -1;
    rest += written, size -= (size_t)written;
  }
  return 0;
}

void net_close(void) {
  close(connection);
}
#endif
