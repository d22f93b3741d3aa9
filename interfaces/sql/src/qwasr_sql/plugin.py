"""The entry point: what this distribution brings to the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwasr.hooks import Fake, Interface, hookimpl
from qwasr_sql.sqlite import Sqlite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr.hosting import HostInterface
    from qwasr.protocols import Backend
    from qwasr.testing.clock import Clock
    from qwasr_sql.fake import FakeSql

KERNEL_API = 1


def _hosts() -> Sequence[type[HostInterface]]:
    from qwasr_sql import host

    return (host.Types, host.Readwrite)


def _fake(clock: Clock) -> FakeSql:
    from qwasr_sql.fake import FakeSql

    return FakeSql(clock)


@hookimpl
def qwasr_register_interfaces() -> list[Interface]:
    """Register wasi:sql."""
    return [
        Interface(
            name="sql",
            wit=("wasi:sql/types", "wasi:sql/readwrite"),
            hosts=_hosts,
            default=Sqlite.name,
            help="statements with bound parameters, in a database file or in memory",
        )
    ]


@hookimpl
def qwasr_register_backends() -> list[type[Backend]]:
    """Register SQLite."""
    return [Sqlite]


@hookimpl
def qwasr_register_fakes() -> list[Fake]:
    """Offer databases to tests, in memory and to be looked into."""
    return [Fake(interface="sql", make=_fake)]
