"""Every embedded vault, and the one of tests, keeps the rules."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from qwasr_vault import EncryptedFile, Environment, EnvironmentOptions, FileOptions, Memory
from qwasr_vault.compliance import ReadOnlyVaultCompliance, VaultCompliance, VaultFaultCompliance
from qwasr_vault.fake import FakeVault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

KEY = "9f" * 32


class TestMemory(VaultCompliance):
    @pytest.fixture
    def backend(self) -> Memory:
        return Memory()


class TestFake(VaultCompliance):
    @pytest.fixture
    def backend(self) -> FakeVault:
        return FakeVault()


class TestEncryptedFile(VaultCompliance):
    @pytest.fixture
    async def backend(self, tmp_path: Path) -> AsyncIterator[EncryptedFile]:
        backend = await EncryptedFile.connect(FileOptions(url=f"file:///{tmp_path / 'vault'}", key=KEY))
        yield backend
        await backend.close()

    @pytest.fixture
    async def another(self, backend: EncryptedFile, tmp_path: Path) -> AsyncIterator[EncryptedFile]:
        another = await EncryptedFile.connect(FileOptions(url=f"file:///{tmp_path / 'vault'}", key=KEY))
        yield another
        await another.close()


class File:
    """The vault's file as a service: away it is moved aside, by someone who keeps writers out meanwhile."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.aside = path.with_name("aside")

    def kill(self) -> None:
        self._move(self.path, self.aside)

    def start(self) -> None:
        self._move(self.aside, self.path)

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def _move(self, old: Path, new: Path) -> None:
        handle = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            old.rename(new)
        finally:
            os.close(handle)


class TestEncryptedFileThatGoesAway(VaultFaultCompliance):
    pauses = False

    @pytest.fixture
    def service(self, tmp_path: Path) -> File:
        return File(tmp_path / "vault")

    @pytest.fixture
    async def backend(self, service: File) -> AsyncIterator[EncryptedFile]:
        backend = await EncryptedFile.connect(FileOptions(url=f"file:///{service.path}", key=KEY))
        yield backend
        await backend.close()


class TestEnvironment(ReadOnlyVaultCompliance):
    @pytest.fixture
    def secrets(self) -> dict[str, dict[str, bytes]]:
        return {
            "default": {"db-password": b"open sesame", "api-key": "schlüssel".encode(), "empty": b""},
            "billing": {"db-password": b"another one", "2": b"short"},
            "billing-eu": {"db-password": b"a third one"},
        }

    @pytest.fixture
    def backend(self) -> Environment:
        environ = {
            "APP_SECRET_DB_PASSWORD": "open sesame",
            "APP_SECRET_API_KEY": "schlüssel",
            "APP_SECRET_EMPTY": "",
            "APP_SECRET_BILLING__DB_PASSWORD": "another one",
            "APP_SECRET_BILLING__2": "short",
            "APP_SECRET_BILLING_EU__DB_PASSWORD": "a third one",
            "APP_SECRET_": "no name",
            "APP_SECRET_lower": "no name either",
            "APP_SECRET_A__B__C": "two lockers",
            "APP_SECRETS": "not below the prefix",
            "APP_SECRET": "not below the prefix",
            "HOME": "/somewhere",
        }
        return Environment(EnvironmentOptions.from_env(environ, url="env://APP_SECRET"))
