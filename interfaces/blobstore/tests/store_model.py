"""A model of a blobstore: dictionaries of what every object has to be. Each embedded backend is tested against it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from qwasr_blobstore import ContainerExists, InvalidRange, NoSuchContainer, NoSuchObject, ObjectId
from qwasr_blobstore.compliance._stored import get

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from qwasr_blobstore import Blobstore, Container, Reader, Writer

T = TypeVar("T")

_CONTAINERS = ["a", "A", "c/d", "n" * 300]
_OBJECTS = ["o", "O", "o/p", "..", "n" * 300, "n" * 301, "n" * 200]
CONTAINERS = st.sampled_from(_CONTAINERS)
OBJECTS = st.sampled_from(_OBJECTS)
DATA = st.one_of(st.binary(max_size=8), st.sampled_from([bytes(300_000), b"x" * 70_000]))
PLACES = st.one_of(st.integers(0, 10), st.sampled_from([69_999, 70_000, 2**64 - 1]))
IDS = st.builds(ObjectId, CONTAINERS, OBJECTS)


class StoreMachine(RuleBasedStateMachine):
    """Every operation in any order, with writers and readers that stay open; a subclass sets `store`."""

    writers = Bundle("writers")
    readers = Bundle("readers")

    def __init__(self) -> None:
        super().__init__()
        self.store: Blobstore
        self.model: dict[str, dict[str, bytes]] = {}

    @abstractmethod
    def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run what the store does to its end."""

    def fails(self, coroutine: Coroutine[Any, Any, Any], *errors: type[Exception]) -> None:
        """Run what has to fail."""
        try:
            self.done(coroutine)
        except errors:
            return
        msg = f"none of {errors}"
        raise AssertionError(msg)

    def open(self, name: str) -> Container | None:
        """Open a container that the model knows; of another one see that there is none."""
        if name in self.model:
            return self.done(self.store.get_container(name))
        self.fails(self.store.get_container(name), NoSuchContainer)
        return None

    @rule(name=CONTAINERS)
    def create(self, name: str) -> None:
        if name in self.model:
            self.fails(self.store.create_container(name), ContainerExists)
        else:
            self.done(self.store.create_container(name))
            self.model[name] = {}

    @rule(name=CONTAINERS)
    def delete_container(self, name: str) -> None:
        if self.model.pop(name, None) is None:
            self.fails(self.store.delete_container(name), NoSuchContainer)
        else:
            self.done(self.store.delete_container(name))

    @rule(target=writers, container=CONTAINERS, name=OBJECTS, data=DATA)
    def begin(self, container: str, name: str, data: bytes) -> Any:
        found = self.open(container)
        if found is None:
            return None
        writer = self.done(found.write(name))
        self.done(writer.write(data))
        return [container, name, writer, data]

    @rule(begun=writers, data=DATA)
    def write(self, begun: Any, data: bytes) -> None:
        if begun is not None:
            writer: Writer = begun[2]
            self.done(writer.write(data))
            begun[3] += data

    @rule(begun=consumes(writers))
    def commit(self, begun: Any) -> None:
        if begun is None:
            return
        container, name, writer, data = begun
        if container in self.model:
            self.done(writer.commit())
            self.model[container][name] = data
        else:
            self.fails(writer.commit(), NoSuchContainer)
            writer.abort()

    @rule(begun=consumes(writers))
    def abort(self, begun: Any) -> None:
        if begun is not None:
            begun[2].abort()

    @rule(target=readers, container=CONTAINERS, name=OBJECTS)
    def begin_to_read(self, container: str, name: str) -> Any:
        data = self.model.get(container, {}).get(name)
        found = self.open(container)
        if found is None or data is None:
            return None
        reader = self.done(found.read(name, 0, 2**64 - 1))
        assert reader.size == len(data)
        return [reader, data]

    @rule(begun=consumes(readers), whole=st.booleans())
    def go_on_reading(self, begun: Any, whole: bool) -> None:
        if begun is None:
            return
        reader: Reader = begun[0]
        pieces = []
        while whole and (piece := self.done(reader.read())):
            pieces.append(piece)
        reader.close()
        assert not whole or b"".join(pieces) == begun[1]

    @rule(container=CONTAINERS, name=OBJECTS, start=PLACES, end=PLACES)
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

    @rule(container=CONTAINERS, names=st.lists(OBJECTS, max_size=4))
    def delete(self, container: str, names: list[str]) -> None:
        found = self.open(container)
        if found is not None:
            self.done(found.delete_objects(names))
            for name in names:
                self.model[container].pop(name, None)

    @rule(container=CONTAINERS)
    def clear(self, container: str) -> None:
        found = self.open(container)
        if found is not None:
            self.done(found.clear())
            self.model[container].clear()

    @rule(source=IDS, dest=IDS, move=st.booleans())
    def bring(self, source: ObjectId, dest: ObjectId, move: bool) -> None:
        call = (self.store.move_object if move else self.store.copy_object)(source, dest)
        if source.container not in self.model:
            self.fails(call, NoSuchContainer)
        elif source.object not in self.model[source.container]:
            self.fails(call, NoSuchObject, NoSuchContainer)
        elif dest.container not in self.model:
            self.fails(call, NoSuchContainer)
        else:
            self.done(call)
            self.model[dest.container][dest.object] = self.model[source.container][source.object]
            if move and source != dest:
                del self.model[source.container][source.object]

    @invariant()
    def every_object_is_as_the_model_says(self) -> None:
        for name in _CONTAINERS:
            assert self.done(self.store.container_exists(name)) is (name in self.model)
        for name, objects in self.model.items():
            container = self.done(self.store.get_container(name))
            assert self.done(container.info()).name == name
            listed, cursor = [], None
            while True:
                page = self.done(container.list_objects(cursor))
                listed += page.names
                cursor = page.cursor
                if cursor is None:
                    break
            assert sorted(listed) == sorted(objects)
            for each in _OBJECTS:
                assert self.done(container.has_object(each)) is (each in objects)
            for each, data in objects.items():
                assert self.done(container.object_info(each)).size == len(data)
                assert self.done(get(container, each)) == data
