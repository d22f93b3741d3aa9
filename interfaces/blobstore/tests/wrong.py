"""Stores that do one thing wrong, to see that the compliance class catches it: what they have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from qwasr_blobstore import Memory
from qwasr_blobstore._memory_streams import Bytes

if TYPE_CHECKING:
    from qwasr_blobstore.memory import MemoryContainer


class WrongContainer:
    """A right container, until a subclass does one thing wrong."""

    def __init__(self, store: Any, right: MemoryContainer) -> None:
        self.store = store
        self.right = right
        self.name = right.name

    def __getattr__(self, name: str) -> Any:
        return getattr(self.right, name)


class WrongWriter:
    """A right writer, until a subclass does one thing wrong."""

    def __init__(self, container: WrongContainer, name: str, right: Any) -> None:
        self.container = container
        self.store = container.store
        self.name = name
        self.right = right
        self._pieces: list[bytes] = []

    @property
    def what(self) -> bytes:
        """Return all that was written."""
        return b"".join(self._pieces)

    async def write(self, data: bytes) -> None:
        self._pieces.append(data)
        await self.right.write(data)

    async def commit(self) -> None:
        await self.right.commit()

    def abort(self) -> None:
        self.right.abort()

    def show(self, data: bytes) -> None:
        """Make the object something else, at once."""
        self.store.reserve(len(data))
        self.store.put(self.container.name, self.name, Bytes([data] if data else []))


class WrongStore(Memory):
    """Memory with other containers and writers."""

    breaks: ClassVar[tuple[str, ...]] = ()  # the rules that catch it
    container: type[WrongContainer] = WrongContainer
    writer: type[WrongWriter] | None = None

    async def create_container(self, name: str) -> Any:
        return self._wrong(await super().create_container(name))

    async def get_container(self, name: str) -> Any:
        return self._wrong(await super().get_container(name))

    def _wrong(self, right: MemoryContainer) -> Any:
        made = self.container(self, right)
        if self.writer is not None:
            writer, write = self.writer, right.write

            async def begin(name: str) -> Any:
                return writer(made, name, await write(name))

            made.write = begin  # type: ignore[attr-defined]  # any attribute is one of the right container's
        return made
