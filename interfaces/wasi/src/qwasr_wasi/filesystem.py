"""wasi:filesystem: no folder is given to guests, so there is no descriptor, and nothing to open one from.

Components import these functions whatever they do: the standard libraries of their languages mention them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from qwasr.hosting import HostInterface, HostResource
from qwasr_wasi.denied import denied

if TYPE_CHECKING:
    from qwasr.protocols import Backends
    from qwasr_wasi.ends import IoError

__all__ = ["KIND", "Descriptor", "DirectoryEntryStream", "FilesystemTypes", "Preopens"]

KIND: Final = "wasi:filesystem/types"
"""The `kind` of an `IoError` that carries a filesystem error code."""

_denied = partial(denied, "not-permitted")


class Descriptor(HostResource):
    """wasi:filesystem/types.descriptor: a file or folder; no guest has one."""

    __slots__ = ()

    read_via_stream = _denied("offset")
    write_via_stream = _denied("offset")
    append_via_stream = _denied()
    advise = _denied("offset", "length", "advice")
    sync_data = _denied()
    get_flags = _denied()
    get_type = _denied()
    set_size = _denied("size")
    set_times = _denied("data_access_timestamp", "data_modification_timestamp")
    read = _denied("length", "offset")
    write = _denied("buffer", "offset")
    read_directory = _denied()
    sync = _denied()
    create_directory_at = _denied("path")
    stat = _denied()
    stat_at = _denied("path_flags", "path")
    set_times_at = _denied("path_flags", "path", "data_access_timestamp", "data_modification_timestamp")
    link_at = _denied("old_path_flags", "old_path", "new_descriptor", "new_path")
    open_at = _denied("path_flags", "path", "open_flags", "flags")
    readlink_at = _denied("path")
    remove_directory_at = _denied("path")
    rename_at = _denied("old_path", "new_descriptor", "new_path")
    symlink_at = _denied("old_path", "new_path")
    unlink_file_at = _denied("path")
    metadata_hash = _denied()
    metadata_hash_at = _denied("path_flags", "path")

    def is_same_object(self, other: Descriptor) -> bool:
        """Say whether both are one."""
        return self is other


class DirectoryEntryStream(HostResource):
    """wasi:filesystem/types.directory-entry-stream: the names in a folder; no guest has one."""

    __slots__ = ()

    read_directory_entry = _denied()


class FilesystemTypes(HostInterface, wit="wasi:filesystem/types", resources=(Descriptor, DirectoryEntryStream)):
    """wasi:filesystem/types: files and folders."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need no backend."""

    def filesystem_error_code(self, err: IoError) -> str | None:
        """Return the error code of a failed file stream, nothing for another stream's error."""
        return err.code if err.kind == KIND else None


class Preopens(HostInterface, wit="wasi:filesystem/preopens"):
    """wasi:filesystem/preopens: the folders that a guest is given."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need no backend."""

    def get_directories(self) -> list[tuple[Descriptor, str]]:
        """Return none."""
        return []
