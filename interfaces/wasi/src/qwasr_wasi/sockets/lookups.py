"""Look-ups of host names, a bounded number at once.

The system's resolver works in a thread that nothing can end, so a look-up counts until that thread is done, also when
the guest that asked has given up or is gone.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from qwasr.values import WitError
from qwasr_wasi.resolving import GuestResolver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr_wasi.addresses import Address

__all__ = ["Lookups", "Resolve"]

Resolve = Callable[[str], Awaitable["Sequence[str]"]]
"""Returns the addresses of a name, best first; raises `socket.gaierror` as the system's resolver does."""

_MAX_LOOKUPS: Final = 32
_MAX_ADDRESSES: Final = 64
_CODES: Final = {
    getattr(socket, name): code
    for code, names in {
        "name-unresolvable": "EAI_NONAME EAI_NODATA EAI_ADDRFAMILY",
        "temporary-resolver-failure": "EAI_AGAIN",
        "permanent-resolver-failure": "EAI_FAIL",
        "out-of-memory": "EAI_MEMORY",
    }.items()
    for name in names.split()
    if hasattr(socket, name)
}


class Lookups:
    """All look-ups under way.

    Args:
        timeout_s: how long a guest waits for one, in seconds.
        resolve: answers the addresses of a name; the system's resolver when not given.
    """

    def __init__(self, timeout_s: float, resolve: Resolve | None = None) -> None:
        self._timeout_s = timeout_s
        self._resolve = resolve or self._ask_system
        self._resolver = GuestResolver(_MAX_LOOKUPS)
        self._asking: set[asyncio.Task[Sequence[str]]] = set()

    @property
    def under_way(self) -> int:
        """How many there are."""
        return len(self._asking)

    async def look_up(self, name: str) -> list[Address]:
        """Return the addresses of a name, best first, IPv4 ones as such.

        Raises:
            WitError: what the resolver says; `temporary-resolver-failure` too when it does not answer in time, or when
                too many look-ups are under way.
        """
        if len(self._asking) >= _MAX_LOOKUPS:
            raise WitError("temporary-resolver-failure")
        task = asyncio.ensure_future(self._ask(name))
        self._asking.add(task)
        task.add_done_callback(self._asked)
        done, _ = await asyncio.wait({task}, timeout=self._timeout_s)
        if not done:
            raise WitError("temporary-resolver-failure")
        try:
            found = task.result()
        except socket.gaierror as error:
            raise WitError(_CODES.get(error.errno, "unknown")) from None
        except OSError:
            raise WitError("temporary-resolver-failure") from None
        addresses = [ipaddress.ip_address(text.partition("%")[0]) for text in found[:_MAX_ADDRESSES]]
        usable = [address for address in addresses if not (address.version == 6 and address.ipv4_mapped)]
        if not usable:
            raise WitError("name-unresolvable")
        return list(dict.fromkeys(usable))

    async def close(self) -> None:
        """End them, as far as that can be done."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def _asked(self, task: asyncio.Task[Sequence[str]]) -> None:
        self._asking.discard(task)
        if not task.cancelled():
            task.exception()  # known now, in case nobody waits for it any more

    async def _ask(self, name: str) -> Sequence[str]:
        return await self._resolve(name)

    async def _ask_system(self, name: str) -> Sequence[str]:
        answers = await self._resolver.getaddrinfo(name, type=socket.SOCK_STREAM)
        return [str(address[0]) for *_, address in answers]
