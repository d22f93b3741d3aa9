"""The error codes of wasi:sockets, and which one an error of the operating system is."""

from __future__ import annotations

import errno
from typing import Final

from qwasr.values import WitError
from qwasr_wasi.ends import IoError

__all__ = ["KIND", "code_of", "failure_of", "wit_error"]

KIND: Final = "wasi:sockets/network"
"""The `kind` of an `IoError` that carries a network error code."""

_CODES: Final = {
    getattr(errno, name): code
    for code, names in {
        "access-denied": "EACCES EPERM",
        "not-supported": "EOPNOTSUPP EAFNOSUPPORT EPROTONOSUPPORT EPFNOSUPPORT ENOPROTOOPT ESOCKTNOSUPPORT",
        "invalid-argument": "EINVAL EDESTADDRREQ EFAULT EPROTOTYPE",
        "out-of-memory": "ENOMEM ENOBUFS",
        "timeout": "ETIMEDOUT",
        "concurrency-conflict": "EALREADY",
        "would-block": "EAGAIN EWOULDBLOCK EINPROGRESS EINTR",
        "invalid-state": "ENOTCONN EISCONN EBADF ESHUTDOWN",
        "new-socket-limit": "EMFILE ENFILE",
        "address-not-bindable": "EADDRNOTAVAIL",
        "address-in-use": "EADDRINUSE",
        "remote-unreachable": "EHOSTUNREACH EHOSTDOWN ENETUNREACH ENETDOWN ENONET",
        "connection-refused": "ECONNREFUSED",
        "connection-reset": "ECONNRESET ENETRESET",
        "connection-aborted": "ECONNABORTED EPIPE",
        "datagram-too-large": "EMSGSIZE",
    }.items()
    for name in names.split()
    if hasattr(errno, name)
}


def code_of(error: OSError) -> str:
    """Return the error code for a failed system call, `unknown` for one without."""
    return _CODES.get(error.errno or 0, "unknown")


def wit_error(error: OSError, **instead: str) -> WitError:
    """Return what a host function raises for a failed system call.

    Args:
        error: what the system said.
        instead: codes that mean another one in this place, by their names with underscores.
    """
    code = code_of(error)
    return WitError(instead.get(code.replace("-", "_"), code))


def failure_of(error: OSError) -> IoError:
    """Return what a guest is told about a stream that a failed system call ended."""
    code = code_of(error)
    return IoError(code.replace("-", " "), kind=KIND, code=code)
