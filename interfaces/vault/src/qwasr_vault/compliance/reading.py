"""Rules for a vault that only reads.

::

    class TestMyVault(ReadOnlyVaultCompliance):
        @pytest.fixture
        def secrets(self):                       # three at least, in two lockers
            return {"default": {"db-password": b"…", "api-key": b"…"}, "billing": {"db-password": b"…"}}

        @pytest.fixture
        def backend(self, secrets):
            ...                                  # has these
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from qwasr_vault.compliance._lockers import fresh_name, traces_of
from qwasr_vault.compliance.discretion import check_repr, log_of
from qwasr_vault.errors import AccessDenied, NoSuchLocker

if TYPE_CHECKING:
    from qwasr_vault.protocol import Vault

    Secrets = dict[str, dict[str, bytes]]

__all__ = ["ReadOnlyVaultCompliance"]

_TELLING_BYTES = 8  # a shorter secret may be in a log by chance


class ReadOnlyVaultCompliance:
    """Every rule for a vault that only reads; a subclass overrides the fixtures `secrets` and `backend`."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def secrets(self) -> Secrets:
        """Return what is in the vault, by locker and name; every subclass has its own."""
        msg = f"{type(self).__name__} has to override the fixture `secrets`; see qwasr_vault.compliance.reading"
        raise TypeError(msg)

    @pytest.fixture
    def backend(self) -> Vault:
        """Return the connected backend, which has these secrets; every subclass has its own."""
        msg = f"{type(self).__name__} has to override the fixture `backend`; see qwasr_vault.compliance.reading"
        raise TypeError(msg)

    async def test_every_secret_is_read_from_its_locker(self, backend: Vault, secrets: Secrets) -> None:
        for name, values in secrets.items():
            locker = await backend.open_locker(name)
            for secret_id, value in values.items():
                read = await locker.get(secret_id)
                assert read == value
                assert type(read) is bytes
                assert await locker.exists(secret_id) is True

    async def test_every_name_is_listed_in_the_order_of_code_points(self, backend: Vault, secrets: Secrets) -> None:
        for name, values in secrets.items():
            assert await (await backend.open_locker(name)).list_ids() == sorted(values)

    async def test_no_locker_has_the_secrets_of_another(self, backend: Vault, secrets: Secrets) -> None:
        for name, values in secrets.items():
            locker = await backend.open_locker(name)
            for secret_id in {each for others in secrets.values() for each in others} - set(values):
                assert await locker.get(secret_id) is None
                assert await locker.exists(secret_id) is False

    async def test_a_name_that_nobody_wrote_is_missing(self, backend: Vault, secrets: Secrets) -> None:
        for name in secrets:
            locker = await backend.open_locker(name)
            for secret_id in (fresh_name(), "missing", "\x00", "../up", "*", "🗝"):
                assert await locker.get(secret_id) is None
                assert await locker.exists(secret_id) is False

    async def test_a_locker_that_nobody_filled_is_empty_or_none(self, backend: Vault) -> None:
        try:
            locker = await backend.open_locker(fresh_name())
        except NoSuchLocker:
            return
        assert await locker.list_ids() == []

    async def test_set_is_refused_and_nothing_changes(self, backend: Vault, secrets: Secrets) -> None:
        for name, values in secrets.items():
            locker = await backend.open_locker(name)
            for secret_id in (*values, fresh_name()):
                with pytest.raises(AccessDenied):
                    await locker.set(secret_id, b"other")
            assert {secret_id: await locker.get(secret_id) for secret_id in await locker.list_ids()} == values

    async def test_delete_is_refused_and_nothing_changes(self, backend: Vault, secrets: Secrets) -> None:
        for name, values in secrets.items():
            locker = await backend.open_locker(name)
            for secret_id in (*values, fresh_name()):
                with pytest.raises(AccessDenied):
                    await locker.delete(secret_id)
            assert {secret_id: await locker.get(secret_id) for secret_id in await locker.list_ids()} == values

    async def test_no_secret_is_in_a_log_line_or_a_repr(
        self, backend: Vault, secrets: Secrets, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        for name, values in secrets.items():
            locker = await backend.open_locker(name)
            for secret_id, value in values.items():
                await locker.get(secret_id)
                if len(value) < _TELLING_BYTES:
                    continue
                check_repr(value, backend, locker)
                for trace in traces_of(value):
                    assert trace.decode(errors="replace") not in log_of(caplog), "a secret is in the log"
