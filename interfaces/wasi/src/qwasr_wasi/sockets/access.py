"""The network as guests have it: by rule, a bounded number of sockets, and nothing left when it closes."""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary, finalize

from qwasr.call import CallInfo, current_call
from qwasr.values import WitError
from qwasr_wasi.sockets.codes import wit_error
from qwasr_wasi.sockets.endpoints import Endpoint
from qwasr_wasi.sockets.lookups import Lookups
from qwasr_wasi.sockets.rules import SocketRules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qwasr_wasi.addresses import Address
    from qwasr_wasi.sockets.lookups import Resolve
    from qwasr_wasi.sockets.rules import Protocol
    from qwasr_wasi.sockets.wire_addresses import Family

__all__ = ["CallSockets", "SocketAccess"]

LINGER_S: Final = 3.0
"""How long what a guest wrote may take to go out after it let go of its connection, in seconds."""

_MAX_KNOWN_ADDRESSES: Final = 1024
_FAMILIES: Final = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
_KINDS: Final = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


class CallSockets:
    """What one call of a guest has of the network.

    Attributes:
        held: how many sockets and look-ups it holds.
        endpoints: the sockets among them.
    """

    __slots__ = ("_names", "endpoints", "held")

    def __init__(self) -> None:
        self.held = 0
        self.endpoints: set[Endpoint] = set()
        self._names: OrderedDict[Address, set[str]] = OrderedDict()

    def remember(self, name: str, addresses: Iterable[Address]) -> None:
        """Keep which addresses a look-up answered for a name; the oldest are forgotten when there are many."""
        for address in addresses:
            self._names.setdefault(address, set()).add(name)
            self._names.move_to_end(address)
        while len(self._names) > _MAX_KNOWN_ADDRESSES:
            self._names.popitem(last=False)

    def names_of(self, address: Address) -> set[str]:
        """Return the names for which a look-up answered this address."""
        return self._names.get(address, set())

    def close(self) -> None:
        """Close what no resource of the guest holds: one that could not be handed to it has nobody to drop it."""
        for endpoint in tuple(self.endpoints):
            if not endpoint.lingers:
                endpoint.close()


class SocketAccess:
    """Makes guests' sockets, and closes all that are left.

    Args:
        rules: what guests may do.
        max_sockets: how many sockets all guests have at once.
        max_call_sockets: how many sockets and look-ups one call of a guest has at once.
        resolve_timeout_s: how long one look-up of a name may take, in seconds.
        resolve: answers the addresses of a name; the system's resolver when not given.
    """

    def __init__(
        self,
        rules: SocketRules | None = None,
        *,
        max_sockets: int = 1024,
        max_call_sockets: int = 64,
        resolve_timeout_s: float = 10.0,
        resolve: Resolve | None = None,
    ) -> None:
        self.rules = rules or SocketRules()
        self.lookups = Lookups(resolve_timeout_s, resolve)
        self._max_sockets = max_sockets
        self._max_call_sockets = max_call_sockets
        self._live: set[Endpoint] = set()
        self._lingering: dict[Endpoint, asyncio.TimerHandle] = {}
        self._settled: asyncio.Event | None = None  # set when nothing lingers any more
        self._calls: WeakKeyDictionary[CallInfo, CallSockets] = WeakKeyDictionary()
        self._outside = CallSockets()  # of an engine without a runtime around it

    @property
    def open_sockets(self) -> int:
        """How many sockets there are."""
        return len(self._live)

    def of_call(self) -> CallSockets:
        """Return what the running call has of the network."""
        try:
            call = current_call()
        except LookupError:
            return self._outside
        mine = self._calls.get(call)
        if mine is None:
            mine = self._calls[call] = CallSockets()
            finalize(call, mine.close).atexit = False
        return mine

    def check_room(self, mine: CallSockets) -> None:
        """Return if the call may have one more socket or look-up.

        Raises:
            WitError: `new-socket-limit`.
        """
        if mine.held >= self._max_call_sockets:
            raise WitError("new-socket-limit")

    def create(self, mine: CallSockets, protocol: Protocol, family: Family) -> Endpoint:
        """Return a new socket.

        Raises:
            WitError: `access-denied`: no rule has a use for it; `new-socket-limit`; or what the system says.
        """
        if not self.rules.may_have_socket(protocol):
            raise WitError("access-denied")

        def make() -> socket.socket:
            made = socket.socket(_FAMILIES[family], _KINDS[protocol])
            if family == "ipv6":
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if protocol == "tcp":  # WASI has no option for it: a server that is started again finds its port free
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            return made

        return self.adopt(mine, make)

    def adopt(self, mine: CallSockets, make: Callable[[], socket.socket]) -> Endpoint:
        """Return the socket that `make` returns, counted.

        Raises:
            WitError: `new-socket-limit`, and `make` was not called; or what the system says.
        """
        self.check_room(mine)
        if len(self._live) >= self._max_sockets:
            raise WitError("new-socket-limit")
        try:
            made = make()
        except OSError as error:
            raise wit_error(error) from None
        made.setblocking(False)

        def closed(endpoint: Endpoint) -> None:
            mine.held -= 1
            mine.endpoints.discard(endpoint)
            self._live.discard(endpoint)
            timer = self._lingering.pop(endpoint, None)
            if timer is not None:
                timer.cancel()
                if self._settled is not None and not self._lingering:
                    self._settled.set()

        endpoint = Endpoint(made, closed)
        mine.held += 1
        mine.endpoints.add(endpoint)
        self._live.add(endpoint)
        return endpoint

    def linger(self, endpoint: Endpoint) -> None:
        """Give an endpoint whose guest is gone some time to send what it has."""
        if not endpoint.closed and not endpoint.lingers:
            endpoint.lingers = True
            loop = asyncio.get_running_loop()
            self._lingering[endpoint] = loop.call_later(LINGER_S, endpoint.close)

    async def close(self) -> None:
        """Let what lingers go out, for at most `LINGER_S`; then close every socket and end every look-up."""
        if self._lingering:
            self._settled = asyncio.Event()
            await self._settled.wait()  # each has its own time limit
        for endpoint in tuple(self._live):
            endpoint.close()
        await self.lookups.close()
