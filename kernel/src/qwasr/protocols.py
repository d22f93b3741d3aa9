"""What plug-in packages implement: hosts, backends, servers; and what the kernel hands to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr.hosting import HostResource
    from qwasr.options import ConnectOptions
    from qwasr.runtime import Guest

__all__ = ["Backend", "Backends", "Host", "Server"]

B_co = TypeVar("B_co", covariant=True)


class Host(Protocol):
    """Python behind one WIT interface: its methods are the WIT functions, its resource classes the WIT resources."""

    wit: ClassVar[str]
    resources: ClassVar[Sequence[type[HostResource]]]


class Backend(Protocol):
    """One connection to one service, or an embedded store.

    Attributes:
        name: unique among the backends of one interface; the value of `QWASR_<INTERFACE>`.
        provides: the interfaces it serves, for example ``("keyvalue", "messaging")``.
        schemes: the URL schemes that choose it, for example ``("redis", "rediss")``.
        Options: its settings.

    A backend whose data lives in its own process says so with a further attribute, ``per_process = True``. It is then
    refused where several workers serve one component, since each of them would keep data of its own. Where that depends
    on its options it is a static method, ``per_process(options) -> bool``.
    """

    name: ClassVar[str]
    provides: ClassVar[tuple[str, ...]]
    schemes: ClassVar[tuple[str, ...]]
    Options: ClassVar[type[ConnectOptions]]

    @classmethod
    async def connect(cls, options: Any) -> Self:
        """Connect with the options, an instance of `Options`; raise `BackendError` with a hint when that fails."""
        ...

    async def check(self) -> None:
        """Raise `BackendError` when the service is not usable now."""
        ...

    async def close(self) -> None:
        """Release everything; called once, after the last guest is gone."""
        ...


class Backends(Protocol[B_co]):
    """The backends that serve one interface; what a `HostInterface` is constructed with."""

    @property
    def default(self) -> B_co:
        """The backend of every store that is not configured by name."""
        ...

    def named(self, identifier: str, *, claim: bool = True) -> B_co:
        """Return the backend of one named store.

        Args:
            identifier: its name.
            claim: whether it becomes the one spelling that its variable stands for, if no other is yet.

        Raises:
            StoreNotAllowed: `QWASR_<INTERFACE>_STORES` is set and does not list the identifier.
        """
        ...

    def each(self) -> Sequence[B_co]:
        """Return every backend once, the default one first."""
        ...


class Server(Protocol):
    """What calls a guest's exports: an HTTP listener, a subscription, a socket.

    Constructed with an instance of its `Options`.

    Attributes:
        export: the interface a guest must export to be served, for example ``"wasi:http/incoming-handler"``.
        Options: its settings.

    A server may have a further method, ``async def check(self) -> None``, which raises `ServeError` when `start` would
    fail, and neither serves nor takes anything; `qwasr doctor` calls it.

    A server that serves what the others cause says so with a further attribute, ``drains_last = True``. It is drained
    when they have drained, with the time that they left.

    A server that listens on addresses has a further attribute, ``listening``, which is ``None``. Where other workers
    serve the same addresses, the runtime sets it before `start` to a dictionary of sockets by the server's own names
    for them. The server then listens on those that are there, opens the others with ``SO_REUSEPORT``, puts them there,
    and closes all of them when it drains. So a worker takes over the sockets of the one before it, with their queues.
    What only one process can bind, a Unix socket or a free port, goes under a name that begins with
    `qwasr.addresses.SHARED`: the first worker opens it, and all workers get it. Its file is not the server's to remove.
    """

    export: ClassVar[str]
    Options: ClassVar[type[ConnectOptions]]

    async def start(self, guest: Guest) -> None:
        """Begin to serve; return as soon as it does. Raise `ServeError` when it cannot listen."""
        ...

    async def drain(self, timeout_s: float) -> None:
        """Take nothing new, finish what runs, but not longer than `timeout_s` seconds."""
        ...

    async def close(self) -> None:
        """Stop at once and release everything."""
        ...

    def describe(self) -> str:
        """Return one line for the user: where it serves, for example ``http://127.0.0.1:8080``."""
        ...
