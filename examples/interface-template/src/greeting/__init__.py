"""demo:greeting: an interface of one's own, with a Protocol for its backends and one backend that is always there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from qwasr.hooks import Interface, hookimpl
from qwasr.hosting import HostInterface
from qwasr.options import ConnectOptions, env
from qwasr.values import WitError

if TYPE_CHECKING:
    from qwasr.protocols import Backends

KERNEL_API = 1


class Greeting(Protocol):
    """What a backend implements."""

    async def word_for(self, name: str) -> str:
        """Return the word to greet somebody with."""
        ...


class Greet(HostInterface, wit="demo:greeting/greet"):
    """demo:greeting/greet: one method for each function of the WIT interface."""

    def __init__(self, backends: Backends[Greeting]) -> None:
        self._backend = backends.default

    async def greet(self, name: str) -> str:
        """Greet somebody; raising `WitError` is the error of the WIT result."""
        if not name:
            raise WitError("there is nobody to greet")
        return f"{await self._backend.word_for(name)}, {name}!"


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedOptions(ConnectOptions):
    """What the embedded backend is configured by."""

    word: str = env("GREETING_WORD", default="Hello", help="the word to greet with")


class Fixed:
    """The embedded backend: one word for everybody."""

    name, provides, schemes, Options = "fixed", ("greeting",), (), FixedOptions

    def __init__(self, word: str) -> None:
        self.word = word

    @classmethod
    async def connect(cls, options: FixedOptions) -> Self:
        """Take the word from the options."""
        return cls(options.word)

    async def check(self) -> None:
        """Do nothing: a word is always there."""

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""

    async def word_for(self, name: str) -> str:
        """Return the one word."""
        return self.word


@hookimpl
def qwasr_register_interfaces() -> list[Interface]:
    """Register the interface; `QWASR_GREETING` chooses its backend."""
    return [Interface(name="greeting", wit=("demo:greeting/greet",), hosts=lambda: [Greet], default=Fixed.name)]


@hookimpl
def qwasr_register_backends() -> list[type[Fixed]]:
    """Register the embedded backend."""
    return [Fixed]
