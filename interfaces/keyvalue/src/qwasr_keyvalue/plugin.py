"""The entry point: what this distribution brings to the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwasr.hooks import Fake, Interface, hookimpl
from qwasr_keyvalue.default import Memory
from qwasr_keyvalue.sqlite import Sqlite
from qwasr_keyvalue.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr.hosting import HostInterface
    from qwasr.protocols import Backend, Server
    from qwasr.testing.clock import Clock
    from qwasr_keyvalue.fake import FakeKeyValue

KERNEL_API = 1


def _hosts() -> Sequence[type[HostInterface]]:
    from qwasr_keyvalue import draft, host

    return (host.Store, host.Atomics, host.Batch, draft.Store, draft.Atomics)


def _fake(clock: Clock) -> FakeKeyValue:
    from qwasr_keyvalue.fake import FakeKeyValue

    return FakeKeyValue(clock)


@hookimpl
def qwasr_register_interfaces() -> list[Interface]:
    """Register wasi:keyvalue in both drafts."""
    return [
        Interface(
            name="keyvalue",
            wit=("wasi:keyvalue/store", "wasi:keyvalue/atomics", "wasi:keyvalue/batch"),
            hosts=_hosts,
            default=Memory.name,
            help="keys and values in named buckets, counters, compare-and-swap",
        )
    ]


@hookimpl
def qwasr_register_backends() -> list[type[Backend]]:
    """Register the embedded stores."""
    return [Memory, Sqlite]


@hookimpl
def qwasr_register_servers() -> list[type[Server]]:
    """Register who tells guests of changes."""
    return [Watcher]


@hookimpl
def qwasr_register_fakes() -> list[Fake]:
    """Offer a store to tests, in the place of a service."""
    return [Fake(interface="keyvalue", make=_fake)]
