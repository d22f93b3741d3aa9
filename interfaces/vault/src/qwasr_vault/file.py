"""The embedded vault that lasts: an encrypted file.

`QWASR_VAULT=file:///path` chooses it; `VAULT_KEY` or `VAULT_PASSPHRASE` opens it. Several workers and processes may
share one. See `qwasr_vault._sealed` for its form.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar, Final, Generic, Self, TypeVar

from qwasr.errors import BackendError
from qwasr_vault.errors import AccessDenied, Unavailable, VaultError
from qwasr_vault.file_options import FileOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwasr.options import ConnectOptions
    from qwasr_vault._sealed import Entries
    from qwasr_vault._vault_file import VaultFile

__all__ = ["EncryptedFile", "FileLocker"]

_READERS: Final = 4  # each holds the whole file, decrypted, for some milliseconds
_log = logging.getLogger("qwasr.vault")
T = TypeVar("T")


class _Hidden(Generic[T]):
    """What a thread returns: asyncio shows the results of futures in its debug log, and no secret has to be there."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value


class EncryptedFile:
    """Secrets in an encrypted file.

    Args:
        file: the open file.
        timeout_s: how long one operation may take, in seconds.
    """

    name: ClassVar[str] = "file"
    provides: ClassVar[tuple[str, ...]] = ("vault",)
    schemes: ClassVar[tuple[str, ...]] = ("file",)
    Options: ClassVar[type[ConnectOptions]] = FileOptions

    def __init__(self, file: VaultFile, timeout_s: float) -> None:
        self._file = file
        self._timeout_s = timeout_s
        # Threads of its own: a disk that hangs takes them, and not those that everybody shares.
        self._readers = ThreadPoolExecutor(_READERS, "qwasr-vault")
        self._writer = ThreadPoolExecutor(1, "qwasr-vault-writer")
        self._complaints: dict[ThreadPoolExecutor, str] = {}  # what the operator was told last, of each

    @classmethod
    async def connect(cls, options: FileOptions) -> Self:
        """Open the file, or make it.

        Raises:
            BackendError: it cannot be used, or its key is another one.
            OptionError: the options name no file, or no key.
        """
        from qwasr_vault._vault_file import VaultFile

        path = options.path
        given, passphrase = options.given()

        def opened() -> _Hidden[VaultFile]:
            return _Hidden(
                VaultFile(
                    path,
                    given,
                    passphrase=passphrase,
                    generation_dir=options.generation_dir,
                    accept_older=options.accept_older,
                    lock_wait_s=options.timeout_s,
                )
            )

        try:
            return cls((await asyncio.to_thread(opened)).value, options.timeout_s)
        except VaultError as error:
            raise BackendError(f"{path}: {error}") from None

    async def check(self) -> None:
        """Raise `BackendError` when the file cannot be used."""
        try:
            await self.read("", lambda _: None)
        except VaultError as error:
            raise BackendError(str(error)) from None

    async def close(self) -> None:
        """Let what is being written come to its end, and begin nothing."""
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._writer.shutdown(wait=False, cancel_futures=True)

    async def open_locker(self, identifier: str) -> FileLocker:
        """Return the locker of that name."""
        return FileLocker(self, identifier)

    async def read(self, locker: str, pick: Callable[[dict[str, bytes]], T]) -> T:
        """Return what a function picks from a locker's secrets."""
        return await self._in_thread(self._readers, lambda: pick(self._file.read().get(locker, {})))

    async def change(self, work: Callable[[Entries], bool]) -> None:
        """Change what is in the file, and write it unless the function says that it changed nothing."""
        await self._in_thread(self._writer, lambda: self._file.change(work))

    async def _in_thread(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                # Cancelled before a thread has taken it, it never begins.
                answer = await asyncio.get_running_loop().run_in_executor(threads, lambda: _Hidden(work()))
        except TimeoutError:
            error = Unavailable(f"the vault is unavailable: its file does not answer within {self._timeout_s:g} s")
            self._complain(threads, error)
            raise error from None
        except (AccessDenied, Unavailable) as error:
            self._complain(threads, error)
            raise
        self._complaints.pop(threads, None)
        return answer.value

    def _complain(self, threads: ThreadPoolExecutor, error: VaultError) -> None:
        """Tell the operator too; once, until it has gone well again."""
        if self._complaints.get(threads) != str(error):
            self._complaints[threads] = str(error)
            _log.error("%s", error)


class FileLocker:
    """One locker of an `EncryptedFile`."""

    def __init__(self, vault: EncryptedFile, name: str) -> None:
        self._vault = vault
        self._name = name

    async def get(self, secret_id: str) -> bytes | None:
        """Return the secret, or `None`."""
        return await self._vault.read(self._name, lambda secrets: secrets.get(secret_id))

    async def set(self, secret_id: str, value: bytes) -> None:
        """Set the secret."""
        value = bytes(value)

        def put(entries: Entries) -> bool:
            entries.setdefault(self._name, {})[secret_id] = value
            return True

        await self._vault.change(put)

    async def delete(self, secret_id: str) -> None:
        """Delete the secret if it exists."""

        def remove(entries: Entries) -> bool:
            names = entries.get(self._name, {})
            if names.pop(secret_id, None) is None:
                return False
            if not names:
                del entries[self._name]
            return True

        await self._vault.change(remove)

    async def exists(self, secret_id: str) -> bool:
        """Return whether there is a secret of that name."""
        return await self._vault.read(self._name, lambda secrets: secret_id in secrets)

    async def list_ids(self) -> list[str]:
        """Return the names of all secrets."""
        return await self._vault.read(self._name, sorted)
