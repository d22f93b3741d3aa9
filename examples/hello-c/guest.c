// The smallest wasi:http guest: it answers every request with a line of text, in eight calls to its host.
//
// There is no libc and there are no generated bindings: this is the canonical ABI by hand. A handle is an int. A result that
// needs more than one word is written where the last argument points: its first byte is 0 for ok, and the payload follows at
// its own alignment.

typedef unsigned char byte;
typedef int handle;
typedef unsigned size;

#define HTTP "wasi:http/types@0.2.12"
#define STREAMS "wasi:io/streams@0.2.12"
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))
#define TEXT(literal) {literal, sizeof(literal) - 1}

typedef struct { const char *data; size length; } text;
typedef struct { text name, value; } field;
typedef struct { byte failed; handle value; } handle_or_error;                 // result<own<…>, …>
typedef struct { byte failed; unsigned long long value; } count_or_error;      // result<u64, stream-error>
typedef struct { byte failed; size detail[2]; } stream_error;                  // result<_, stream-error>
typedef struct { byte failed; unsigned long long detail[4]; } http_error;      // result<_, error-code>

IMPORT(HTTP, "[static]fields.from-list") void fields_from_list(const field *, size, handle_or_error *);
IMPORT(HTTP, "[constructor]outgoing-response") handle outgoing_response(handle headers);
IMPORT(HTTP, "[method]outgoing-response.body") void outgoing_response_body(handle, handle_or_error *);
IMPORT(HTTP, "[method]outgoing-body.write") void outgoing_body_write(handle, handle_or_error *);
IMPORT(HTTP, "[static]outgoing-body.finish") void outgoing_body_finish(handle, int has_trailers, handle, http_error *);
// The response is a result<outgoing-response, error-code>; the words after its handle belong to the error.
IMPORT(HTTP, "[static]response-outparam.set")
void response_outparam_set(handle, int failed, handle response, int, long long, int, int, int, int);
IMPORT(STREAMS, "[method]output-stream.check-write") void output_stream_check_write(handle, count_or_error *);
IMPORT(STREAMS, "[method]output-stream.write") void output_stream_write(handle, const char *, size, stream_error *);
IMPORT(STREAMS, "[resource-drop]output-stream") void output_stream_drop(handle);

static const field headers[] = {{TEXT("content-type"), TEXT("text/plain")}};
static const text hello = TEXT("Hello from C\n");

static void require(int condition) {
  if (!condition) __builtin_trap();
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle")
void handle_request(handle request, handle response_out) {
  (void)request;  // not read; the instance ends with this call, and the host takes back what it still owns
  handle_or_error fields, body, stream;
  count_or_error permitted;
  stream_error written;
  http_error finished;

  fields_from_list(headers, 1, &fields);
  require(!fields.failed);
  handle response = outgoing_response(fields.value);
  outgoing_response_body(response, &body);
  require(!body.failed);
  response_outparam_set(response_out, 0, response, 0, 0, 0, 0, 0, 0);

  outgoing_body_write(body.value, &stream);
  require(!stream.failed);
  output_stream_check_write(stream.value, &permitted);  // a stream takes only what it has permitted before
  require(!permitted.failed && permitted.value >= hello.length);
  output_stream_write(stream.value, hello.data, hello.length, &written);
  require(!written.failed);
  output_stream_drop(stream.value);  // a body is finished when nobody can write to it
  outgoing_body_finish(body.value, 0, 0, &finished);
}

// The host asks for memory here when it returns strings or lists. A request needs little and the instance does not outlive
// it, so nothing is freed.
EXPORT("cabi_realloc")
void *cabi_realloc(void *old, size old_length, size alignment, size length) {
  static byte arena[16384] __attribute__((aligned(16)));
  static size used;
  size start = (used + alignment - 1) & -alignment;
  require(start + length <= sizeof arena);
  used = start + length;
  if (old_length) __builtin_memcpy(arena + start, old, old_length < length ? old_length : length);
  return arena + start;
}
