// Harm as a C program does it: the second character of a request's path chooses what. `tests/hostile/test_corpus.py`
// says how each ends. The canonical ABI by hand, as in examples/hello-c.

typedef unsigned char byte;
typedef int handle;
typedef unsigned size;
typedef unsigned long long u64;

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))
#define HTTP "wasi:http/types@0.2.12"
#define STREAMS "wasi:io/streams@0.2.12"

typedef struct { byte failed; handle value; } handle_or_error;
typedef struct { byte failed; u64 value; } count_or_error;
typedef struct { byte failed; size detail[2]; } stream_error;
typedef struct { byte some; const char *data; size length; } optional_text;
typedef struct { void *data; size length; } list;

IMPORT("wasi:cli/environment@0.2.12", "get-environment") void get_environment(list *);
IMPORT("wasi:cli/exit@0.2.12", "exit") void leave(int failed);
IMPORT("wasi:cli/stdout@0.2.12", "get-stdout") handle get_stdout(void);
IMPORT("wasi:clocks/monotonic-clock@0.2.12", "subscribe-duration") handle subscribe_duration(u64 ns);
IMPORT("wasi:random/random@0.2.12", "get-random-bytes") void get_random_bytes(u64 length, list *);
IMPORT("wasi:io/poll@0.2.12", "poll") void poll(const handle *, size, list *);
IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush")
void write_and_flush(handle, const char *, size, stream_error *);
IMPORT(HTTP, "[method]incoming-request.path-with-query") void path_with_query(handle, optional_text *);
IMPORT(HTTP, "[constructor]fields") handle fields(void);
IMPORT(HTTP, "[constructor]outgoing-response") handle outgoing_response(handle headers);
IMPORT(HTTP, "[static]response-outparam.set")
void response_outparam_set(handle, int failed, handle response, int, long long, int, int, int, int);

static byte *const far_memory = (byte *)(1 << 20);

static size recurse(volatile byte *above) {
  volatile byte frame[4096];
  frame[0] = above[0] ^ 1;
  return frame[0] > 1 ? 0 : recurse(frame) + frame[0];  // never more than 1, which the compiler does not know
}

static void answer(handle response_out) {
  response_outparam_set(response_out, 0, outgoing_response(fields()), 0, 0, 0, 0, 0, 0);
}

static void fill_handles(size count, handle value) {
  __builtin_wasm_memory_grow(0, 200);
  for (size i = 0; i < count; i++) ((handle *)far_memory)[i] = value;
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle")
void handle_request(handle request, handle response_out) {
  optional_text path;
  list taken;
  stream_error written;
  path_with_query(request, &path);
  switch (path.data[1]) {
    case 'h': break;  // no harm
    case 'e': leave(1); break;
    case 'i': for (volatile int on = 1; on;);  // computes without end
    case 'E': answer(response_out); leave(0); break;
    case 's': recurse((byte[4096]){0}); break;
    case 'r': get_random_bytes(~0ull, &taken); break;
    case 'R': for (;;) get_random_bytes(4096, &taken);
    case 'v': for (;;) get_environment(&taken);
    case 'w':  // prints without end
      for (handle out = get_stdout();;) write_and_flush(out, "I am a line of log\n", 19, &written);
    case 'n': {  // prints without a line's end
      for (handle out = get_stdout();;) write_and_flush(out, (char *)1024, 4096, &written);
    }
    case 'N': {  // prints nothing but lines' ends
      __builtin_wasm_memory_grow(0, 200);
      __builtin_memset(far_memory, '\n', 4096);
      for (handle out = get_stdout();;) write_and_flush(out, (char *)far_memory, 4096, &written);
    }
    case 'p': fill_handles(0, 0); poll((handle *)far_memory, 0, &taken); break;  // nothing to wait for
    case 'P':  // the same pollable, two million times
      fill_handles(2000000, subscribe_duration(0));
      poll((handle *)far_memory, 2000000, &taken);
      break;
    case 'l': poll((handle *)far_memory, ~0u, &taken); break;
    case 't':  // the end of time
      fill_handles(1, subscribe_duration(~0ull));
      poll((handle *)far_memory, 1, &taken);
      break;
    default: __builtin_trap();
  }
  answer(response_out);
}

EXPORT("cabi_realloc")
void *cabi_realloc(void *old, size old_length, size alignment, size length) {
  static byte arena[65536] __attribute__((aligned(16)));
  static size used;
  (void)old;
  (void)old_length;
  size start = (used + alignment - 1) & -alignment;
  if (start + length > sizeof arena) start = 0;  // what was there is of no use to anyone
  used = start + length;
  return arena + start;
}
