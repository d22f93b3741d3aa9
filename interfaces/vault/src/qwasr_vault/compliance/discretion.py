"""Rules against telling a secret to anyone but the guest."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING

from qwasr_vault.compliance._lockers import fresh_locker, fresh_name, fresh_secret, traces_of
from qwasr_vault.errors import VaultError

if TYPE_CHECKING:
    import pytest

    from qwasr_vault.protocol import Locker, Vault

__all__ = ["DiscretionRules", "check_repr", "log_of"]

_TOO_LARGE_BYTES = 20 * 1024 * 1024


class DiscretionRules:
    """What holds for logs, messages and `repr`."""

    async def test_no_secret_is_in_a_log_line(self, backend: Vault, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        secret = fresh_secret()
        locker = await fresh_locker(backend)
        await locker.set("name", secret)
        await locker.get("name")
        await locker.exists("name")
        await locker.list_ids()
        await locker.set("name", secret * 2)
        await locker.delete("name")
        for trace in traces_of(secret):
            assert trace.decode() not in log_of(caplog), "a secret is in the log"

    async def test_no_secret_is_in_a_repr(self, backend: Vault) -> None:
        secret, name = fresh_secret(), fresh_name()
        locker = await backend.open_locker(name)
        await locker.set("name", secret)
        await locker.get("name")
        check_repr(secret, backend, locker)

    async def test_no_secret_is_in_an_error(self, backend: Vault) -> None:
        """A secret that is too large is refused, if the vault has a bound below 20 MiB; that is what fails anywhere."""
        secret = fresh_secret()
        locker = await fresh_locker(backend)
        try:
            await locker.set("name", secret * (_TOO_LARGE_BYTES // len(secret)))
        except VaultError as error:
            said = "".join(traceback.format_exception(error)) + repr(error)
            assert secret.decode() not in said, "a secret is in an error"
        await locker.delete("name")


def log_of(caplog: pytest.LogCaptureFixture) -> str:
    """Return everything that was logged, tracebacks and arguments too."""
    formatter = logging.Formatter()
    return "\n".join(f"{formatter.format(record)} {record.args!r}" for record in caplog.records)


def check_repr(secret: bytes, backend: Vault, locker: Locker) -> None:
    """Fail when a secret is in what is printed of a backend or a locker."""
    for thing in (backend, locker):
        for trace in traces_of(secret):
            assert trace.decode() not in f"{thing!r} {thing!s}", f"a secret is in the repr of {type(thing).__name__}"
