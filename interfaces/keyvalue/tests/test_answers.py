"""What a guest sees of the exceptions of a backend."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.keyvalue.tests.guest_text import DRAFT2, text
from qwasr.errors import StoreNotAllowed
from qwasr.runtime import Runtime
from qwasr.values import Variant, WitError
from qwasr_keyvalue import AccessDenied, CounterOverflow, Memory, NoSuchStore, Unavailable, plugin
from qwasr_keyvalue._answers import host_function, swap_function

if TYPE_CHECKING:
    from collections.abc import Callable


async def fail(error: Exception) -> None:
    raise error


def wit_error(function: Callable[..., Any], error: Exception) -> Variant:
    with pytest.raises(WitError) as caught:
        function(error)
    value: Variant = caught.value.value
    return value


def test_the_backends_errors_become_their_cases() -> None:
    function = host_function(fail)
    assert wit_error(function, NoSuchStore("anything")) == Variant("no-such-store")
    assert wit_error(function, AccessDenied("anything")) == Variant("access-denied")
    assert wit_error(function, Unavailable("the service is away")) == Variant("other", "the service is away")
    assert wit_error(function, CounterOverflow("too much")) == Variant("other", "too much")


def test_a_store_that_is_not_allowed_is_no_such_store(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="qwasr.keyvalue"):
        assert wit_error(host_function(fail), StoreNotAllowed("not listed")) == Variant("no-such-store")
    assert "not listed" in caplog.records[-1].getMessage()


def test_a_swaps_error_is_a_store_error() -> None:
    error = wit_error(swap_function(fail), NoSuchStore("anything"))
    assert error == Variant("store-error", Variant("no-such-store"))


async def test_a_backend_that_does_not_answer_is_unavailable_to_the_guest_and_the_next_call_is_served() -> None:
    class Away(Memory):
        away = True

        async def open_bucket(self, identifier: str) -> Any:
            if self.away:
                await asyncio.Event().wait()
            return await super().open_bucket(identifier)

    away = Away()
    environ = {"QWASR_BACKEND_TIMEOUT_S": "0.05"}
    async with Runtime(text(DRAFT2), backends={"keyvalue": away}, environ=environ, plugins=[plugin]) as runtime:
        with pytest.raises(WitError) as caught:
            await runtime.call(None, "open", "b")
        assert caught.value.value == Variant("other", "no answer within 0.05 s: the keyvalue service is unavailable")
        away.away = False
        await runtime.call(None, "open", "b")
        counter = runtime.telemetry.host("keyvalue")
        assert (counter.calls, counter.errors) == (2, 1)
