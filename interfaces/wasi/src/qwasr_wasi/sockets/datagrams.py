"""The two streams of a UDP socket: datagrams in and out, for as long as they are the socket's latest pair."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qwasr.errors import GuestTrap
from qwasr.hosting import HostResource
from qwasr.values import Variant, WitError
from qwasr_wasi.poll import READY, Pollable, Unwatch, Wake
from qwasr_wasi.sockets.codes import wit_error
from qwasr_wasi.sockets.wire_addresses import SocketAddress

if TYPE_CHECKING:
    from qwasr_wasi.sockets.access import CallSockets, SocketAccess
    from qwasr_wasi.sockets.endpoints import Endpoint
    from qwasr_wasi.sockets.wire_addresses import Family

__all__ = ["Association", "IncomingDatagramStream", "OutgoingDatagramStream", "Senders"]

_MAX_DATAGRAMS: Final = 16  # what a host function may take of the time of all
_MAX_RESULT_BYTES: Final = 64 * 1024  # a call of `receive` asks for no further datagram from here on
_MAX_DATAGRAM_BYTES: Final = 65_536
_MAX_SENDERS: Final = 1024


@dataclass(frozen=True, slots=True)
class IncomingDatagram:
    """wasi:sockets/udp.incoming-datagram."""

    data: bytes
    remote_address: Variant


class Senders:
    """Whom a socket may send to, and hear from.

    A server answers whoever has written to it; a client hears only those that it may send to.

    Args:
        access: has the rules.
        mine: knows the names of addresses.
        listens: whether a rule lets strangers send to the socket's local address.
    """

    __slots__ = ("_access", "_known", "_listens", "_mine")

    def __init__(self, access: SocketAccess, mine: CallSockets, *, listens: bool) -> None:
        self._access = access
        self._mine = mine
        self._listens = listens
        self._known: OrderedDict[SocketAddress, None] = OrderedDict()  # whom it may send to, the latest

    def may_send(self, address: SocketAddress) -> bool:
        """Say whether a datagram may go there."""
        if address in self._known:
            return True
        names = self._mine.names_of(address.ip)
        if not self._access.rules.may_connect("udp", address.ip, address.port, names):
            return False
        self._keep(address)
        return True

    def hears(self, address: SocketAddress) -> bool:
        """Say whether a datagram from there is the guest's, and let it answer."""
        if not self._listens:
            return self.may_send(address)
        self._keep(address)
        return True

    def _keep(self, address: SocketAddress) -> None:
        self._known[address] = None
        self._known.move_to_end(address)
        if len(self._known) > _MAX_SENDERS:
            self._known.popitem(last=False)


class Association:
    """What a pair of streams is for.

    Args:
        endpoint: the socket.
        family: of its addresses.
        senders: whom it may send to.
        peer: the only one that it speaks with.

    Attributes:
        current: whether there is no later pair.
    """

    __slots__ = ("current", "endpoint", "family", "peer", "senders")

    def __init__(self, endpoint: Endpoint, family: Family, senders: Senders, peer: SocketAddress | None) -> None:
        self.endpoint = endpoint
        self.family: Family = family
        self.senders = senders
        self.peer = peer
        self.current = True


class _DatagramStream(HostResource):
    """What both streams are: a hold on the socket that may come to an end before the guest drops it."""

    __slots__ = ("_association", "_dropped", "_endpoint")

    def __init__(self, association: Association) -> None:
        self._association = association
        self._endpoint = association.endpoint.hold()
        self._dropped = False

    def subscribe(self) -> Pollable:
        """Return a pollable that is ready when there is something to receive, or room to send."""
        return Pollable(self)

    def drop(self) -> None:
        """Let the socket go; a pollable that is left over is ready."""
        self._dropped = True
        self._endpoint.let_go()

    def ready(self) -> bool:
        """Say whether nothing is to be waited for (the host's; a guest has `subscribe`)."""
        return not self._works or self._is_ready()

    def watch(self, wake: Wake) -> Unwatch:
        """Have `wake` called when `ready` (the host's; a guest has `subscribe`)."""
        return self._watch(wake) if self._works else READY.watch(wake)

    @property
    def _works(self) -> bool:
        return self._association.current and not (self._dropped or self._endpoint.closed)

    def _check(self) -> None:
        if not self._works:
            raise WitError("invalid-state")

    def _is_ready(self) -> bool:
        raise AssertionError  # a subclass has its own

    def _watch(self, wake: Wake) -> Unwatch:
        raise AssertionError  # as above


class IncomingDatagramStream(_DatagramStream):
    """wasi:sockets/udp.incoming-datagram-stream."""

    __slots__ = ("_failure",)

    def __init__(self, association: Association) -> None:
        super().__init__(association)
        self._failure: WitError | None = None

    def receive(self, max_results: int) -> list[IncomingDatagram]:
        """Return up to `max_results` datagrams that have arrived, at most 16, or about 64 KiB.

        Raises:
            WitError: `remote-unreachable`, `connection-refused`: an earlier datagram of ours did not arrive.
        """
        self._check()
        association = self._association
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        found: list[IncomingDatagram] = []
        size = 0
        for _ in range(min(max_results, _MAX_DATAGRAMS)):
            try:
                data, origin = self._endpoint.socket.recvfrom(_MAX_DATAGRAM_BYTES)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                if not found:
                    raise wit_error(error) from None
                self._failure = wit_error(error)
                break
            sender = SocketAddress.from_system(origin)
            # The system's own filter does not hold for what arrived before it was set.
            if association.peer not in (None, sender) or not association.senders.hears(sender):
                continue
            found.append(IncomingDatagram(data, sender.for_guest()))
            size += len(data)
            if size >= _MAX_RESULT_BYTES:
                break
        return found

    def _is_ready(self) -> bool:
        return self._failure is not None or self._endpoint.readable()

    def _watch(self, wake: Wake) -> Unwatch:
        return self._endpoint.watch_readable(wake)


class OutgoingDatagramStream(_DatagramStream):
    """wasi:sockets/udp.outgoing-datagram-stream."""

    __slots__ = ("_permitted",)

    def __init__(self, association: Association) -> None:
        super().__init__(association)
        self._permitted = 0

    def check_send(self) -> int:
        """Return how many datagrams the next `send` may have: 0 means wait for the pollable, 16 is the most."""
        self._check()
        self._permitted = _MAX_DATAGRAMS if self._endpoint.writable() else 0
        return self._permitted

    def send(self, datagrams: list[object]) -> int:
        """Send the datagrams one after the other; return how many were.

        Raises:
            GuestTrap: they are more than `check_send` permitted.
            WitError: not even the first was sent: `invalid-argument`: it has no address, or not the peer's;
                `access-denied`: no rule allows it; `datagram-too-large`; `remote-unreachable`; `connection-refused`.
        """
        if len(datagrams) > self._permitted:
            msg = f"outgoing-datagram-stream.send of {len(datagrams)} datagrams: more than check-send permitted"
            raise GuestTrap(msg)
        self._check()
        for sent, datagram in enumerate(datagrams):
            try:
                self._send(datagram)
            except (BlockingIOError, InterruptedError):
                self._permitted = 0
                return sent
            except (WitError, OSError) as error:
                if sent:
                    return sent  # the guest hears of the failure when it sends the rest
                raise wit_error(error) if isinstance(error, OSError) else error from None
            self._permitted -= 1
        return len(datagrams)

    def _send(self, datagram: object) -> None:
        data: bytes = datagram.data  # type: ignore[attr-defined]  # a record of the WIT, made at link time
        to: Variant | None = datagram.remote_address  # type: ignore[attr-defined]  # as above
        association = self._association
        address = None if to is None else SocketAddress.from_guest(to, association.family).as_remote()
        if association.peer is not None:
            if address not in (None, association.peer):
                raise WitError("invalid-argument")
            self._endpoint.socket.send(data)
            return
        if address is None:
            raise WitError("invalid-argument")
        if not association.senders.may_send(address):
            raise WitError("access-denied")
        self._endpoint.socket.sendto(data, address.for_system())

    def _is_ready(self) -> bool:
        return self._endpoint.writable()

    def _watch(self, wake: Wake) -> Unwatch:
        return self._endpoint.watch_writable(wake)
