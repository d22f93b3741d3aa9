"""The open backends of one runtime, and the view of them that an interface gets."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from qwasr.backends import fold, interface_variable
from qwasr.errors import BackendError, ConfigurationError, PluginError, QwasrError, StoreNotAllowed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from qwasr.backends import Choice
    from qwasr.hooks import Interface
    from qwasr.hosting import HostInterface
    from qwasr.options import ConnectOptions
    from qwasr.protocols import Backend

__all__ = ["BackendSet", "Connections", "make_hosts", "refuse_divided"]

_logger = logging.getLogger("qwasr.backends")
B = TypeVar("B")
CHECK_TIMEOUT_S: Final = 1.5  # less than a supervisor waits for the answer


class Connections:
    """The open backends of one runtime: one connection for each backend class and options."""

    def __init__(self) -> None:
        self._open: dict[tuple[type[Backend], ConnectOptions], Backend] = {}

    async def connect(self, choice: Choice) -> Any:
        """Return the backend of a choice, connected now or before.

        Raises:
            BackendError: it cannot be connected.
        """
        if choice.backend is None or choice.options is None:
            return choice.ready
        key = (choice.backend, choice.options)
        if key not in self._open:
            try:
                self._open[key] = await choice.backend.connect(choice.options)
            except QwasrError:
                raise
            except Exception as error:  # noqa: BLE001 - a client library raises what it likes
                raise BackendError(_connect_message(choice, error)) from None
        return self._open[key]

    async def check(self, timeout_s: float = CHECK_TIMEOUT_S) -> list[tuple[str, str]]:
        """Ask every backend whether it is usable, all at once.

        Returns:
            Of each that is not, its name and why; without a client library's own text, which may quote a password.
        """
        backends = list(self._open.values())
        answers = await asyncio.gather(*(_complaint(backend, timeout_s) for backend in backends))
        return [(one.name, answer) for one, answer in zip(backends, answers, strict=True) if answer is not None]

    async def close(self) -> None:
        """Close every connection, the newest first; one that fails to close is logged and keeps no other open."""
        while self._open:
            (backend, _), connection = self._open.popitem()
            try:
                await connection.close()
            except Exception:
                _logger.exception("backend %s does not close cleanly", backend.name)


class BackendSet(Generic[B]):
    """What a `HostInterface` is constructed with: the default backend and those of named stores.

    Args:
        interface: the interface's name.
        default: the backend of every store without one of its own; ``None`` when the interface has no backends.
        stores: backends by folded store name.
        allowed: the names that guests may open; ``None`` allows all.

    Raises:
        ConfigurationError: two allowed names fold to one.
    """

    __slots__ = ("_allowed", "_claims", "_default", "_interface", "_stores")

    def __init__(
        self,
        interface: str,
        default: B | None,
        stores: Mapping[str, B] | None = None,
        *,
        allowed: Sequence[str] | None = None,
    ) -> None:
        self._interface = interface
        self._default = default
        self._stores = dict(stores or {})
        self._allowed = None if allowed is None else frozenset(allowed)
        self._claims: dict[str, str] = {}  # folded name -> the one identifier that its variable stands for
        for name in allowed or ():
            other = self._claims.setdefault(fold(name), name)
            if other != name:
                variable = f"{interface_variable(interface)}_STORES"
                message = f"{variable}: {other!r} and {name!r} are one name, {fold(name)}, in variables; rename one"
                raise ConfigurationError(message)

    @property
    def default(self) -> B:
        """The backend of every store that is not configured by name.

        Raises:
            BackendError: the interface has none.
        """
        if self._default is None:
            raise BackendError(f"{self._interface} has no backend; install one, or set a default in its Interface")
        return self._default

    def each(self) -> Sequence[B]:
        """Return every backend once, the default one first."""
        every = [self._default, *self._stores.values()]
        return [one for n, one in enumerate(every) if one is not None and all(one is not other for other in every[:n])]

    def named(self, identifier: str, *, claim: bool = True) -> B:
        """Return the backend of one named store.

        Args:
            identifier: its name.
            claim: whether it becomes the one spelling that its variable stands for, if no other is yet; who only looks
                at names that somebody else chose leaves that to guests.

        Raises:
            StoreNotAllowed: `QWASR_<INTERFACE>_STORES` is set and does not list the identifier, or its variable already
                stands for a store of another spelling.
        """
        if self._allowed is not None and identifier not in self._allowed:
            variable = f"{interface_variable(self._interface)}_STORES"
            raise StoreNotAllowed(f"{variable} does not list the store {identifier!r}")
        folded = fold(identifier)
        backend = self._stores.get(folded)
        if backend is None:
            return self.default
        # Only configured names are remembered, so a guest cannot make this grow.
        owner = (self._claims.setdefault if claim else self._claims.get)(folded, identifier)
        if owner != identifier:
            variable = f"{interface_variable(self._interface)}__{folded}"
            raise StoreNotAllowed(f"{variable} stands for the store {owner!r}, so {identifier!r} cannot be opened")
        return backend


def make_hosts(interface: Interface, backends: BackendSet[Any]) -> list[HostInterface]:
    """Return the objects behind an interface's imports.

    Raises:
        PluginError: the interface's own code fails.
    """
    try:
        classes: Iterable[Any] = interface.hosts()
        return [cls(backends) for cls in classes]
    except QwasrError:
        raise
    except Exception as error:
        message = f"the interface {interface.name} cannot be set up: {type(error).__name__}: {error}"
        raise PluginError(message) from error


def refuse_divided(choices: Iterable[Choice], workers: int) -> None:
    """Refuse backends that would keep one thing in each worker where the user means one thing.

    Raises:
        ConfigurationError: there is one.
    """
    for choice in choices:
        divided: Any = getattr(choice.backend, "per_process", False)
        if divided(choice.options) if callable(divided) else divided:
            binding = choice.binding
            variable = interface_variable(binding.interface) + (f"__{binding.store}" if binding.store else "")
            message = (
                f"{binding}: {binding.backend} keeps its data in one process, and each of {workers} workers would have "
                f"its own; choose a service that all share, for example {variable}=redis or {variable}=sqlite://…, "
                "or run one worker"
            )
            raise ConfigurationError(message)


async def _complaint(backend: Backend, timeout_s: float) -> str | None:
    """Return why a backend is not usable, or ``None`` when it is."""
    try:
        async with asyncio.timeout(timeout_s):
            await backend.check()
    except QwasrError as error:
        return str(error)
    except TimeoutError:
        return f"it does not answer within {timeout_s:g} s"
    except Exception as error:  # noqa: BLE001 - a client library raises what it likes
        return _kind(error)
    return None


def _connect_message(choice: Choice, error: Exception) -> str:
    """Say that a backend cannot be connected, without the client library's own text: it may quote a password."""
    reason = _kind(error)
    variables = [variable.name for variable in choice.backend.Options.variables()] if choice.backend else []
    advice = f"; is its service there? Its variables: {', '.join(variables)}" if variables else ""
    return f"{choice.binding} cannot be connected: {reason}{advice}"


def _kind(error: Exception) -> str:
    kind = type(error)
    reason = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    return f"{reason}, {error.strerror}" if isinstance(error, OSError) and error.strerror else reason
