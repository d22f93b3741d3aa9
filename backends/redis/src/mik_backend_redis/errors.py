"""What the guest is told about an error of redis-py."""

from __future__ import annotations

import socket
import ssl
from typing import Final

from redis import exceptions
from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterError,
    MaxConnectionsError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    ResponseError,
    TryAgainError,
)

from mik_backend_redis.connections import AWAY, ClusterModeError
from qwasr_keyvalue import (
    AccessDenied,
    CounterOverflow,
    KeyValueError,
    NotANumber,
    OutOfSpace,
    Unavailable,
)

__all__ = ["REFUSED", "UNAVAILABLE", "reason", "translated"]

REFUSED: Final = "it refuses the user or the password"
UNAVAILABLE: Final = "the key-value store is unavailable"
_NOT_NOW: Final = ("MISCONF", "NOREPLICAS", "BUSY ", "UNKILLABLE")


def translated(error: Exception) -> Exception:
    """Return the error that a guest gets instead, or the error itself where nobody expects it."""
    if isinstance(error, AuthenticationError):
        return AccessDenied("the key-value store refuses the user or the password")
    if isinstance(error, (*AWAY, ClusterError, RedisClusterException, ReadOnlyError, AskError, TryAgainError)):
        return Unavailable(UNAVAILABLE)
    return _answered(error) if isinstance(error, ResponseError) else error


def _answered(error: ResponseError) -> Exception:
    if isinstance(error, OutOfMemoryError):
        return OutOfSpace("the key-value store is full")
    text = str(error)
    if isinstance(error, NoPermissionError) or "ACL failure" in text:
        return AccessDenied("the key-value store refuses this bucket or key")
    if "increment or decrement would overflow" in text:
        return CounterOverflow("the increment would overflow the counter (64 bits, signed)")
    if "value is not an integer" in text:
        return NotANumber("the value is not a number that can be incremented (ASCII decimal, 64 bits, signed)")
    if text.startswith("WRONGTYPE"):
        return KeyValueError("another program keeps something else than a plain value under this key")
    if text.startswith(_NOT_NOW):
        return Unavailable(UNAVAILABLE)
    return error


def reason(error: BaseException) -> str:
    """Return why Redis cannot be used, in words for the operator: no address, no credential, nothing quoted."""
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, ssl.SSLCertVerificationError) and chain.verify_code in _OTHER_HOST:
            return "its certificate is for another host"
        for kind, words in _REASONS:
            if isinstance(chain, kind):
                return words
        if isinstance(chain, OSError) and chain.strerror:
            return chain.strerror
        chain = chain.__cause__ or chain.__context__
    for text, words in _TEXTS:
        if text in str(error):
            return words
    return _LOST if isinstance(error, exceptions.ConnectionError) else type(error).__name__


_OTHER_HOST: Final = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH and that of addresses
_NODE: Final = "it is a node of a cluster; write redis+cluster:// and name some of its nodes"
_REASONS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (AuthenticationError, f"{REFUSED}; see REDIS_URL, REDIS_USERNAME and REDIS_PASSWORD"),
    (NoPermissionError, "its ACL does not let the user do what is needed"),
    (MasterNotFoundError, "no sentinel that answers knows a master of that name"),
    (ClusterModeError, _NODE),
    (AskError, _NODE),  # which MovedError is, too
    (BusyLoadingError, "it is still loading its data"),
    (ssl.SSLCertVerificationError, "its certificate is not trusted; REDIS_TLS_CA names the authority to trust"),
    (ssl.SSLError, "TLS fails; is it Redis with TLS that listens there?"),
    (socket.gaierror, "the name of its host is not known"),
    (ConnectionRefusedError, "nothing listens there"),
    (MaxConnectionsError, "it has as many connections as it may"),
    (exceptions.TimeoutError, "it does not answer in time"),
    (TimeoutError, "it does not answer in time"),
)
_TEXTS: Final = (
    ("DB index", "it has no database of that number"),
    ("Cluster mode is not enabled", "it is no cluster; write redis:// or redis+sentinel://"),
)
_LOST: Final = "it ends connections"
