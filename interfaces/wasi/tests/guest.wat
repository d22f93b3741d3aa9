;; A guest that calls its host in every way that wasi:io has, at versions as mixed as those of real guests.
(component
  (import "wasi:io/error@0.2.9" (instance $error-i (export "error" (type (sub resource)))))
  (alias export $error-i "error" (type $error))

  (import "wasi:io/poll@0.2.0" (instance $poll-i
    (export "pollable" (type $p (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))
    (export "[method]pollable.ready" (func (param "self" (borrow $p)) (result bool)))
    (export "poll" (func (param "in" (list (borrow $p))) (result (list u32))))))
  (alias export $poll-i "pollable" (type $pollable))

  (import "wasi:io/streams@0.2.12" (instance $streams-i
    (alias outer 1 $error (type $e0))
    (export "error" (type $e (eq $e0)))
    (alias outer 1 $pollable (type $p0))
    (export "pollable" (type $p (eq $p0)))
    (type $se0 (variant (case "last-operation-failed" (own $e)) (case "closed")))
    (export "stream-error" (type $se (eq $se0)))
    (export "input-stream" (type $in (sub resource)))
    (export "output-stream" (type $out (sub resource)))
    (export "[method]input-stream.blocking-read" (func
      (param "self" (borrow $in)) (param "len" u64) (result (result (list u8) (error $se)))))
    (export "[method]output-stream.check-write" (func
      (param "self" (borrow $out)) (result (result u64 (error $se)))))
    (export "[method]output-stream.write" (func
      (param "self" (borrow $out)) (param "contents" (list u8)) (result (result (error $se)))))
    (export "[method]output-stream.blocking-write-and-flush" (func
      (param "self" (borrow $out)) (param "contents" (list u8)) (result (result (error $se)))))
    (export "[method]output-stream.blocking-splice" (func
      (param "self" (borrow $out)) (param "src" (borrow $in)) (param "len" u64) (result (result u64 (error $se)))))
    (export "[method]output-stream.subscribe" (func (param "self" (borrow $out)) (result (own $p))))))
  (alias export $streams-i "input-stream" (type $input-stream))
  (alias export $streams-i "output-stream" (type $output-stream))

  (import "wasi:cli/stdin@0.2.3" (instance $stdin-i
    (alias outer 1 $input-stream (type $s0)) (export "input-stream" (type $s (eq $s0)))
    (export "get-stdin" (func (result (own $s))))))
  (import "wasi:cli/stdout@0.2.9" (instance $stdout-i
    (alias outer 1 $output-stream (type $s0)) (export "output-stream" (type $s (eq $s0)))
    (export "get-stdout" (func (result (own $s))))))
  (import "wasi:clocks/monotonic-clock@0.2.9" (instance $clock-i
    (alias outer 1 $pollable (type $p0)) (export "pollable" (type $p (eq $p0)))
    (type $d0 u64) (export "duration" (type $d (eq $d0)))
    (type $i0 u64) (export "instant" (type $i (eq $i0)))
    (export "now" (func (result $i)))
    (export "subscribe-duration" (func (param "when" $d) (result (own $p))))))
  (import "wasi:random/random@0.2.0" (instance $random-i
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
  (import "wasi:cli/exit@0.2.0" (instance $exit-i
    (export "exit" (func (param "status" (result))))))
  (import "wasi:sockets/network@0.2.0" (instance $network-i
    (export "network" (type (sub resource)))
    (type $f0 (enum "ipv4" "ipv6")) (export "ip-address-family" (type (eq $f0)))
    (type $c0 (enum "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory" "timeout"
      "concurrency-conflict" "not-in-progress" "would-block" "invalid-state" "new-socket-limit" "address-not-bindable"
      "address-in-use" "remote-unreachable" "connection-refused" "connection-reset" "connection-aborted"
      "datagram-too-large" "name-unresolvable" "temporary-resolver-failure" "permanent-resolver-failure"))
    (export "error-code" (type (eq $c0)))))
  (alias export $network-i "ip-address-family" (type $family))
  (alias export $network-i "error-code" (type $code))
  (import "wasi:sockets/tcp@0.2.0" (instance $tcp-i
    (alias outer 1 $code (type $c0)) (export "error-code" (type $c (eq $c0)))
    (export "tcp-socket" (type $t (sub resource)))
    (export "[method]tcp-socket.set-hop-limit" (func
      (param "self" (borrow $t)) (param "value" u8) (result (result (error $c)))))))
  (alias export $tcp-i "tcp-socket" (type $tcp-socket))
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $create-i
    (alias outer 1 $code (type $c0)) (export "error-code" (type $c (eq $c0)))
    (alias outer 1 $family (type $f0)) (export "ip-address-family" (type $f (eq $f0)))
    (alias outer 1 $tcp-socket (type $t0)) (export "tcp-socket" (type $t (eq $t0)))
    (export "create-tcp-socket" (func (param "address-family" $f) (result (result (own $t) (error $c)))))))

  (core module $memory-m
    (memory (export "memory") 4)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $m (instantiate $memory-m))
  (alias core export $m "memory" (core memory $memory))
  (alias core export $m "realloc" (core func $realloc))

  (core func $block (canon lower (func $poll-i "[method]pollable.block")))
  (core func $poll (canon lower (func $poll-i "poll") (memory $memory) (realloc $realloc)))
  (core func $drop-pollable (canon resource.drop $pollable))
  (core func $read (canon lower (func $streams-i "[method]input-stream.blocking-read") (memory $memory) (realloc $realloc)))
  (core func $check-write (canon lower (func $streams-i "[method]output-stream.check-write") (memory $memory)))
  (core func $write (canon lower (func $streams-i "[method]output-stream.write") (memory $memory)))
  (core func $write-flush (canon lower
    (func $streams-i "[method]output-stream.blocking-write-and-flush") (memory $memory)))
  (core func $splice (canon lower (func $streams-i "[method]output-stream.blocking-splice") (memory $memory)))
  (core func $subscribe-output (canon lower (func $streams-i "[method]output-stream.subscribe")))
  (core func $drop-input (canon resource.drop $input-stream))
  (core func $drop-output (canon resource.drop $output-stream))
  (core func $stdin (canon lower (func $stdin-i "get-stdin")))
  (core func $stdout (canon lower (func $stdout-i "get-stdout")))
  (core func $now (canon lower (func $clock-i "now")))
  (core func $after (canon lower (func $clock-i "subscribe-duration")))
  (core func $random (canon lower (func $random-i "get-random-bytes") (memory $memory) (realloc $realloc)))
  (core func $exit (canon lower (func $exit-i "exit")))
  (core func $create (canon lower (func $create-i "create-tcp-socket") (memory $memory)))

  (core module $guest-m
    (import "m" "memory" (memory 4))
    (import "h" "block" (func $block (param i32)))
    (import "h" "poll" (func $poll (param i32 i32 i32)))
    (import "h" "drop-pollable" (func $drop-pollable (param i32)))
    (import "h" "read" (func $read (param i32 i64 i32)))
    (import "h" "check-write" (func $check-write (param i32 i32)))
    (import "h" "write" (func $write (param i32 i32 i32 i32)))
    (import "h" "write-flush" (func $write-flush (param i32 i32 i32 i32)))
    (import "h" "splice" (func $splice (param i32 i32 i64 i32)))
    (import "h" "subscribe-output" (func $subscribe-output (param i32) (result i32)))
    (import "h" "drop-input" (func $drop-input (param i32)))
    (import "h" "drop-output" (func $drop-output (param i32)))
    (import "h" "stdin" (func $stdin (result i32)))
    (import "h" "stdout" (func $stdout (result i32)))
    (import "h" "now" (func $now (result i64)))
    (import "h" "after" (func $after (param i64) (result i32)))
    (import "h" "random" (func $random (param i64 i32)))
    (import "h" "exit" (func $exit (param i32)))
    (import "h" "create" (func $create (param i32 i32)))

    ;; print the text in one write, and leave the stream to the end of the call
    (func (export "say") (param i32 i32)
      (call $write-flush (call $stdout) (local.get 0) (local.get 1) (i32.const 16))
      (if (i32.load8_u (i32.const 16)) (then (unreachable))))

    ;; copy the standard input to the standard output until it ends; return the bytes copied, or minus 1 for a failure
    (func (export "copy") (result i64) (local $in i32) (local $out i32) (local $sum i64)
      (local.set $in (call $stdin))
      (local.set $out (call $stdout))
      (loop $next
        (call $read (local.get $in) (i64.const 4096) (i32.const 16))
        (if (i32.eqz (i32.load8_u (i32.const 16))) (then
          (call $write-flush (local.get $out) (i32.load (i32.const 20)) (i32.load (i32.const 24)) (i32.const 32))
          (if (i32.load8_u (i32.const 32)) (then (unreachable)))
          (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (i32.load (i32.const 24)))))
          (br $next))))
      (if (i32.eqz (i32.load8_u (i32.const 20))) (then (return (i64.const -1))))
      (call $drop-input (local.get $in))
      (call $drop-output (local.get $out))
      (local.get $sum))

    ;; the same by splice
    (func (export "splice") (result i64) (local $in i32) (local $out i32) (local $sum i64)
      (local.set $in (call $stdin))
      (local.set $out (call $stdout))
      (loop $next
        (call $splice (local.get $out) (local.get $in) (i64.const -1) (i32.const 16))
        (if (i32.eqz (i32.load8_u (i32.const 16))) (then
          (local.set $sum (i64.add (local.get $sum) (i64.load (i32.const 24))))
          (br $next))))
      (local.get $sum))

    ;; write one byte more than is permitted
    (func (export "write-too-much") (local $out i32)
      (local.set $out (call $stdout))
      (call $check-write (local.get $out) (i32.const 16))
      (call $write (local.get $out) (i32.const 0) (i32.add (i32.load (i32.const 24)) (i32.const 1)) (i32.const 32)))

    ;; wait; return how long it took
    (func (export "sleep") (param i64) (result i64) (local $before i64) (local $timer i32)
      (local.set $before (call $now))
      (local.set $timer (call $after (local.get 0)))
      (call $block (local.get $timer))
      (call $drop-pollable (local.get $timer))
      (i64.sub (call $now) (local.get $before)))

    ;; poll two timers and, in the middle, the output that was dropped: return the number ready and the first of them
    (func (export "poll-timers") (param i64 i64) (result i32)
      (i32.store (i32.const 64) (call $after (local.get 0)))
      (i32.store (i32.const 68) (call $after (local.get 1)))
      (call $poll (i32.const 64) (i32.const 2) (i32.const 16))
      (i32.add (i32.mul (i32.load (i32.const 20)) (i32.const 10)) (i32.load (i32.load (i32.const 16)))))

    (func (export "poll-dropped") (result i32) (local $out i32) (local $pollable i32)
      (local.set $out (call $stdout))
      (i32.store (i32.const 64) (call $subscribe-output (local.get $out)))
      (call $drop-output (local.get $out))
      (call $poll (i32.const 64) (i32.const 1) (i32.const 16))
      (i32.load (i32.const 20)))

    (func (export "poll-nothing")
      (call $poll (i32.const 64) (i32.const 0) (i32.const 16)))

    (func (export "random") (param i64) (result i32)
      (call $random (local.get 0) (i32.const 16))
      (i32.load (i32.const 20)))

    (func (export "exit") (param i32)
      (call $exit (local.get 0))
      (unreachable))

    ;; try to make a socket; return the error code's number, or 255 for success
    (func (export "connect") (result i32)
      (call $create (i32.const 0) (i32.const 16))
      (if (result i32) (i32.load8_u (i32.const 16)) (then (i32.load8_u (i32.const 20))) (else (i32.const 255)))))

  (core instance $g (instantiate $guest-m
    (with "m" (instance $m))
    (with "h" (instance
      (export "block" (func $block)) (export "poll" (func $poll)) (export "drop-pollable" (func $drop-pollable))
      (export "read" (func $read)) (export "check-write" (func $check-write)) (export "write" (func $write))
      (export "write-flush" (func $write-flush)) (export "splice" (func $splice))
      (export "subscribe-output" (func $subscribe-output))
      (export "drop-input" (func $drop-input)) (export "drop-output" (func $drop-output))
      (export "stdin" (func $stdin)) (export "stdout" (func $stdout))
      (export "now" (func $now)) (export "after" (func $after)) (export "random" (func $random))
      (export "exit" (func $exit)) (export "create" (func $create))))))

  (func (export "say") (param "text" string) (canon lift (core func $g "say") (memory $memory) (realloc $realloc)))
  (func (export "copy") (result s64) (canon lift (core func $g "copy")))
  (func (export "splice") (result s64) (canon lift (core func $g "splice")))
  (func (export "write-too-much") (canon lift (core func $g "write-too-much")))
  (func (export "sleep") (param "ns" u64) (result u64) (canon lift (core func $g "sleep")))
  (func (export "poll-timers") (param "a" u64) (param "b" u64) (result u32) (canon lift (core func $g "poll-timers")))
  (func (export "poll-dropped") (result u32) (canon lift (core func $g "poll-dropped")))
  (func (export "poll-nothing") (canon lift (core func $g "poll-nothing")))
  (func (export "random") (param "len" u64) (result u32) (canon lift (core func $g "random")))
  (func (export "exit") (param "status" (result)) (canon lift (core func $g "exit")))
  (func (export "connect") (result u32) (canon lift (core func $g "connect"))))
