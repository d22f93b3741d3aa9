"""Reading and writing the encrypted file: whole or not at all, one process at a time, never an older generation.

Everything here blocks, and is called in threads.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from qwasr_vault._sealed import (
    MAX_FILE_BYTES,
    MAX_GENERATION_BYTES,
    Entries,
    Head,
    Key,
    head_of,
    key_of,
    read_generation,
    seal,
    unseal,
    write_generation,
)
from qwasr_vault._whole_files import locked, read_whole, replace_whole
from qwasr_vault.errors import TooLarge, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = ["VaultFile"]

_log = logging.getLogger("qwasr.vault")
_COURTESY_S: Final = 0.003  # between two writes of one process, so that others get their turn at the lock
_LEAP: Final = 2**20  # generations that may have been, where nobody wrote down how many there were


class VaultFile:
    """One encrypted file. Secrets are decrypted when they are asked for, and not kept.

    Args:
        path: the file; made when it is not there.
        given: the key, 32 bytes, or a passphrase.
        passphrase: which of the two.
        generation_dir: where the file with the last generation is; beside the vault when not given.
        accept_older: take the file as it is for good, though it is an older copy.
        lock_wait_s: how long a write waits for another process, in seconds.

    Raises:
        AccessDenied: this user may not use it.
        Unavailable: the file cannot be used.
    """

    def __init__(
        self,
        path: Path,
        given: bytes,
        *,
        passphrase: bool = False,
        generation_dir: Path | None = None,
        accept_older: bool = False,
        lock_wait_s: float = 2.0,
    ) -> None:
        # What a link leads to: renaming onto the link would leave its target behind.
        self._path = path = path.resolve()
        self._generation = (generation_dir or path.parent).resolve() / f"{path.name}.generation"
        self._lock_path = path.with_name(f"{path.name}.lock")
        self._lock_wait_s = lock_wait_s
        self._seeing = threading.Lock()
        self._seen = 0  # the last generation that this process has seen
        self._wrote_s = 0.0
        self._key = self._opened(given, passphrase=passphrase)
        if accept_older:
            self._accept()
        self.read()

    def read(self) -> Entries:
        """Return everything that is in the file.

        Raises:
            AccessDenied: this user may not read it.
            Unavailable: it is gone, damaged, older than what was there, or has another key.
        """
        return self._load()[1]

    def change(self, work: Callable[[Entries], bool]) -> None:
        """Change the entries and write them, unless the function says that it changed nothing.

        Only one thread at a time may call this.

        Raises:
            AccessDenied: this user may not write it.
            TooLarge: the file would be larger than its bound. Then it is as it was.
            Unavailable: as `read`, or another process keeps it locked, and it is as it was; or it cannot be written,
                and only if its generation could not be written down is it changed nevertheless.
        """
        time.sleep(max(0.0, self._wrote_s + _COURTESY_S - time.monotonic()))
        with self._alone():
            head, entries = self._load()
            if work(entries):
                self._write(entries, head, self._key)
        self._wrote_s = time.monotonic()

    def _opened(self, given: bytes, *, passphrase: bool) -> Key:
        """Return the file's key; make the file when there is none."""
        while True:
            data = read_whole(self._path, MAX_FILE_BYTES)
            head = Head.new() if data is None else head_of(data)[0]
            key = key_of(given, head, passphrase=passphrase)  # outside of the lock: it may take half a second
            if data is not None:
                return key
            with self._alone():
                if read_whole(self._path, MAX_FILE_BYTES) is None:
                    if read_whole(self._generation, MAX_GENERATION_BYTES) is not None:
                        raise Unavailable(
                            "the vault is unavailable: its file is gone, and only the file with its generation is "
                            "there; delete that too for a new, empty vault"
                        )
                    self._write({}, head, key)
                    return key
            # Another process has made it just now, with another salt.

    def _load(self) -> tuple[Head, Entries]:
        # What is known of the last generation comes first: whoever writes meanwhile makes the file newer than that.
        with self._seeing:
            seen = self._seen
        noted = read_whole(self._generation, MAX_GENERATION_BYTES)
        data = read_whole(self._path, MAX_FILE_BYTES)
        if data is None:
            raise Unavailable("the vault is unavailable: its file is gone")
        head, entries = unseal(data, self._key)
        if noted is None and head.generation > 1:
            # It may have been made just now; then it may also be newer than what was read, so it is not compared.
            if read_whole(self._generation, MAX_GENERATION_BYTES) is None:
                raise Unavailable(
                    "the vault is unavailable: the file with its generation is gone, so nobody knows whether the vault "
                    "is an older copy; if it is right, set VAULT_ACCEPT_OLDER=true for one start"
                )
        elif noted is not None:
            seen = max(seen, read_generation(noted, self._key))
        if head.generation < seen:
            raise Unavailable(
                f"the vault is unavailable: its file is an older copy (generation {head.generation}, the last was "
                f"{seen}); if it is right, set VAULT_ACCEPT_OLDER=true for one start"
            )
        with self._seeing:
            self._seen = max(self._seen, head.generation)
        return head, entries

    def _write(self, entries: Entries, head: Head, key: Key) -> None:
        new, data = seal(head, key, entries)
        if len(data) > MAX_FILE_BYTES:
            raise TooLarge(f"the vault would be larger than {MAX_FILE_BYTES} bytes")
        if head.generation and read_whole(self._generation, MAX_GENERATION_BYTES) is None:
            # Its maker was killed in between. Were this process killed too, nobody could tell whether it is older.
            replace_whole(self._generation, write_generation(head.generation, key))
        replace_whole(self._path, data)  # first: after a crash the file may be newer than the generation, never older
        replace_whole(self._generation, write_generation(new.generation, key))
        with self._seeing:
            self._seen = max(self._seen, new.generation)

    def _accept(self) -> None:
        """Make the file the newest, if it is not."""
        with self._alone():
            head, entries = unseal(read_whole(self._path, MAX_FILE_BYTES) or b"", self._key)
            noted = read_whole(self._generation, MAX_GENERATION_BYTES)
            try:
                last = (0 if head.generation == 1 else None) if noted is None else read_generation(noted, self._key)
            except Unavailable as error:
                _log.warning("%s", error)
                last = None
            if last is None:
                last = head.generation + _LEAP
            if head.generation < last:
                _log.warning("VAULT_ACCEPT_OLDER: an older copy of the vault is the vault from now on")
                # Newer than all that there were, or those that it is to forget could take its place one day.
                self._write(entries, replace(head, generation=last), self._key)

    def _alone(self) -> AbstractContextManager[None]:
        return locked(self._lock_path, self._lock_wait_s)
