"""What every guest of these tests has in common: the WIT in component text, small functions in core text."""

from __future__ import annotations

TYPES = """
  (import "wasi:io/poll@{v}" (instance $poll
    (export "pollable" (type $p (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))
    (export "[method]pollable.ready" (func (param "self" (borrow $p)) (result bool)))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:io/error@{v}" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $io-error))
  (import "wasi:clocks/monotonic-clock@{v}" (instance $clock
    (alias outer $C $pollable (type $p'))
    (export "pollable" (type $p (eq $p')))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (import "wasi:io/streams@{v}" (instance $streams
    (alias outer $C $pollable (type $p')) (export "pollable" (type $p (eq $p')))
    (alias outer $C $io-error (type $e')) (export "error" (type $e (eq $e')))
    (type $stream-error' (variant (case "last-operation-failed" (own $e)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $stream-error')))
    (export "input-stream" (type $in (sub resource)))
    (export "output-stream" (type $out (sub resource)))
    (export "[method]input-stream.blocking-read"
      (func (param "self" (borrow $in)) (param "len" u64) (result (result (list u8) (error $stream-error)))))
    (export "[method]input-stream.subscribe" (func (param "self" (borrow $in)) (result (own $p))))
    (export "[method]output-stream.check-write"
      (func (param "self" (borrow $out)) (result (result u64 (error $stream-error)))))
    (export "[method]output-stream.write"
      (func (param "self" (borrow $out)) (param "contents" (list u8)) (result (result (error $stream-error)))))
    (export "[method]output-stream.subscribe" (func (param "self" (borrow $out)) (result (own $p))))
    (export "[method]output-stream.blocking-flush"
      (func (param "self" (borrow $out)) (result (result (error $stream-error)))))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $out)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
  (alias export $streams "input-stream" (type $input-stream))
  (alias export $streams "output-stream" (type $output-stream))
  (import "wasi:http/types@{v}" (instance $types
    (alias outer $C $pollable (type $p)) (alias outer $C $io-error (type $e))
    (alias outer $C $input-stream (type $in')) (export "input-stream" (type $in (eq $in')))
    (alias outer $C $output-stream (type $out')) (export "output-stream" (type $out (eq $out')))
    (type $method' (variant (case "get") (case "head") (case "post") (case "put") (case "delete") (case "connect")
      (case "options") (case "trace") (case "patch") (case "other" string)))
    (export "method" (type $method (eq $method')))
    (type $scheme' (variant (case "HTTP") (case "HTTPS") (case "other" string)))
    (export "scheme" (type $scheme (eq $scheme')))
    (type $dns' (record (field "rcode" (option string)) (field "info-code" (option u16))))
    (export "DNS-error-payload" (type $dns (eq $dns')))
    (type $tls' (record (field "alert-id" (option u8)) (field "alert-message" (option string))))
    (export "TLS-alert-received-payload" (type $tls (eq $tls')))
    (type $size' (record (field "field-name" (option string)) (field "field-size" (option u32))))
    (export "field-size-payload" (type $size (eq $size')))
    (type $code' (variant
      (case "DNS-timeout") (case "DNS-error" $dns) (case "destination-not-found") (case "destination-unavailable")
      (case "destination-IP-prohibited") (case "destination-IP-unroutable") (case "connection-refused")
      (case "connection-terminated") (case "connection-timeout") (case "connection-read-timeout")
      (case "connection-write-timeout") (case "connection-limit-reached") (case "TLS-protocol-error")
      (case "TLS-certificate-error") (case "TLS-alert-received" $tls) (case "HTTP-request-denied")
      (case "HTTP-request-length-required") (case "HTTP-request-body-size" (option u64))
      (case "HTTP-request-method-invalid") (case "HTTP-request-URI-invalid") (case "HTTP-request-URI-too-long")
      (case "HTTP-request-header-section-size" (option u32)) (case "HTTP-request-header-size" (option $size))
      (case "HTTP-request-trailer-section-size" (option u32)) (case "HTTP-request-trailer-size" $size)
      (case "HTTP-response-incomplete") (case "HTTP-response-header-section-size" (option u32))
      (case "HTTP-response-header-size" $size) (case "HTTP-response-body-size" (option u64))
      (case "HTTP-response-trailer-section-size" (option u32)) (case "HTTP-response-trailer-size" $size)
      (case "HTTP-response-transfer-coding" (option string)) (case "HTTP-response-content-coding" (option string))
      (case "HTTP-response-timeout") (case "HTTP-upgrade-failed") (case "HTTP-protocol-error")
      (case "loop-detected") (case "configuration-error") (case "internal-error" (option string))))
    (export "error-code" (type $code (eq $code')))
    (type $header-error' (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
    (export "header-error" (type $header-error (eq $header-error')))
    (export "fields" (type $fields (sub resource)))
    (export "headers" (type $headers (eq $fields)))
    (export "trailers" (type $trailers (eq $fields)))
    (export "incoming-request" (type $incoming-request (sub resource)))
    (export "outgoing-request" (type $outgoing-request (sub resource)))
    (export "request-options" (type $request-options (sub resource)))
    (export "response-outparam" (type $response-outparam (sub resource)))
    (export "incoming-response" (type $incoming-response (sub resource)))
    (export "incoming-body" (type $incoming-body (sub resource)))
    (export "future-trailers" (type $future-trailers (sub resource)))
    (export "outgoing-response" (type $outgoing-response (sub resource)))
    (export "outgoing-body" (type $outgoing-body (sub resource)))
    (export "future-incoming-response" (type $future (sub resource)))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[static]fields.from-list" (func (param "entries" (list (tuple string (list u8))))
      (result (result (own $fields) (error $header-error)))))
    (export "[method]fields.append" (func (param "self" (borrow $fields)) (param "name" string)
      (param "value" (list u8)) (result (result (error $header-error)))))
    (export "[method]fields.get" (func (param "self" (borrow $fields)) (param "name" string)
      (result (list (list u8)))))
    (export "[method]incoming-request.path-with-query"
      (func (param "self" (borrow $incoming-request)) (result (option string))))
    (export "[method]incoming-request.authority"
      (func (param "self" (borrow $incoming-request)) (result (option string))))
    (export "[method]incoming-request.headers"
      (func (param "self" (borrow $incoming-request)) (result (own $headers))))
    (export "[method]incoming-request.consume"
      (func (param "self" (borrow $incoming-request)) (result (result (own $incoming-body)))))
    (export "[method]incoming-body.stream"
      (func (param "self" (borrow $incoming-body)) (result (result (own $in)))))
    (export "[static]incoming-body.finish" (func (param "this" (own $incoming-body)) (result (own $future-trailers))))
    (export "[constructor]outgoing-response" (func (param "headers" (own $headers)) (result (own $outgoing-response))))
    (export "[method]outgoing-response.set-status-code"
      (func (param "self" (borrow $outgoing-response)) (param "status-code" u16) (result (result))))
    (export "[method]outgoing-response.body"
      (func (param "self" (borrow $outgoing-response)) (result (result (own $outgoing-body)))))
    (export "[static]response-outparam.set" (func (param "param" (own $response-outparam))
      (param "response" (result (own $outgoing-response) (error $code)))))
    (export "[method]response-outparam.send-informational" (func (param "self" (borrow $response-outparam))
      (param "status" u16) (param "headers" (own $headers)) (result (result (error $code)))))
    (export "[method]outgoing-body.write"
      (func (param "self" (borrow $outgoing-body)) (result (result (own $out)))))
    (export "[static]outgoing-body.finish" (func (param "this" (own $outgoing-body))
      (param "trailers" (option (own $trailers))) (result (result (error $code)))))
    (export "[constructor]outgoing-request" (func (param "headers" (own $headers)) (result (own $outgoing-request))))
    (export "[method]outgoing-request.set-authority" (func (param "self" (borrow $outgoing-request))
      (param "authority" (option string)) (result (result))))
    (export "[method]outgoing-request.set-path-with-query" (func (param "self" (borrow $outgoing-request))
      (param "path-with-query" (option string)) (result (result))))
    (export "[method]outgoing-request.set-scheme" (func (param "self" (borrow $outgoing-request))
      (param "scheme" (option $scheme)) (result (result))))
    (export "[method]outgoing-request.set-method" (func (param "self" (borrow $outgoing-request))
      (param "method" $method) (result (result))))
    (export "[method]outgoing-request.body"
      (func (param "self" (borrow $outgoing-request)) (result (result (own $outgoing-body)))))
    (export "[method]future-incoming-response.subscribe" (func (param "self" (borrow $future)) (result (own $p))))
    (export "[method]future-incoming-response.get" (func (param "self" (borrow $future))
      (result (option (result (result (own $incoming-response) (error $code)))))))
    (export "[method]incoming-response.status" (func (param "self" (borrow $incoming-response)) (result u16)))
    (export "[method]incoming-response.consume"
      (func (param "self" (borrow $incoming-response)) (result (result (own $incoming-body)))))))
  (alias export $types "incoming-request" (type $incoming-request))
  (alias export $types "response-outparam" (type $response-outparam))
  (alias export $types "outgoing-request" (type $outgoing-request))
  (alias export $types "request-options" (type $request-options))
  (alias export $types "future-incoming-response" (type $future))
  (alias export $types "incoming-response" (type $incoming-response))
  (alias export $types "incoming-body" (type $incoming-body))
  (alias export $types "future-trailers" (type $future-trailers))
  (alias export $types "outgoing-response" (type $outgoing-response))
  (alias export $types "outgoing-body" (type $outgoing-body))
  (alias export $types "error-code" (type $code))
"""

OUTGOING = """
  (import "wasi:http/outgoing-handler@{v}" (instance $outgoing
    (alias outer $C $outgoing-request (type $request)) (alias outer $C $request-options (type $options))
    (alias outer $C $future (type $f)) (alias outer $C $code (type $code'))
    (export "error-code" (type $code (eq $code')))
    (export "handle" (func (param "request" (own $request)) (param "options" (option (own $options)))
      (result (result (own $f) (error $code)))))))
"""

# name in the module: (instance, function, core parameters, core result); those with a list or string use the memory.
FUNCTIONS: dict[str, tuple[str, str, str, str]] = {
    "block": ("poll", "[method]pollable.block", "i32", ""),
    "timer": ("clock", "subscribe-duration", "i64", "i32"),
    "read": ("streams", "[method]input-stream.blocking-read", "i32 i64 i32", ""),
    "subscribe-in": ("streams", "[method]input-stream.subscribe", "i32", "i32"),
    "subscribe-out": ("streams", "[method]output-stream.subscribe", "i32", "i32"),
    "check-write": ("streams", "[method]output-stream.check-write", "i32 i32", ""),
    "write-some": ("streams", "[method]output-stream.write", "i32 i32 i32 i32", ""),
    "write": ("streams", "[method]output-stream.blocking-write-and-flush", "i32 i32 i32 i32", ""),
    "flush": ("streams", "[method]output-stream.blocking-flush", "i32 i32", ""),
    "fields": ("types", "[constructor]fields", "", "i32"),
    "from-list": ("types", "[static]fields.from-list", "i32 i32 i32", ""),
    "append": ("types", "[method]fields.append", "i32 i32 i32 i32 i32 i32", ""),
    "get": ("types", "[method]fields.get", "i32 i32 i32 i32", ""),
    "path": ("types", "[method]incoming-request.path-with-query", "i32 i32", ""),
    "authority": ("types", "[method]incoming-request.authority", "i32 i32", ""),
    "headers": ("types", "[method]incoming-request.headers", "i32", "i32"),
    "consume": ("types", "[method]incoming-request.consume", "i32 i32", ""),
    "stream": ("types", "[method]incoming-body.stream", "i32 i32", ""),
    "response": ("types", "[constructor]outgoing-response", "i32", "i32"),
    "status": ("types", "[method]outgoing-response.set-status-code", "i32 i32", "i32"),
    "body": ("types", "[method]outgoing-response.body", "i32 i32", ""),
    "set": ("types", "[static]response-outparam.set", "i32 i32 i32 i32 i64 i32 i32 i32 i32", ""),
    "inform": ("types", "[method]response-outparam.send-informational", "i32 i32 i32 i32", ""),
    "body-write": ("types", "[method]outgoing-body.write", "i32 i32", ""),
    "body-finish": ("types", "[static]outgoing-body.finish", "i32 i32 i32 i32", ""),
}
OUTGOING_FUNCTIONS: dict[str, tuple[str, str, str, str]] = {
    "request": ("types", "[constructor]outgoing-request", "i32", "i32"),
    "request-authority": ("types", "[method]outgoing-request.set-authority", "i32 i32 i32 i32", "i32"),
    "request-path": ("types", "[method]outgoing-request.set-path-with-query", "i32 i32 i32 i32", "i32"),
    "request-scheme": ("types", "[method]outgoing-request.set-scheme", "i32 i32 i32 i32 i32", "i32"),
    "request-method": ("types", "[method]outgoing-request.set-method", "i32 i32 i32 i32", "i32"),
    "request-body": ("types", "[method]outgoing-request.body", "i32 i32", ""),
    "future-subscribe": ("types", "[method]future-incoming-response.subscribe", "i32", "i32"),
    "future-get": ("types", "[method]future-incoming-response.get", "i32 i32", ""),
    "response-status": ("types", "[method]incoming-response.status", "i32", "i32"),
    "response-consume": ("types", "[method]incoming-response.consume", "i32 i32", ""),
    "send": ("outgoing", "handle", "i32 i32 i32 i32", ""),
}
DROPS = {
    "drop-pollable": "$pollable",
    "drop-in": "$input-stream",
    "drop-out": "$output-stream",
    "drop-body": "$outgoing-body",
}

CORE = """
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
      (global.set $heap (i32.add (local.get $at) (local.get 3)))
      (block $fits (loop $grow
        (br_if $fits (i32.le_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))))
        (if (i32.eq (memory.grow (i32.const 4)) (i32.const -1)) (then (unreachable)))
        (br $grow)))
      (local.get $at))
    ;; the handle in the ok side of a result at address 16; a trap if it is an error
    (func $ok (result i32)
      (if (i32.load8_u (i32.const 16)) (then (unreachable)))
      (i32.load (i32.const 20)))
    (func $sleep (param $ns i64) (local $p i32)
      (local.set $p (call $timer (local.get $ns)))
      (call $block (local.get $p))
      (call $drop-pollable (local.get $p)))
    (func $answer (param $out i32) (param $response i32)
      (call $set (local.get $out) (i32.const 0) (local.get $response) (i32.const 0) (i64.const 0)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
    (func $answer-error (param $out i32) (param $code i32)
      (call $set (local.get $out) (i32.const 1) (local.get $code) (i32.const 0) (i64.const 0)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
    (func $body-of (param $response i32) (result i32) (call $body (local.get $response) (i32.const 16)) (call $ok))
    (func $stream-of (param $body i32) (result i32) (call $body-write (local.get $body) (i32.const 16)) (call $ok))
    (func $incoming-stream (param $request i32) (result i32)
      (call $consume (local.get $request) (i32.const 16))
      (call $stream (call $ok) (i32.const 16))
      (call $ok))
    (func $finish (param $stream i32) (param $body i32)
      (call $drop-out (local.get $stream))
      (call $body-finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 16)))
    (func $write-all (param $stream i32) (param $at i32) (param $len i32) (local $n i32)
      (block $done (loop $next
        (br_if $done (i32.eqz (local.get $len)))
        (local.set $n (select (i32.const 4096) (local.get $len) (i32.gt_u (local.get $len) (i32.const 4096))))
        (call $write (local.get $stream) (local.get $at) (local.get $n) (i32.const 16))
        (if (i32.load8_u (i32.const 16)) (then (unreachable)))
        (local.set $at (i32.add (local.get $at) (local.get $n)))
        (local.set $len (i32.sub (local.get $len) (local.get $n)))
        (br $next))))
    ;; copies a body until it ends; the answer says whether it ended well (0) or failed (1)
    (func $copy (param $from i32) (param $to i32) (result i32) (local $heap0 i32)
      (local.set $heap0 (global.get $heap))
      (loop $next
        (global.set $heap (local.get $heap0))
        (call $read (local.get $from) (i64.const 65536) (i32.const 16))
        (if (i32.eqz (i32.load8_u (i32.const 16))) (then
          (call $write-all (local.get $to) (i32.load (i32.const 20)) (i32.load (i32.const 24)))
          (br $next))))
      (i32.eqz (i32.load8_u (i32.const 20))))
"""
