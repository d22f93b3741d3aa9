// The little of sockets that a server needs. wasi-libc's preview 1 has none, so there are two: net_posix.c, net_wasi.c.
#ifndef NET_H
#define NET_H

#include <stddef.h>
#include <sys/types.h>

// Listens on 127.0.0.1; returns the port, which is another one for port 0, or -1.
int net_listen(unsigned port);

// Waits for a connection, which takes the place of the one before; returns 0, or -1.
int net_accept(void);

// Returns how many bytes there were, 0 at the end, -1 when it failed.
ssize_t net_read(void *buffer, size_t size);

// Writes all of it; returns 0, or -1.
int net_write(const void *bytes, size_t size);

void net_close(void);

#endif
