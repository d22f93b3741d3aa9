"""What `REDIS_URL` says.

=========================================== ==========================================================
``redis://user:password@cache:6379/1``      one server, and the number of its database
``rediss://cache:6379``                     the same with TLS
``redis+unix:///run/redis.sock``            a server on this machine; ``?db=1`` for another database
``redis+sentinel://a:26379,b,c/mymaster/1`` whichever server the sentinels say is the master of that name
``redis+cluster://a:7000,b:7001``           a cluster, and some of its nodes
=========================================== ==========================================================

``rediss+sentinel`` and ``rediss+cluster`` are those with TLS. Users and passwords are percent-encoded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import unquote

from qwasr.errors import OptionError

__all__ = ["SCHEMES", "Address", "parse"]

Kind = Literal["server", "unix", "sentinel", "cluster"]
SCHEMES: Final[dict[str, tuple[Kind, bool]]] = {
    "redis": ("server", False),
    "rediss": ("server", True),
    "redis+unix": ("unix", False),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}
_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379
_MAX_PORT: Final = 65535
_MAX_DATABASE: Final = 2**31 - 1
_MAX_HOSTS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where Redis is.

    Attributes:
        kind: what is there.
        tls: whether connections are encrypted.
        hosts: names and ports; one of a server, several of sentinels or of a cluster, none of a Unix socket.
        path: the Unix socket.
        service: the name that the sentinels give the master.
        database: the database's number, 0 for a cluster.
        username: the ACL user.
        password: the password.
    """

    kind: Kind
    tls: bool = False
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    service: str = ""
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def parse(url: str) -> Address:
    """Return what a URL says.

    Raises:
        OptionError: it is none that this backend understands. The message does not quote it: it may hold a password.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() not in SCHEMES:
        raise _wrong(f"it has to begin with one of {', '.join(f'{known}://' for known in SCHEMES)}")
    kind, tls = SCHEMES[scheme.lower()]
    rest, _, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    login, _, hosts = authority.rpartition("@")
    username, colon, password = login.partition(":")
    who: dict[str, Any] = {"username": unquote(username) or None, "password": unquote(password) if colon else None}
    if kind == "unix":
        if hosts or not path:
            raise _wrong("write a Unix socket as redis+unix:///path/of/the.sock")
        return Address(kind=kind, path=unquote(slash + path), database=_query_database(query), **who)
    if query or "#" in rest:
        raise _wrong("it has a query or a fragment; what it may say has a variable of its own")
    places = tuple(_host(one, _SENTINEL_PORT if kind == "sentinel" else _PORT) for one in hosts.split(","))
    if kind == "server" and len(places) > 1:
        raise _wrong("it names several hosts; use redis+sentinel:// or redis+cluster://")
    if len(places) > _MAX_HOSTS:
        raise _wrong(f"it names more than {_MAX_HOSTS} hosts")
    service = ""
    if kind == "sentinel":
        service, _, path = path.partition("/")
        if not service:
            raise _wrong("it does not name the master: redis+sentinel://host:26379/mymaster")
    if kind == "cluster" and path:
        raise _wrong("a cluster has one database only; leave away what follows the hosts")
    return Address(kind=kind, tls=tls, hosts=places, service=unquote(service), database=_database(path), **who)


def _host(text: str, port: int) -> tuple[str, int]:
    """Return host and port of ``host``, ``host:port``, ``[v6]`` or ``[v6]:port``."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        colon, digits = rest[:1], rest[1:]
        if not bracket or (rest and colon != ":"):
            raise _wrong("an IPv6 address is written as [::1]:6379")
    else:
        host, colon, digits = text.partition(":")
    if not host or any(mark.isspace() for mark in host):
        raise _wrong("it names no host")
    if not colon:
        return unquote(host), port
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= len(str(_MAX_PORT)) else 0
    if not 1 <= number <= _MAX_PORT:
        raise _wrong(f"a port is a number from 1 to {_MAX_PORT}")
    return unquote(host), number


def _query_database(query: str) -> int:
    name, equals, text = query.partition("=")
    if query and (name != "db" or not equals):
        raise _wrong("a Unix socket's URL may end in ?db=1, and in nothing else")
    return _database(text)


def _database(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_DATABASE)) and int(text) <= _MAX_DATABASE):
        raise _wrong("a database is a number, as in redis://host:6379/1")
    return int(text)


def _wrong(reason: str) -> OptionError:
    return OptionError(f"REDIS_URL, or the URL that chose the backend: {reason}")
