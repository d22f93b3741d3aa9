"""The entry point: what this distribution brings to the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwasr.hooks import Fake, Interface, hookimpl
from qwasr_blobstore.folder import Folder
from qwasr_blobstore.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr.hosting import HostInterface
    from qwasr.protocols import Backend
    from qwasr.testing.clock import Clock
    from qwasr_blobstore.fake import FakeBlobstore

KERNEL_API = 1


def _hosts() -> Sequence[type[HostInterface]]:
    from qwasr_blobstore import host, values

    return (values.Types, host.ContainerInterface, host.Blobstore)


def _fake(clock: Clock) -> FakeBlobstore:
    from qwasr_blobstore.fake import FakeBlobstore

    return FakeBlobstore(clock)


@hookimpl
def qwasr_register_interfaces() -> list[Interface]:
    """Register wasi:blobstore."""
    return [
        Interface(
            name="blobstore",
            wit=("wasi:blobstore/types", "wasi:blobstore/container", "wasi:blobstore/blobstore"),
            hosts=_hosts,
            default=Memory.name,
            help="objects of any size in named containers",
        )
    ]


@hookimpl
def qwasr_register_backends() -> list[type[Backend]]:
    """Register the embedded stores."""
    return [Memory, Folder]


@hookimpl
def qwasr_register_fakes() -> list[Fake]:
    """Register what tests use in the place of a service."""
    return [Fake(interface="blobstore", make=_fake)]
