"""What a blobstore backend raises; the guest gets its message, which is all that `wasi:blobstore` has for an error.

::

    BlobstoreError
    ├── NoSuchContainer     there is no container of that name
    ├── ContainerExists     there is one already
    ├── NoSuchObject        there is no object of that name
    ├── InvalidRange        a range that begins after its end, or after the object's
    ├── AccessDenied        the service refuses this container or object
    ├── Unavailable         the service does not answer; what was asked did not happen, or nobody knows whether it did
    ├── OutOfSpace          the store is full; nothing became visible
    └── TooLarge            a name or a value is larger than its bound

The message names no credential, no address and no path of the host.
"""

from __future__ import annotations

from qwasr.errors import QwasrError

__all__ = [
    "AccessDenied",
    "BlobstoreError",
    "ContainerExists",
    "InvalidRange",
    "NoSuchContainer",
    "NoSuchObject",
    "OutOfSpace",
    "TooLarge",
    "Unavailable",
]


class BlobstoreError(QwasrError):
    """An operation failed in a way that the guest is told about."""


class NoSuchContainer(BlobstoreError):
    """There is no container of that name."""


class ContainerExists(BlobstoreError):
    """There is a container of that name already."""


class NoSuchObject(BlobstoreError):
    """There is no object of that name."""


class InvalidRange(BlobstoreError):
    """A range begins after its end, or after the object's."""


class AccessDenied(BlobstoreError):
    """The service refuses this container or object."""


class Unavailable(BlobstoreError):
    """The service does not answer now."""


class OutOfSpace(BlobstoreError):
    """The store is full; nothing became visible."""


class TooLarge(BlobstoreError):
    """A name or a value is larger than its bound; nothing became visible."""
