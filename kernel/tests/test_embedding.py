from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.errors import ComponentError, DeadlineExceeded, GuestTrap
from qwasr.runtime import Runtime, RuntimeOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[..., Any]

OFFLINE = {"QWASR_PLUGINS": "", "QWASR_CACHE_DIR": "off"}  # nothing installed, nothing kept
SHORT = RuntimeOptions(guest_timeout_s=0.2, cache_dir="off", shutdown_s=5)


async def test_an_export_is_called_directly(plain: bytes) -> None:
    async with Runtime(plain, environ=OFFLINE) as runtime:
        assert await runtime.call(None, "add", 2, 3) == 5


async def test_a_component_is_read_from_a_file_and_named_after_it(write_component: Make) -> None:
    async with Runtime(write_component("plain"), environ=OFFLINE) as runtime:
        assert runtime.guest.name == "plain"


async def test_a_guest_that_computes_too_long_meets_its_deadline(plain: bytes) -> None:
    async with Runtime(plain, environ=OFFLINE, options=SHORT) as runtime:
        with pytest.raises(DeadlineExceeded, match=r"took longer than 0\.2 s \(QWASR_GUEST_TIMEOUT_S\)"):
            await runtime.call(None, "spin")
        assert await runtime.call(None, "add", 1, 1) == 2


async def test_a_trap_reaches_the_caller_with_its_backtrace(plain: bytes) -> None:
    async with Runtime(plain, environ=OFFLINE) as runtime:
        with pytest.raises(GuestTrap, match="unreachable") as caught:
            await runtime.call(None, "trap")
        assert "crash" in caught.value.backtrace


async def test_a_function_that_is_not_exported_is_an_error(plain: bytes) -> None:
    async with Runtime(plain, environ=OFFLINE) as runtime:
        with pytest.raises(ComponentError):
            await runtime.call(None, "subtract", 1, 1)


async def test_a_misspelt_variable_is_a_warning(plain: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        async with Runtime(plain, environ={**OFFLINE, "QWASR_CONCURENCY": "2"}):
            pass
    assert "nothing reads the variable QWASR_CONCURENCY. Did you mean 'QWASR_CONCURRENCY'?" in caplog.text


async def test_leaving_while_it_compiles_leaves_nothing_behind(plain: bytes) -> None:
    before = set(threading.enumerate())
    task = asyncio.create_task(Runtime(plain, environ=OFFLINE).__aenter__())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert not any(name.startswith("qwasr") for name in left)  # asyncio keeps the thread it worked in


async def test_a_cache_folder_is_used_when_it_is_named(plain: bytes, tmp_path: Any) -> None:
    folder = tmp_path / "cache"
    async with Runtime(plain, environ={"QWASR_PLUGINS": "", "QWASR_CACHE_DIR": str(folder)}):
        assert list(folder.iterdir())
