"""The entry point: what this distribution brings to the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwasr.hooks import Fake, Interface, hookimpl
from qwasr_messaging.memory import Memory
from qwasr_messaging.server import Handler
from qwasr_messaging.sqlite import Sqlite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr.hosting import HostInterface
    from qwasr.protocols import Backend, Server
    from qwasr.testing.clock import Clock
    from qwasr_messaging.fake import FakeMessaging

KERNEL_API = 1


def _hosts() -> Sequence[type[HostInterface]]:
    from qwasr_messaging import host

    return (host.Types, host.Producer, host.RequestReply)


def _fake(clock: Clock) -> FakeMessaging:
    from qwasr_messaging.fake import FakeMessaging

    return FakeMessaging(clock)


@hookimpl
def qwasr_register_interfaces() -> list[Interface]:
    """Register wasi:messaging."""
    return [
        Interface(
            name="messaging",
            wit=("wasi:messaging/types", "wasi:messaging/producer", "wasi:messaging/request-reply"),
            hosts=_hosts,
            default=Memory.name,
            help="messages by topic to groups of handlers, at least once; requests and replies",
        )
    ]


@hookimpl
def qwasr_register_backends() -> list[type[Backend]]:
    """Register the embedded brokers."""
    return [Memory, Sqlite]


@hookimpl
def qwasr_register_servers() -> list[type[Server]]:
    """Register who calls the guest's handler."""
    return [Handler]


@hookimpl
def qwasr_register_fakes() -> list[Fake]:
    """Offer a broker to tests that shows what a guest sent."""
    return [Fake(interface="messaging", make=_fake)]
