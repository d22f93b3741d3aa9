"""Secrets from environment variables, to be read and not written: `QWASR_VAULT=env://APP_SECRET`.

The secret `db-password` of the locker `default` is `APP_SECRET_DB_PASSWORD`; that of the locker `billing` is
`APP_SECRET_BILLING__DB_PASSWORD`. Names of other lockers and secrets than letters, digits and single hyphens have no
variable, so that no two names share one.
"""

from __future__ import annotations

import dataclasses
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, Self
from urllib.parse import urlsplit

from qwasr.errors import OptionError
from qwasr.options import ConnectOptions, env
from qwasr_vault.errors import AccessDenied

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Environment", "EnvironmentOptions"]

_PREFIX: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_VARIABLE: Final = re.compile(r"[A-Z0-9]+(?:_[A-Z0-9]+)*")
_DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentOptions(ConnectOptions):
    """Which variables are secrets.

    Attributes:
        url: says what they begin with.
        secrets: those that do, by variable; `from_env` fills it.
    """

    url: str = env("VAULT_ENV_URL", address=True, help="env://PREFIX: variables that begin with PREFIX_ are secrets")
    secrets: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Check the prefix."""
        super(EnvironmentOptions, self).__post_init__()
        parts = urlsplit(self.url)
        rest = parts.path.removeprefix("/") or parts.query or parts.fragment
        if parts.scheme != "env" or rest or _PREFIX.fullmatch(parts.netloc) is None:
            msg = "VAULT_ENV_URL: write env://PREFIX, in capital letters, digits and underscores"
            raise OptionError(msg)

    def __repr__(self) -> str:
        """Return the prefix, and no secret."""
        return f"EnvironmentOptions(prefix={self.prefix!r})"

    @property
    def prefix(self) -> str:
        """Return what the variables begin with, underscore included."""
        return urlsplit(self.url).netloc.rstrip("_") + "_"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Self:
        """Read the prefix, and the variables that begin with it."""
        source = os.environ if environ is None else environ
        options = super(EnvironmentOptions, cls).from_env(source, **overrides)
        if "secrets" in overrides:
            return options
        found = tuple(sorted(item for item in source.items() if item[0].startswith(options.prefix)))
        return dataclasses.replace(options, secrets=found)


class Environment:
    """Secrets in variables.

    Args:
        options: what the variables begin with, and their values.
    """

    name: ClassVar[str] = "env"
    provides: ClassVar[tuple[str, ...]] = ("vault",)
    schemes: ClassVar[tuple[str, ...]] = ("env",)
    Options: ClassVar[type[ConnectOptions]] = EnvironmentOptions

    def __init__(self, options: EnvironmentOptions) -> None:
        self._prefix = options.prefix
        self._variables = {name: os.fsencode(value) for name, value in options.secrets}

    @classmethod
    async def connect(cls, options: EnvironmentOptions) -> Self:
        """Return the vault; there is nothing to connect."""
        return cls(options)

    async def check(self) -> None:
        """Be usable."""

    async def close(self) -> None:
        """Nothing is open."""

    async def open_locker(self, identifier: str) -> EnvironmentLocker:
        """Return the locker of that name; it is empty when no variable can be in it."""
        if identifier == _DEFAULT:
            return EnvironmentLocker(self._prefix, self._variables)
        if _NAME.fullmatch(identifier) is None:
            return EnvironmentLocker(None, self._variables)
        return EnvironmentLocker(f"{self._prefix}{_upper(identifier)}__", self._variables)


class EnvironmentLocker:
    """One locker of an `Environment`."""

    def __init__(self, prefix: str | None, variables: Mapping[str, bytes]) -> None:
        self._prefix = prefix
        self._variables = variables

    async def get(self, secret_id: str) -> bytes | None:
        """Return the secret, or `None`."""
        if self._prefix is None or _NAME.fullmatch(secret_id) is None:
            return None
        return self._variables.get(self._prefix + _upper(secret_id))

    async def set(self, secret_id: str, value: bytes) -> None:
        """Refuse."""
        _refuse()

    async def delete(self, secret_id: str) -> None:
        """Refuse."""
        _refuse()

    async def exists(self, secret_id: str) -> bool:
        """Return whether there is a secret of that name."""
        return await self.get(secret_id) is not None

    async def list_ids(self) -> list[str]:
        """Return the names of all secrets."""
        if self._prefix is None:
            return []
        rests = [name[len(self._prefix) :] for name in self._variables if name.startswith(self._prefix)]
        return sorted(rest.lower().replace("_", "-") for rest in rests if _VARIABLE.fullmatch(rest))


def _upper(name: str) -> str:
    return name.upper().replace("-", "_")


def _refuse() -> NoReturn:
    raise AccessDenied("the secrets of the environment are read, and not written")
