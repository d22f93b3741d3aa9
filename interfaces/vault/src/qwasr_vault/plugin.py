"""The entry point: what this distribution brings to the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwasr.hooks import Fake, Interface, hookimpl
from qwasr_vault.environment import Environment
from qwasr_vault.file import EncryptedFile
from qwasr_vault.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr.hosting import HostInterface
    from qwasr.protocols import Backend
    from qwasr.testing.clock import Clock
    from qwasr_vault.fake import FakeVault

KERNEL_API = 1


def _hosts() -> Sequence[type[HostInterface]]:
    from qwasr_vault import host

    return (host.Vault,)


def _fake(clock: Clock) -> FakeVault:
    from qwasr_vault.fake import FakeVault

    return FakeVault(clock)


@hookimpl
def qwasr_register_interfaces() -> list[Interface]:
    """Register wasi:vault."""
    return [
        Interface(
            name="vault",
            wit=("wasi:vault/vault",),
            hosts=_hosts,
            default=Memory.name,
            help="secrets in named lockers",
        )
    ]


@hookimpl
def qwasr_register_backends() -> list[type[Backend]]:
    """Register the embedded vaults."""
    return [Memory, Environment, EncryptedFile]


@hookimpl
def qwasr_register_fakes() -> list[Fake]:
    """Offer a vault to tests, in the place of a service."""
    return [Fake(interface="vault", make=_fake)]
