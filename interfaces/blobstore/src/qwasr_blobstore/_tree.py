"""Objects' files in an open folder of a container. Everything here blocks.

Each folder on the way is opened from the one above it and is no link: so no path is too long for the system, and none
leads out of the container, whatever somebody else puts there.
"""

from __future__ import annotations

import errno
import heapq
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from qwasr_blobstore._names import FILE, FOLDER, object_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["OPEN_FOLDER", "clear", "following", "move", "open_file", "place", "remove"]

OPEN_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe is not waited for
_FOLDER_MODE: Final = 0o700
_TRIES: Final = 8  # to put a file into folders that someone else removes because they are empty


def open_file(container: int, parts: list[str]) -> int:
    """Open an object's file for reading.

    Raises:
        FileNotFoundError: there is none.
    """
    try:
        with _folders(container, parts) as folders:
            file = os.open(parts[-1], _OPEN_FILE, dir_fd=folders[-1])
    except OSError as error:
        if _is_missing(error):
            raise FileNotFoundError from None
        raise
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotFoundError
    return file


def place(container: int, parts: list[str], draft: Path, *, durable: bool) -> None:
    """Give a draft its place; a file that is there is replaced.

    Raises:
        FileNotFoundError: the container or the draft is gone.
    """
    for attempt in range(_TRIES):
        try:
            with _folders(container, parts, make=True, durable=durable) as folders:
                os.replace(draft, parts[-1], dst_dir_fd=folders[-1])
                if durable:
                    os.fsync(folders[-1])
        except FileNotFoundError:
            if attempt == _TRIES - 1:
                raise
        else:
            return


def move(source: tuple[int, list[str]], target: tuple[int, list[str]], *, durable: bool) -> None:
    """Give a file another place, which may be another container's, in one step.

    Raises:
        FileNotFoundError: there is no such file, or a container is gone.
    """
    for attempt in range(_TRIES):
        os.close(open_file(*source))
        try:
            with _folders(*source) as origin, _folders(*target, make=True, durable=durable) as there:
                os.replace(source[1][-1], target[1][-1], src_dir_fd=origin[-1], dst_dir_fd=there[-1])
                if durable:
                    os.fsync(there[-1])
                    os.fsync(origin[-1])
                _prune(origin, source[1])
        except FileNotFoundError:
            if attempt == _TRIES - 1:
                raise
        else:
            return


def remove(container: int, parts: list[str], *, durable: bool) -> None:
    """Remove an object's file if there is one, and the folders that are empty then."""
    with _missing_is_right(), _folders(container, parts) as folders:
        os.unlink(parts[-1], dir_fd=folders[-1])
        if durable:
            os.fsync(folders[-1])
        _prune(folders, parts)


def clear(folder: int) -> None:
    """Remove the files of all objects below an open folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            with _missing_is_right():  # somebody else was quicker
                if _is_object(entry):
                    os.unlink(entry.name, dir_fd=folder)
                elif _is_on_the_way(entry):
                    with _entered(entry.name, folder) as below:
                        clear(below)
                    _remove_empty(entry.name, folder)


def following(folder: int, after: list[str], limit: int, before: tuple[str, ...] = ()) -> list[str]:
    """Return the names of the objects behind a place, in the order of their parts, at most `limit`; it holds no more.

    Args:
        folder: an open folder.
        after: the place: the parts below the folder of an object's path, or nothing for the beginning.
        limit: how many at most.
        before: the parts that lead to the folder.
    """
    found: list[str] = []
    bound, below = (after[0], after[1:]) if after else ("", [])
    while (wanted := limit - len(found)) > 0:
        with os.scandir(folder) as entries:
            ours = (entry.name for entry in entries if _is_object(entry) or _is_on_the_way(entry))
            parts = heapq.nsmallest(wanted, (part for part in ours if part > bound or (below and part == bound)))
        for part in parts:
            if part.endswith(FILE):
                with suppress(ValueError):  # somebody else's file
                    found.append(object_name([*before, part]))
            else:
                with (
                    suppress(FileNotFoundError),
                    _entered(part, folder) as deeper,
                ):  # removed meanwhile, as it was empty
                    rest = below if part == bound else []
                    found += following(deeper, rest, limit - len(found), (*before, part))
            if len(found) == limit:
                break
        if len(parts) < wanted:
            break
        bound, below = parts[-1], []
    return found


@contextmanager
def _folders(container: int, parts: list[str], *, make: bool = False, durable: bool = False) -> Iterator[list[int]]:
    """Open the folders from the container down to where a file is; the last one is the file's.

    Those that are made are removed when what they were made for fails.
    """
    opened = [container]
    try:
        for part in parts[:-1]:
            if make:
                _make(part, opened[-1], durable=durable)
            opened.append(os.open(part, OPEN_FOLDER, dir_fd=opened[-1]))
        yield opened
    except OSError:
        if make:
            _prune(opened, parts)
        raise
    finally:
        for folder in opened[1:]:
            os.close(folder)


@contextmanager
def _entered(part: str, folder: int) -> Iterator[int]:
    descriptor = os.open(part, OPEN_FOLDER, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _make(part: str, folder: int, *, durable: bool) -> None:
    with suppress(FileExistsError):
        os.mkdir(part, _FOLDER_MODE, dir_fd=folder)
        if durable:
            os.fsync(folder)


def _prune(folders: list[int], parts: list[str]) -> None:
    """Remove the folders on the way to a file that are empty now."""
    for at in range(len(folders) - 1, 0, -1):
        if not _remove_empty(parts[at - 1], folders[at - 1]):
            return


def _remove_empty(part: str, folder: int) -> bool:
    """Remove a folder; return whether it is gone: somebody may have put something there."""
    try:
        os.rmdir(part, dir_fd=folder)
    except OSError:
        return False
    return True


def _is_object(entry: os.DirEntry[str]) -> bool:
    return entry.name.endswith(FILE) and entry.is_file(follow_symlinks=False)


def _is_on_the_way(entry: os.DirEntry[str]) -> bool:
    return entry.name.endswith(FOLDER) and entry.is_dir(follow_symlinks=False)


@contextmanager
def _missing_is_right() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not _is_missing(error):
            raise


def _is_missing(error: OSError) -> bool:
    """Return whether something is not there, or somebody has put something else in its place."""
    return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR)
