"""Guests in component text use wasi:vault through the real engine and runtime, on every embedded vault."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.vault.tests.guest_text import GUEST
from qwasr.errors import ConfigurationError
from qwasr.runtime import Runtime
from qwasr.values import Variant, WitError
from qwasr_vault import Memory, plugin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

KEY = "9f" * 32


def runtime_of(**environ: str) -> Runtime:
    return Runtime(GUEST.encode(), environ={"QWASR_CACHE_DIR": "off", **environ}, plugins=[plugin])


@pytest.fixture(params=["memory", "file"])
async def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Runtime]:
    file = {"QWASR_VAULT": f"file:///{tmp_path / 'vault'}", "VAULT_KEY": KEY}
    async with runtime_of(**(file if request.param == "file" else {})) as runtime:
        yield runtime


async def error_of(runtime: Runtime, *call: Any) -> Variant:
    with pytest.raises(WitError) as caught:
        await runtime.call(None, *call)
    value: Variant = caught.value.value
    return value


async def test_a_guest_sets_reads_lists_and_deletes(runtime: Runtime) -> None:
    assert await runtime.call(None, "get", "billing", "ключ") is None
    await runtime.call(None, "set", "billing", "ключ", b"\x00value")
    await runtime.call(None, "set", "billing", "a", b"")
    assert await runtime.call(None, "get", "billing", "ключ") == b"\x00value"
    assert await runtime.call(None, "get", "billing", "a") == b""
    assert await runtime.call(None, "exists", "billing", "ключ") is True
    assert await runtime.call(None, "list-ids", "billing") == ["a", "ключ"]
    await runtime.call(None, "delete", "billing", "ключ")
    assert await runtime.call(None, "exists", "billing", "ключ") is False
    assert await runtime.call(None, "get", "other", "a") is None


async def test_a_guest_copies_a_secret(runtime: Runtime) -> None:
    await runtime.call(None, "set", "l", "name", bytes(range(256)) * 256)
    await runtime.call(None, "copy", "l", "name", "copy")
    assert await runtime.call(None, "get", "l", "copy") == bytes(range(256)) * 256


async def test_a_guest_gets_an_error_for_more_than_64_kib_and_nothing_is_written(runtime: Runtime) -> None:
    await runtime.call(None, "fill", "l", "name", 65536)
    error = await error_of(runtime, "fill", "l", "name", 65537)
    assert error.case == "other"
    assert "65536 bytes" in error.value
    assert len(await runtime.call(None, "get", "l", "name")) == 65536


async def test_50_guests_at_once_set_their_own(runtime: Runtime) -> None:
    await asyncio.gather(*(runtime.call(None, "set", "l", f"{number:02}", b"%d" % number) for number in range(50)))
    assert await runtime.call(None, "list-ids", "l") == [f"{number:02}" for number in range(50)]


async def test_a_locker_that_is_not_listed_is_no_such_store() -> None:
    async with runtime_of(QWASR_VAULT_STORES="billing") as runtime:
        await runtime.call(None, "open", "billing")
        assert await error_of(runtime, "open", "other") == Variant("no-such-store")


async def test_one_locker_is_on_a_vault_of_its_own(tmp_path: Path) -> None:
    settings = {"QWASR_VAULT": "env://APP", "APP_KEY": "from the environment", "VAULT_KEY": KEY}
    async with runtime_of(**settings, QWASR_VAULT__BILLING=f"file:///{tmp_path / 'vault'}") as runtime:
        await runtime.call(None, "set", "billing", "key", b"from the file")
        assert await runtime.call(None, "get", "billing", "key") == b"from the file"
        assert await runtime.call(None, "get", "default", "key") == b"from the environment"


async def test_a_guest_reads_the_environments_secrets_and_does_not_change_them() -> None:
    environ = {"QWASR_VAULT": "env://APP_SECRET", "APP_SECRET_DB_PASSWORD": "open sesame", "HOME": "/x"}
    async with runtime_of(**environ) as runtime:
        assert await runtime.call(None, "list-ids", "default") == ["db-password"]
        assert await runtime.call(None, "get", "default", "db-password") == b"open sesame"
        assert await runtime.call(None, "get", "default", "home") is None
        assert await error_of(runtime, "set", "default", "db-password", b"x") == Variant("access-denied")
        assert await error_of(runtime, "delete", "default", "db-password") == Variant("access-denied")
        assert await runtime.call(None, "get", "default", "db-password") == b"open sesame"


async def test_a_file_that_goes_away_is_unavailable_and_the_next_call_is_served(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    async with runtime_of(QWASR_VAULT=f"file:///{path}", VAULT_KEY=KEY) as runtime:
        await runtime.call(None, "set", "l", "name", b"value")
        path.rename(tmp_path / "aside")
        assert await error_of(runtime, "get", "l", "name") == Variant(
            "other", "the vault is unavailable: its file is gone"
        )
        assert await runtime.check() == [("file", "the vault is unavailable: its file is gone")]
        (tmp_path / "aside").rename(path)
        assert await runtime.call(None, "get", "l", "name") == b"value"
        assert await runtime.check() == []


async def test_memory_is_refused_where_several_workers_would_each_have_their_own() -> None:
    runtime = Runtime(GUEST.encode(), environ={"QWASR_CACHE_DIR": "off"}, plugins=[plugin], workers=2)
    with pytest.raises(ConfigurationError, match="memory keeps its data in one process"):
        await runtime.__aenter__()


@pytest.mark.parametrize("later", [False, True])
async def test_an_unexpected_exception_that_quotes_a_secret_is_an_internal_error_without_it(
    later: bool, caplog: pytest.LogCaptureFixture
) -> None:
    class BrokenLocker:
        async def set(self, secret_id: str, value: bytes) -> None:
            if later:
                await asyncio.sleep(0.001)
            raise RuntimeError(f"cannot send {value!r}") from ValueError(f"{value!r}")

    class Broken(Memory):
        async def open_locker(self, identifier: str) -> Any:
            return BrokenLocker()

    async with Runtime(GUEST.encode(), backends={"vault": Broken()}, environ={}, plugins=[plugin]) as runtime:
        error = await error_of(runtime, "set", "l", "name", b"open sesame")
    assert error.case == "other"
    assert error.value.startswith("internal error ")
    (record,) = caplog.records
    assert error.value in record.getMessage(), "the operator finds it by its id"
    assert "builtins.RuntimeError" in record.getMessage()
    assert "test_guests.py" in record.getMessage(), "and where it was raised"
    assert "sesame" not in caplog.text
