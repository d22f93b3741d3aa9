"""wasi:vault for qwasr: what guests import, what backends implement, and three backends that need no service.

- `protocol`: `Vault` and `Locker`, which a backend implements; `errors`: what it raises.
- `compliance`: the test classes that prove a backend.
- `host`: the WIT functions; `limits`: their bounds.
- `memory`, `environment`, `file`: the embedded backends, `Memory`, `Environment` and `EncryptedFile`.
- `fake`: the vault that tests of guests use.
"""

from __future__ import annotations

from qwasr_vault.environment import Environment, EnvironmentOptions
from qwasr_vault.errors import AccessDenied, NoSuchLocker, TooLarge, Unavailable, VaultError
from qwasr_vault.file import EncryptedFile
from qwasr_vault.file_options import FileOptions
from qwasr_vault.memory import Memory, MemoryOptions
from qwasr_vault.protocol import Locker, Vault

__all__ = [
    "AccessDenied",
    "EncryptedFile",
    "Environment",
    "EnvironmentOptions",
    "FileOptions",
    "Locker",
    "Memory",
    "MemoryOptions",
    "NoSuchLocker",
    "TooLarge",
    "Unavailable",
    "Vault",
    "VaultError",
]
