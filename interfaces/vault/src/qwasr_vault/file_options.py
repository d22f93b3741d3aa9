"""The settings of the encrypted file: where it is, and what opens it."""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qwasr.errors import OptionError
from qwasr.files import path_of_url
from qwasr.options import ConnectOptions, env

__all__ = ["FileOptions"]

_KEY_BYTES: Final = 32
_MIN_PASSPHRASE: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions(ConnectOptions):
    """Where the file is, and what opens it."""

    url: str = env(
        "VAULT_URL", address=True, help="the file: file:///relative or file:////absolute; made when not there"
    )
    key: str | None = env(
        "VAULT_KEY", default=None, secret=True, help="the key: 32 random bytes as 64 hexadecimal digits or as base64"
    )
    passphrase: str | None = env(
        "VAULT_PASSPHRASE",
        default=None,
        secret=True,
        help="a passphrase instead of a key, 12 characters at least; opening takes half a second and 128 MiB",
    )
    generation_dir: Path | None = env(
        "VAULT_GENERATION_DIR",
        default=None,
        help="folder of the file that tells an older copy of the vault; best on another disk; the vault's unless set",
    )
    accept_older: bool = env(
        "VAULT_ACCEPT_OLDER", default=False, help="make an older copy of the file the vault; meant for one start"
    )
    timeout_s: float = env(
        "VAULT_FILE_TIMEOUT_S",
        default=3.0,
        minimum=0.01,
        maximum=3600,
        help="how long one operation may take, waiting for other processes included, seconds",
    )

    @property
    def path(self) -> Path:
        """Return the file that the URL names.

        Raises:
            OptionError: it names none.
        """
        return path_of_url(self.url, "file", "VAULT_URL")

    def given(self) -> tuple[bytes, bool]:
        """Return the key or the passphrase, and whether it is the passphrase.

        Raises:
            OptionError: there is none, or both, or it is not of the right form.
        """
        if (self.key is None) == (self.passphrase is None):
            msg = "an encrypted vault needs VAULT_KEY or VAULT_PASSPHRASE (or one of them with _FILE behind it)"
            raise OptionError(msg)
        if self.passphrase is not None:
            if len(self.passphrase) < _MIN_PASSPHRASE:
                msg = f"VAULT_PASSPHRASE is shorter than {_MIN_PASSPHRASE} characters"
                raise OptionError(msg)
            return self.passphrase.encode(errors="surrogateescape"), True
        text = (self.key or "").strip()
        try:
            key = bytes.fromhex(text) if len(text) == 2 * _KEY_BYTES else b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            key = b""
        if len(key) != _KEY_BYTES:
            msg = "VAULT_KEY is not 32 bytes as 64 hexadecimal digits or as base64; `openssl rand -hex 32` makes one"
            raise OptionError(msg)
        return key, False
