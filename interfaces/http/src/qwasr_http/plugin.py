"""What this distribution plugs in: the interface `http`, its client backend, its server, its fake.

Nothing is imported here that imports aiohttp: the client does when it connects, the server when it starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwasr.hooks import Fake, Interface, hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr.hosting import HostInterface
    from qwasr.protocols import Backend, Server
    from qwasr.testing.clock import Clock
    from qwasr_http.fake import FakeHttp

KERNEL_API: Final = 1


def _hosts() -> Sequence[type[HostInterface]]:
    from qwasr_http.host import OutgoingHandler, Types

    return Types, OutgoingHandler


def _fake(clock: Clock) -> FakeHttp:
    from qwasr_http.fake import FakeHttp

    return FakeHttp(clock)


def _fake_servers() -> Sequence[type[Server]]:
    from qwasr_http.in_process import InProcessServer

    return (InProcessServer,)


@hookimpl
def qwasr_register_interfaces() -> list[Interface]:
    """Register `wasi:http`."""
    return [
        Interface(
            name="http",
            wit=("wasi:http/types", "wasi:http/outgoing-handler"),
            hosts=_hosts,
            default="aiohttp",
            stores=False,
            help="requests in and out of guests",
        )
    ]


@hookimpl
def qwasr_register_backends() -> list[type[Backend]]:
    """Register the client of outgoing requests."""
    from qwasr_http.client import AiohttpClient

    return [AiohttpClient]


@hookimpl
def qwasr_register_servers() -> list[type[Server]]:
    """Register the server of incoming requests."""
    from qwasr_http.server import HttpServer

    return [HttpServer]


@hookimpl
def qwasr_register_fakes() -> list[Fake]:
    """Register HTTP without a network."""
    return [
        Fake(
            interface="http",
            make=_fake,
            servers=_fake_servers,
            shortcuts=("request", "get", "head", "post", "put", "patch", "delete"),
        )
    ]
