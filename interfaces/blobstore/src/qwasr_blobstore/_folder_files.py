"""A folder of containers on the disk; everything here blocks, and is called in threads."""

from __future__ import annotations

import errno
import json
import os
import secrets
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qwasr_blobstore import _tree
from qwasr_blobstore._disk import disk_errors
from qwasr_blobstore._drafts import Draft, forget, is_abandoned, open_draft
from qwasr_blobstore._names import container_part, object_parts
from qwasr_blobstore.errors import ContainerExists, NoSuchContainer, NoSuchObject, Unavailable
from qwasr_blobstore.limits import PAGE_NAMES, span
from qwasr_blobstore.protocol import ContainerInfo, NamePage, ObjectId, ObjectInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qwasr_blobstore._open_files import OpenFile, OpenFiles

__all__ = ["Files"]

_FOLDER_MODE: Final = 0o700
_UNFINISHED: Final = ".unfinished"  # in the folder itself: no name of a container begins with a dot
_ABOUT: Final = ".container"  # in each container: no name of an object begins with a dot either
_MAX_ABOUT_BYTES: Final = 64 * 1024


class Files:
    """A folder of containers.

    Args:
        root: the folder.
        durable: whether what is written is on the disk before it is visible.
        max_bytes: the size of one object.
        min_free_bytes: how much of the disk stays free.
        open_files: what bounds the objects that are open.

    Raises:
        BlobstoreError: it cannot be made or written.
    """

    def __init__(
        self, root: Path, *, durable: bool, max_bytes: int, min_free_bytes: int, open_files: OpenFiles
    ) -> None:
        self._root = root
        self._unfinished = root / _UNFINISHED
        self._durable = durable
        self._max_bytes = max_bytes
        self._min_free_bytes = min_free_bytes
        self._open_files = open_files
        with disk_errors():
            self._unfinished.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
            for left in self._unfinished.iterdir():
                if is_abandoned(left):
                    forget(left)
        self.check()

    def check(self) -> None:
        """Raise `Unavailable` when the folder is gone or cannot be written."""
        if not os.access(self._unfinished, os.W_OK | os.X_OK):
            raise Unavailable("the store is unavailable: its folder is gone or cannot be written")

    # ------------------------------------------------------------------ containers

    def create(self, name: str) -> None:
        """Make a container: whole, under another name, and then under its own."""
        place, draft = self._place(name), self._new()
        with disk_errors():
            try:
                draft.mkdir(_FOLDER_MODE)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                with os.fdopen(os.open(draft / _ABOUT, flags, 0o600), "w") as about:
                    json.dump({"name": name, "created_at": int(time.time())}, about)
                    about.flush()
                    self._sync(about.fileno())
                self._sync_folder(draft)
                draft.rename(place)  # onto a folder that is not empty it is an error, and a container never is empty
                self._sync_folder(self._root)
            except OSError as error:
                forget(draft)
                if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                    raise ContainerExists("there is a container of that name already") from None
                raise

    def info(self, name: str) -> ContainerInfo:
        """Return what is known of a container."""
        with self._container(name) as container:
            try:
                descriptor = os.open(_ABOUT, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=container)
                with os.fdopen(descriptor, "rb") as file:
                    about: Any = json.loads(file.read(_MAX_ABOUT_BYTES))
                created_at = about["created_at"]
            except (FileNotFoundError, ValueError, KeyError, TypeError):
                created_at = None
        if not isinstance(created_at, int) or not 0 <= created_at < 2**64:
            raise Unavailable("the container is unavailable: its description is damaged")
        return ContainerInfo(name, created_at)

    def exists(self, name: str) -> bool:
        """Return whether there is a container."""
        try:
            with self._container(name):
                return True
        except NoSuchContainer:
            return False

    def remove(self, name: str) -> None:
        """Delete a container: at once out of sight, then from the disk."""
        place, trash = self._place(name), self._new()
        with disk_errors():
            try:
                place.rename(trash)
            except FileNotFoundError:
                self.check()
                raise NoSuchContainer("there is no container of that name") from None
            self._sync_folder(self._root)
            forget(trash)

    # ------------------------------------------------------------------ objects

    def open(self, container: str, name: str, start: int, end: int, owner: str) -> tuple[OpenFile, int]:
        """Open an object for reading; return its file, and how many bytes the range has."""
        with self._object(container, name) as descriptor:
            size = span(start, end, os.fstat(descriptor).st_size)
            return self._open_files.open(partial(os.dup, descriptor), owner), size

    def draft(self, container: str, name: str, owner: str) -> Draft:
        """Begin an object."""
        parts = object_parts(name)
        with self._container(container):
            path = self._new()
            return Draft(
                path,
                self._open_files.open(partial(open_draft, path), owner),
                container,
                parts,
                durable=self._durable,
                max_bytes=self._max_bytes,
                min_free_bytes=self._min_free_bytes,
            )

    def commit(self, draft: Draft) -> None:
        """Give a written file its name; what was there under it is replaced."""
        draft.complete()
        with self._container(draft.container) as container:
            try:
                _tree.place(container, draft.parts, draft.path, durable=self._durable)
            except FileNotFoundError:
                if not draft.path.exists():
                    raise Unavailable("what was written is unavailable: somebody deleted it") from None
                raise NoSuchContainer("the container was deleted") from None

    def delete(self, container: str, names: Sequence[str]) -> None:
        """Delete each object that exists."""
        each = [object_parts(name) for name in names]
        with self._container(container) as folder:
            for parts in each:
                _tree.remove(folder, parts, durable=self._durable)

    def clear(self, container: str) -> None:
        """Delete all objects."""
        with self._container(container) as folder:
            _tree.clear(folder)
            self._sync(folder)

    def has(self, container: str, name: str) -> bool:
        """Return whether there is an object."""
        try:
            with self._object(container, name):
                return True
        except NoSuchObject:
            return False

    def object_info(self, container: str, name: str) -> ObjectInfo:
        """Return what is known of an object."""
        with self._object(container, name) as descriptor:
            status = os.fstat(descriptor)
        return ObjectInfo(name, container, max(0, int(status.st_mtime)), status.st_size)

    def page(self, container: str, cursor: str | None) -> NamePage:
        """Return a page of names, in the order of their encoded parts."""
        after = [] if cursor is None else object_parts(cursor)
        with self._container(container) as folder:
            names = _tree.following(folder, after, PAGE_NAMES + 1)
        if len(names) <= PAGE_NAMES:
            return NamePage(names)
        return NamePage(names[:PAGE_NAMES], names[PAGE_NAMES - 1])

    def move(self, source: ObjectId, target: ObjectId) -> None:
        """Move an object in one step."""
        old, new = object_parts(source.object), object_parts(target.object)
        with self._object(source.container, source.object):
            if source == target:
                return
        with self._container(source.container) as origin, self._container(target.container) as there:
            try:
                _tree.move((origin, old), (there, new), durable=self._durable)
            except FileNotFoundError:
                raise NoSuchObject("there is no object of that name any more") from None

    # ------------------------------------------------------------------ places

    def _place(self, container: str) -> Path:
        return self._root / container_part(container)

    def _new(self) -> Path:
        return self._unfinished / secrets.token_hex(16)

    @contextmanager
    def _container(self, name: str) -> Iterator[int]:
        place = self._place(name)
        with disk_errors():
            try:
                descriptor = os.open(place, _tree.OPEN_FOLDER)
            except (FileNotFoundError, NotADirectoryError):
                self.check()
                raise NoSuchContainer("there is no container of that name") from None
            try:
                yield descriptor
            finally:
                os.close(descriptor)

    @contextmanager
    def _object(self, container: str, name: str) -> Iterator[int]:
        parts = object_parts(name)
        with self._container(container) as folder:
            try:
                descriptor = _tree.open_file(folder, parts)
            except FileNotFoundError:
                raise NoSuchObject("there is no object of that name") from None
            try:
                yield descriptor
            finally:
                os.close(descriptor)

    def _sync(self, descriptor: int) -> None:
        if self._durable:
            os.fsync(descriptor)

    def _sync_folder(self, folder: Path) -> None:
        descriptor = os.open(folder, _tree.OPEN_FOLDER & ~os.O_NOFOLLOW)
        try:
            self._sync(descriptor)
        finally:
            os.close(descriptor)
