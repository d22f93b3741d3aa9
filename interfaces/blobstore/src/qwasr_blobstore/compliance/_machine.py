"""A model of a blobstore: dictionaries of what every object has to be, and every operation in any order against it.

The only part of the kit that needs hypothesis; `model` runs it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from qwasr_blobstore.compliance._stored import END, all_names, fresh_name, get
from qwasr_blobstore.errors import ContainerExists, InvalidRange, NoSuchContainer, NoSuchObject
from qwasr_blobstore.protocol import ObjectId

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from qwasr_blobstore.protocol import Blobstore, Container, Reader, Writer

__all__ = ["run_machine"]

T = TypeVar("T")

_CONTAINERS: Final = ["a", "A", "c/d", "n" * 300]
_OBJECTS: Final = ["o", "O", "o/p", "..", "n" * 300, "n" * 301, "n" * 200]
# Every other time the same one, so that operations meet.
_CONTAINER: Final = st.one_of(st.just(_CONTAINERS[0]), st.sampled_from(_CONTAINERS))
_OBJECT: Final = st.one_of(st.just(_OBJECTS[0]), st.sampled_from(_OBJECTS))
_DATA: Final = st.one_of(st.binary(max_size=8), st.sampled_from([bytes(300_000), b"x" * 70_000]))
_PLACE: Final = st.one_of(st.integers(0, 10), st.sampled_from([69_999, 70_000, END]))
_ID: Final = st.tuples(_CONTAINER, _OBJECT)


def run_machine(store: Blobstore, loop: asyncio.AbstractEventLoop, *, examples: int, steps: int, shrink: bool) -> None:
    """Try orders of operations on a store until one goes wrong; in another thread than that of its event loop.

    Args:
        store: the store.
        loop: its event loop.
        examples: how many orders.
        steps: how many operations each of them has at most.
        shrink: whether the shortest order that goes wrong is looked for, which may take a minute.
    """

    class Machine(_Machine):
        def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
            return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    Machine.store = store
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=[phase for phase in Phase if shrink or phase is not Phase.shrink],
            database=None,  # a store's other tests may have no folder for it
            suppress_health_check=list(HealthCheck),  # how fast it is is the store's affair
        ),
    )


class _Begun:
    """An object on its way in, and what it has to become."""

    def __init__(self, container: str, name: str, writer: Writer, data: bytes) -> None:
        self.container = container
        self.name = name
        self.writer = writer
        self.data = data


class _Machine(RuleBasedStateMachine):
    """Every operation in any order, with writers and readers that stay open, in containers that nobody else has."""

    store: ClassVar[Blobstore]
    writers = Bundle("writers")
    readers = Bundle("readers")

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, dict[str, bytes]] = {}
        self._prefix = fresh_name()
        self._open: dict[object, Callable[[], None]] = {}  # what ends each writer and reader that is open

    def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run what the store does to its end."""
        raise NotImplementedError

    def fails(self, coroutine: Coroutine[Any, Any, Any], *errors: type[Exception]) -> None:
        """Run what has to fail."""
        try:
            self.done(coroutine)
        except errors:
            return
        msg = f"nothing was raised, neither of {', '.join(error.__name__ for error in errors)}"
        raise AssertionError(msg)

    def real(self, name: str) -> str:
        """Return a container's name in the store."""
        return f"{self._prefix}{name}"

    def open(self, name: str) -> Container | None:
        """Open a container that the model knows; of another one see that there is none."""
        if name in self.model:
            return self.done(self.store.get_container(self.real(name)))
        self.fails(self.store.get_container(self.real(name)), NoSuchContainer)
        return None

    def end(self, opened: Reader | Writer) -> None:
        """Close a reader, abort a writer."""

        async def end() -> None:  # in the store's loop
            self._open.pop(opened)()

        self.done(end())

    def teardown(self) -> None:
        for opened in list(self._open):
            self.end(opened)  # type: ignore[arg-type]  # they are what was opened
        for name in self.model:
            self.done(self.store.delete_container(self.real(name)))

    @initialize()
    def create_the_first(self) -> None:
        self.create(_CONTAINERS[0])

    @rule(name=_CONTAINER)
    def create(self, name: str) -> None:
        if name in self.model:
            self.fails(self.store.create_container(self.real(name)), ContainerExists)
        else:
            self.done(self.store.create_container(self.real(name)))
            self.model[name] = {}

    @rule(name=_CONTAINER)
    def delete_container(self, name: str) -> None:
        if self.model.pop(name, None) is None:
            self.fails(self.store.delete_container(self.real(name)), NoSuchContainer)
        else:
            self.done(self.store.delete_container(self.real(name)))

    @rule(target=writers, container=_CONTAINER, name=_OBJECT, data=_DATA)
    def begin(self, container: str, name: str, data: bytes) -> _Begun | None:
        found = self.open(container)
        if found is None:
            return None
        writer = self.done(found.write(name))
        self._open[writer] = writer.abort
        self.done(writer.write(data))
        return _Begun(container, name, writer, data)

    @rule(begun=writers, data=_DATA)
    def write(self, begun: _Begun | None, data: bytes) -> None:
        if begun is not None:
            self.done(begun.writer.write(data))
            begun.data += data

    @rule(begun=consumes(writers))
    def commit(self, begun: _Begun | None) -> None:
        if begun is None:
            return
        if begun.container in self.model:
            self.done(begun.writer.commit())
            del self._open[begun.writer]
            self.model[begun.container][begun.name] = begun.data
        else:
            self.fails(begun.writer.commit(), NoSuchContainer)
            self.end(begun.writer)

    @rule(begun=consumes(writers))
    def abort(self, begun: _Begun | None) -> None:
        if begun is not None:
            self.end(begun.writer)

    @rule(target=readers, container=_CONTAINER, name=_OBJECT)
    def begin_to_read(self, container: str, name: str) -> tuple[Reader, bytes] | None:
        data = self.model.get(container, {}).get(name)
        found = self.open(container)
        if found is None or data is None:
            return None
        reader = self.done(found.read(name, 0, END))
        self._open[reader] = reader.close
        assert reader.size == len(data)
        return reader, data

    @rule(begun=consumes(readers), whole=st.booleans())
    def go_on_reading(self, begun: tuple[Reader, bytes] | None, whole: bool) -> None:
        if begun is None:
            return
        reader, data = begun
        pieces = []
        while whole and (piece := self.done(reader.read())):
            pieces.append(piece)
        self.end(reader)
        assert not whole or b"".join(pieces) == data

    @rule(container=_CONTAINER, name=_OBJECT, start=_PLACE, end=_PLACE)
    def read_a_range(self, container: str, name: str, start: int, end: int) -> None:
        found = self.open(container)
        if found is None:
            return
        data = self.model[container].get(name)
        if data is None:
            self.fails(found.read(name, start, end), NoSuchObject)
        elif start > end or start > max(len(data) - 1, 0):
            self.fails(found.read(name, start, end), InvalidRange)
        else:
            assert self.done(get(found, name, start, end)) == data[start : end + 1]

    @rule(container=_CONTAINER, names=st.lists(_OBJECT, max_size=4))
    def delete(self, container: str, names: list[str]) -> None:
        found = self.open(container)
        if found is not None:
            self.done(found.delete_objects(names))
            for name in names:
                self.model[container].pop(name, None)

    @rule(container=_CONTAINER)
    def clear(self, container: str) -> None:
        found = self.open(container)
        if found is not None:
            self.done(found.clear())
            self.model[container].clear()

    @rule(source=_ID, dest=_ID, move=st.booleans())
    def bring(self, source: tuple[str, str], dest: tuple[str, str], move: bool) -> None:
        (origin, name), (there, new_name) = source, dest
        method = self.store.move_object if move else self.store.copy_object
        call = method(ObjectId(self.real(origin), name), ObjectId(self.real(there), new_name))
        if origin not in self.model:
            self.fails(call, NoSuchContainer)
        elif name not in self.model[origin]:
            self.fails(call, NoSuchObject, NoSuchContainer)
        elif there not in self.model:
            self.fails(call, NoSuchContainer)
        else:
            self.done(call)
            self.model[there][new_name] = self.model[origin][name]
            if move and source != dest:
                del self.model[origin][name]

    @invariant()
    def every_object_is_as_the_model_says(self) -> None:
        self.done(self._compare())

    async def _compare(self) -> None:
        for name in _CONTAINERS:
            assert await self.store.container_exists(self.real(name)) is (name in self.model)
        for name, objects in self.model.items():
            container = await self.store.get_container(self.real(name))
            assert (await container.info()).name == self.real(name)
            assert sorted(await all_names(container)) == sorted(objects)
            for each in _OBJECTS:
                assert await container.has_object(each) is (each in objects)
            for each, data in objects.items():
                assert (await container.object_info(each)).size == len(data)
                assert await get(container, each) == data
