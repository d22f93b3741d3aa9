"""The most likely cause of a connection that failed, read from the exceptions that say so, and what to do about it.

Client libraries wrap what happened in classes of their own, several deep. The whole chain is looked at: the operating
system's errors and those of TLS by their types and numbers, everything else by codes, class names and words. Texts are
only searched, never shown: they may quote a password.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HINTS", "diagnose"]

_MAX_CHAIN: Final = 32

HINTS: Final = {
    "authentication": "the service does not accept this user and password; look at {address} and the credentials",
    "closed": "the service hung up; a connection without TLS to a port that speaks it ends like this, and a wrong port",
    "missing": "the service is there, and the database, bucket, file or socket that {address} names is not; create it",
    "name": "the host name of {address} cannot be resolved; is it spelt right, and known where this process runs?",
    "permission": "the service knows this user and does not let it; grant it what is missing, or change {address}",
    "refused": "the host is there, and nothing listens at the port; is the service started, and {address} right?",
    "timeout": "nothing answered in time: a wrong host in {address}, a firewall, or TLS to a port without it",
    "tls": "TLS does not come about; does the service speak it at this port, and is its certificate's issuer trusted?",
    "unreachable": "there is no way to the host of {address}; is this machine in the right network?",
    "other": "is the service well, and {address} right?",
}

_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")  # between the words of a class name
_ERRNO: Final = {
    **dict.fromkeys((errno.ECONNREFUSED,), "refused"),
    **dict.fromkeys((errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN), "unreachable"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "permission"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "missing"),
    **dict.fromkeys((errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED), "closed"),
    errno.ETIMEDOUT: "timeout",
}
_STATUS: Final = {401: "authentication", 403: "permission", 404: "missing"}
_SQLSTATE: Final = {"28": "authentication", "42501": "permission", "3D": "missing", "3F": "missing", "42P01": "missing"}
_SQLITE: Final = {
    "SQLITE_CANTOPEN": "missing",
    "SQLITE_PERM": "permission",
    "SQLITE_READONLY": "permission",
    "SQLITE_AUTH": "authentication",
}
_WORDS: Final = {
    kind: re.compile(words, re.IGNORECASE)
    for kind, words in {
        "tls": r"certificate|\b(ssl|tls)\b|handshake",
        "name": r"getaddrinfo|name or service not known|name ?resolution|translate host name|NXDOMAIN",
        "authentication": r"authenticat|wrongpass|noauth|unauthorized|logged ?in|login failed|\bsasl\b"
        r"|(invalid|wrong|bad) (user|password|credential)|InvalidPassword|InvalidAuthorization",
        "permission": r"noperm|permission|forbidden|access ?denied|privilege|not authorized",
        "missing": r"no ?such|not ?found|does(n't| not) exist|unknown (database|bucket|topic|stream)|InvalidCatalog"
        r"|(database|bucket|index) (index )?is out of range",
        "refused": r"refused",
        "unreachable": r"unreachable|no route to host",
        "closed": r"connection .{0,60}(reset|closed|lost|aborted)|closed by (the )?(server|peer)|incomplete ?read|"
        r"broken ?pipe|unexpected eof",
        "timeout": r"time[d-]? ?out",
    }.items()
}


def diagnose(error: BaseException) -> str:
    """Return the most likely cause of a failed connection, one of the keys of `HINTS`."""
    found = [kind for one in _chain(error) if (kind := _kind(one)) is not None]
    # What gave up after a while says why it had to try for so long further down.
    return next((kind for kind in found if kind != "timeout"), found[0] if found else "other")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those behind it, the outermost first, also where a library hides them."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < _MAX_CHAIN:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inside = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        arguments = (argument for argument in one.args if isinstance(argument, BaseException))
        waiting += [other for other in (*inside, *arguments, one.__cause__, one.__context__) if other is not None]


def _kind(error: BaseException) -> str | None:
    if isinstance(error, socket.gaierror):
        return "name"
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, OSError) and error.errno in _ERRNO:
        return _ERRNO[error.errno]
    if (kind := _coded(error)) is not None:
        return kind
    name = type(error).__name__
    text = f"{name} {_HUMP.sub(' ', name)} {error}"
    return next((kind for kind, words in _WORDS.items() if words.search(text)), None)


def _coded(error: BaseException) -> str | None:
    """Return what a code says that the error carries, as database and HTTP libraries do."""
    sqlite = getattr(error, "sqlite_errorname", None)
    if isinstance(sqlite, str):
        return next((kind for name, kind in _SQLITE.items() if sqlite.startswith(name)), None)
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return next((kind for prefix, kind in _SQLSTATE.items() if state.startswith(prefix)), None)
    codes = (getattr(error, name, None) for name in ("status", "status_code", "code"))
    return next((_STATUS[code] for code in codes if isinstance(code, int) and code in _STATUS), None)
