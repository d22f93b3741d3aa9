"""Every vault that can be written against a model: a dictionary of what each secret has to be."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from interfaces.vault.tests.files import KEY
from qwasr_vault import EncryptedFile, FileOptions, Memory
from qwasr_vault.fake import FakeVault

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from qwasr_vault import Vault

T = TypeVar("T")
LOCKERS = ("a", "a/b", "ключ")
NAMES = ("c", "b/c", "\x00", "🗝")
VALUES = st.binary(max_size=12)


class VaultMachine(RuleBasedStateMachine):
    """Every operation in any order, through two connections where there can be two."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model: dict[tuple[str, str], bytes] = {}
        self.vaults = self.connected()

    @abstractmethod
    def connected(self) -> list[Vault]:
        """Return one vault by each connection to it."""

    def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    @rule(by=st.integers(0, 1), locker=st.sampled_from(LOCKERS), name=st.sampled_from(NAMES), value=VALUES)
    def set(self, by: int, locker: str, name: str, value: bytes) -> None:
        async def work() -> None:
            await (await self.vaults[by % len(self.vaults)].open_locker(locker)).set(name, value)

        self.done(work())
        self.model[locker, name] = value

    @rule(by=st.integers(0, 1), locker=st.sampled_from(LOCKERS), name=st.sampled_from(NAMES))
    def delete(self, by: int, locker: str, name: str) -> None:
        async def work() -> None:
            await (await self.vaults[by % len(self.vaults)].open_locker(locker)).delete(name)

        self.done(work())
        self.model.pop((locker, name), None)

    @invariant()
    def every_secret_is_as_the_model_says(self) -> None:
        async def work() -> None:
            for vault in self.vaults:
                for name in LOCKERS:
                    locker = await vault.open_locker(name)
                    secrets = {secret: value for (where, secret), value in self.model.items() if where == name}
                    assert await locker.list_ids() == sorted(secrets)
                    for secret in NAMES:
                        assert await locker.get(secret) == secrets.get(secret)
                        assert await locker.exists(secret) is (secret in secrets)

        self.done(work())

    def teardown(self) -> None:
        self.runner.close()


class MemoryMachine(VaultMachine):
    def connected(self) -> list[Vault]:
        self.memory = Memory()
        return [self.memory]

    @invariant()
    def an_empty_vault_uses_no_bytes(self) -> None:
        assert bool(self.memory.used_bytes) is bool(self.model)


class FakeMachine(VaultMachine):
    def connected(self) -> list[Vault]:
        self.fake = FakeVault()
        return [self.fake]

    @rule(locker=st.sampled_from(LOCKERS), name=st.sampled_from(NAMES), value=VALUES)
    def arrange(self, locker: str, name: str, value: bytes) -> None:
        self.fake[locker][name] = value
        self.model[locker, name] = value

    @invariant()
    def a_test_sees_what_the_guest_sees(self) -> None:
        seen = {(locker, name): value for locker, secrets in self.fake.items() for name, value in secrets.items()}
        assert seen == self.model


class FileMachine(VaultMachine):
    def connected(self) -> list[Vault]:
        self.folder = Path(tempfile.mkdtemp())
        return [self.opened(), self.opened()]

    def opened(self) -> EncryptedFile:
        options = FileOptions(url=f"file:///{self.folder / 'vault'}", key=KEY.hex())
        return self.done(EncryptedFile.connect(options))

    @rule(which=st.integers(0, 1))
    def open_again(self, which: int) -> None:
        vault = self.vaults[which]
        assert isinstance(vault, EncryptedFile)
        self.done(vault.close())
        self.vaults[which] = self.opened()

    def teardown(self) -> None:
        for vault in self.vaults:
            assert isinstance(vault, EncryptedFile)
            self.done(vault.close())
        super().teardown()
        shutil.rmtree(self.folder)


TestMemoryAgainstItsModel = MemoryMachine.TestCase
TestMemoryAgainstItsModel.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestFakeAgainstItsModel = FakeMachine.TestCase
TestFakeAgainstItsModel.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestFileAgainstItsModel = FileMachine.TestCase
TestFileAgainstItsModel.settings = settings(max_examples=8, stateful_step_count=15, deadline=None)
