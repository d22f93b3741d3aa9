"""A guest is greeted: the interface through the real engine, with component text for a guest."""

from __future__ import annotations

import pytest

import greeting
from qwasr.runtime import Runtime
from qwasr.values import WitError

# A guest whose export `greet` calls its import `greet`.
GUEST = b"""
(component
  (import "demo:greeting/greet@0.1.0" (instance $host
    (export "greet" (func (param "name" string) (result (result string (error string)))))))
  (core module $memory
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (global.get $next))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $mem (instantiate $memory))
  (alias core export $mem "memory" (core memory $m))
  (alias core export $mem "realloc" (core func $realloc))
  (core func $greet (canon lower (func $host "greet") (memory $m) (realloc $realloc)))
  (core module $main
    (import "host" "greet" (func $greet (param i32 i32 i32)))
    (func (export "greet") (param i32 i32) (result i32)
      (call $greet (local.get 0) (local.get 1) (i32.const 16))
      (i32.const 16)))
  (core instance $i (instantiate $main (with "host" (instance (export "greet" (func $greet))))))
  (func (export "greet") (param "name" string) (result (result string (error string)))
    (canon lift (core func $i "greet") (memory $m) (realloc $realloc))))
"""


async def test_a_guest_is_greeted() -> None:
    async with Runtime(GUEST, environ={}, plugins=[greeting]) as runtime:
        assert await runtime.call(None, "greet", "Ada") == "Hello, Ada!"


async def test_the_word_is_configured_by_a_variable() -> None:
    async with Runtime(GUEST, environ={"GREETING_WORD": "Moin"}, plugins=[greeting]) as runtime:
        assert await runtime.call(None, "greet", "Ada") == "Moin, Ada!"


async def test_nobody_is_an_error_for_the_guest() -> None:
    async with Runtime(GUEST, environ={}, plugins=[greeting]) as runtime:
        with pytest.raises(WitError) as caught:
            await runtime.call(None, "greet", "")
    assert caught.value.value == "there is nobody to greet"


async def test_another_backend_serves_it_as_well() -> None:
    class Shouting:
        async def word_for(self, name: str) -> str:
            return "HEY"

    async with Runtime(GUEST, backends={"greeting": Shouting()}, environ={}, plugins=[greeting]) as runtime:
        assert await runtime.call(None, "greet", "Ada") == "HEY, Ada!"
