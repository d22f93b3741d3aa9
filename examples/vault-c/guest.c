// A door: who says the secret `password` of the vault's locker `default` in the header `authorization` comes in.
//
// There is no libc and there are no generated bindings: this is the canonical ABI by hand, as in examples/hello-c. What a
// result's error carries only takes its place here: whatever fails keeps the door closed.

typedef unsigned char byte;
typedef int handle;
typedef unsigned size;

#define HTTP "wasi:http/types@0.2.12"
#define STREAMS "wasi:io/streams@0.2.12"
#define VAULT "wasi:vault/vault@0.1.0-draft"
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))
#define TEXT(literal) literal, sizeof(literal) - 1

typedef struct { const byte *data; size length; } bytes;
typedef struct { const bytes *data; size length; } values;                     // list<list<u8>>
typedef struct { byte failed; union { handle value; size error[3]; }; } handle_or_error;  // result<own<…>, …>
typedef struct { byte failed; union { struct { byte there; bytes value; } secret; size error[3]; }; } secret_or_error;
typedef struct { byte failed; size detail[2]; } stream_error;                  // result<_, stream-error>
typedef struct { byte failed; unsigned long long detail[4]; } http_error;      // result<_, error-code>

IMPORT(VAULT, "open") void vault_open(const char *, size, handle_or_error *);
IMPORT(VAULT, "[method]locker.get") void locker_get(handle, const char *, size, secret_or_error *);
IMPORT(HTTP, "[method]incoming-request.headers") handle incoming_request_headers(handle);
IMPORT(HTTP, "[method]fields.get") void fields_get(handle, const char *, size, values *);
IMPORT(HTTP, "[constructor]fields") handle fields_new(void);
IMPORT(HTTP, "[constructor]outgoing-response") handle outgoing_response(handle headers);
IMPORT(HTTP, "[method]outgoing-response.set-status-code") int outgoing_response_set_status_code(handle, int);
IMPORT(HTTP, "[method]outgoing-response.body") void outgoing_response_body(handle, handle_or_error *);
IMPORT(HTTP, "[method]outgoing-body.write") void outgoing_body_write(handle, handle_or_error *);
IMPORT(HTTP, "[static]outgoing-body.finish") void outgoing_body_finish(handle, int has_trailers, handle, http_error *);
IMPORT(HTTP, "[static]response-outparam.set")
void response_outparam_set(handle, int failed, handle response, int, long long, int, int, int, int);
IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush")
void output_stream_blocking_write_and_flush(handle, const char *, size, stream_error *);
IMPORT(STREAMS, "[resource-drop]output-stream") void output_stream_drop(handle);

static void require(int condition) {
  if (!condition) __builtin_trap();
}

// Takes as long for a wrong byte at the beginning as for one at the end.
static int equal(bytes one, bytes other) {
  if (one.length != other.length) return 0;
  byte difference = 0;
  for (size at = 0; at < one.length; at++) difference |= one.data[at] ^ other.data[at];
  return difference == 0;
}

static int may_enter(handle request) {
  handle_or_error locker;
  secret_or_error password;
  values said;

  vault_open(TEXT("default"), &locker);
  if (locker.failed) return 0;
  locker_get(locker.value, TEXT("password"), &password);
  if (password.failed || !password.secret.there) return 0;
  fields_get(incoming_request_headers(request), TEXT("authorization"), &said);
  return said.length == 1 && equal(said.data[0], password.secret.value);
}

static void send(handle response_out, int status, const char *content, size length) {
  handle_or_error body, stream;
  stream_error written;
  http_error finished;

  handle response = outgoing_response(fields_new());
  require(outgoing_response_set_status_code(response, status) == 0);
  outgoing_response_body(response, &body);
  require(!body.failed);
  response_outparam_set(response_out, 0, response, 0, 0, 0, 0, 0, 0);
  outgoing_body_write(body.value, &stream);
  require(!stream.failed);
  output_stream_blocking_write_and_flush(stream.value, content, length, &written);
  output_stream_drop(stream.value);  // a body is finished when nobody can write to it
  outgoing_body_finish(body.value, 0, 0, &finished);
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle")
void handle_request(handle request, handle response_out) {
  if (may_enter(request)) send(response_out, 200, TEXT("Come in.\n"));
  else send(response_out, 401, TEXT("Who is there?\n"));
}

// The host asks for memory here when it returns strings or lists. A header and a secret are 64 KiB at most, each; what does
// not fit ends the call. The instance does not outlive it, so nothing is freed.
EXPORT("cabi_realloc")
void *cabi_realloc(void *old, size old_length, size alignment, size length) {
  static byte arena[196608] __attribute__((aligned(16)));
  static size used;
  size start = (used + alignment - 1) & -alignment;
  require(length <= sizeof arena && start + length <= sizeof arena);
  used = start + length;
  if (old_length) __builtin_memcpy(arena + start, old, old_length < length ? old_length : length);
  return arena + start;
}
