// wasi:sockets by hand: the functions as the canonical ABI has them. A result is written where the last pointer says,
// its first byte is 0 for a good one.
#ifdef __wasi__
#include "net.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define IMPORT(module, name) __attribute__((import_module("wasi:" module "@0.2.12"), import_name(name)))

struct result {
  uint8_t failed, error, more[2];
  union {
    int32_t handles[3];
    struct { uint8_t *bytes; size_t size; } list;
    struct { uint8_t family, rest[3]; uint16_t port; } address;
    struct { uint8_t kind, rest[3]; int32_t error; } stream;
  };
  uint8_t room[32];  // an IPv6 address is longer than what is looked at here
};

IMPORT("sockets/instance-network", "instance-network") int32_t instance_network(void);
IMPORT("sockets/tcp-create-socket", "create-tcp-socket") void create_socket(int32_t family, struct result *);
IMPORT("sockets/tcp", "[method]tcp-socket.start-bind")
void start_bind(int32_t self, int32_t network, int32_t family, int32_t port, int32_t a, int32_t b, int32_t c, int32_t d,
                int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, struct result *);
IMPORT("sockets/tcp", "[method]tcp-socket.finish-bind") void finish_bind(int32_t self, struct result *);
IMPORT("sockets/tcp", "[method]tcp-socket.start-listen") void start_listen(int32_t self, struct result *);
IMPORT("sockets/tcp", "[method]tcp-socket.finish-listen") void finish_listen(int32_t self, struct result *);
IMPORT("sockets/tcp", "[method]tcp-socket.local-address") void local_address(int32_t self, struct result *);
IMPORT("sockets/tcp", "[method]tcp-socket.accept") void accept_socket(int32_t self, struct result *);
IMPORT("sockets/tcp", "[method]tcp-socket.subscribe") int32_t subscribe(int32_t self);
IMPORT("sockets/tcp", "[resource-drop]tcp-socket") void drop_socket(int32_t self);
IMPORT("io/poll", "[method]pollable.block") void block(int32_t self);
IMPORT("io/poll", "[resource-drop]pollable") void drop_pollable(int32_t self);
IMPORT("io/streams", "[method]input-stream.blocking-read") void blocking_read(int32_t self, int64_t, struct result *);
IMPORT("io/streams", "[method]output-stream.blocking-write-and-flush")
void blocking_write(int32_t self, const void *bytes, size_t size, struct result *);
IMPORT("io/streams", "[resource-drop]input-stream") void drop_input(int32_t self);
IMPORT("io/streams", "[resource-drop]output-stream") void drop_output(int32_t self);
IMPORT("io/error", "[resource-drop]error") void drop_error(int32_t self);

enum { IPV4 = 0, WOULD_BLOCK = 8, LAST_OPERATION_FAILED = 0, MAX_WRITE = 4096 };

static int32_t listener, wakeup, connection, input, output;

__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
  (void)old_size, (void)align;  // malloc aligns for everything
  void *made = realloc(old, size);
  if (made == NULL && size > 0) abort();
  return made;
}

// Calls a function of a socket until it no longer says "would block".
static int finish(void (*function)(int32_t, struct result *), struct result *result) {
  for (;;) {
    memset(result, 0, sizeof *result);
    function(listener, result);
    int error = function == accept_socket ? result->stream.kind : result->error;
    if (!result->failed || error != WOULD_BLOCK) return result->failed ? -1 : 0;
    block(wakeup);
  }
}

int net_listen(unsigned port) {
  struct result result = {0};
  create_socket(IPV4, &result);
  if (result.failed) return -1;
  listener = result.handles[0];
  wakeup = subscribe(listener);
  start_bind(listener, instance_network(), IPV4, (int32_t)port, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, &result);
  if (result.failed || finish(finish_bind, &result) != 0) return -1;
  if (finish(start_listen, &result) != 0 || finish(finish_listen, &result) != 0) return -1;
  return finish(local_address, &result) == 0 ? result.address.port : -1;
}

int net_accept(void) {
  struct result result;
  if (finish(accept_socket, &result) != 0) return -1;
  connection = result.handles[0], input = result.handles[1], output = result.handles[2];
  return 0;
}

static int end_of(struct result *result) {
  bool failed = result->stream.kind == LAST_OPERATION_FAILED;
  if (failed) drop_error(result->stream.error);
  return failed ? -1 : 0;
}

ssize_t net_read(void *buffer, size_t size) {
  struct result result = {0};
  blocking_read(input, (int64_t)size, &result);
  if (result.failed) return end_of(&result);
  memcpy(buffer, result.list.bytes, result.list.size);
  free(result.list.bytes);
  return (ssize_t)result.list.size;
}

int net_write(const void *bytes, size_t size) {
  for (const char *rest = bytes; size > 0;) {
    size_t piece = size < MAX_WRITE ? size : MAX_WRITE;
    struct result result = {0};
    blocking_write(output, rest, piece, &result);
    if (result.failed) return end_of(&result), -1;
    rest += piece, size -= piece;
  }
  return 0;
}

void net_close(void) {
  drop_input(input);
  drop_output(output);
  drop_socket(connection);
}
#endif
