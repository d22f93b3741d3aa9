"""The fuzz targets: each is a hypothesis strategy for its input, and a check of what has to hold for any of it.

What holds for all: an input is taken, or refused with the documented exception. Anything else is a finding, which
hypothesis shrinks and prints; a crash of the library ends the process of its target, and `fuzz.__main__` says so.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from fuzz.fed import FED
from fuzz.target import Target
from kernel.tests.engine.test_codec import echo, linked_echo
from kernel.tests.engine.wit_types import same, shapes, tuple_of
from qwasr.engine import Engine, EngineOptions
from qwasr.engine.component import parse_text
from qwasr.engine.names import FunctionName, InterfaceName
from qwasr.errors import ComponentError, ConfigurationError, GuestError, GuestTrap
from qwasr.options import read_env_file
from qwasr.runtime_options import CommandOptions, RuntimeOptions
from qwasr.source import classify
from qwasr.trace import MAX_STATE_BYTES, TraceContext
from qwasr.values import WitError
from qwasr_http.client import AiohttpClientOptions
from qwasr_http.destinations import Address, Destinations, is_inner, parse_authority
from qwasr_http.fields import FORBIDDEN, Fields
from qwasr_http.proxies import TrustedProxies
from qwasr_http.server import HttpServerOptions
from qwasr_wasi.sockets.rules import SocketRules
from tests.hostile import corpus

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["TARGETS"]

_INNER: Final[list[Address]] = [
    ipaddress.ip_address(text)
    for text in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1")
]
_WIRE_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_WIRE_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")


@cache
def _engine() -> Engine:
    return Engine(EngineOptions(concurrency=2, memory_bytes=1024 * 1024))


@cache
def _binary() -> bytes:
    return corpus.component()


@st.composite
def _damaged(draw: st.DrawFn, original: bytes) -> bytes:
    """An original with a few bytes changed, put in, or taken out."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        match draw(st.integers(0, 3)):
            case 0 if data:
                data[at] = draw(st.integers(0, 255))
            case 1:
                data[at:at] = draw(st.binary(max_size=8))
            case 2:
                del data[at : at + draw(st.integers(1, 64))]
            case _:
                del data[at:]
    return bytes(data)


def _classify(data: bytes) -> None:
    try:
        kind = classify(data, "fuzz")
    except ComponentError:
        return
    assert kind in ("component", "text", "precompiled")


def _parse_text(data: bytes) -> None:
    try:
        parse_text(data, "fuzz")
    except ComponentError:
        return


def _load(data: bytes) -> None:
    """A damaged component is refused, or it is one: then it can be reflected."""
    try:
        component = _engine().load(data)
    except ComponentError:
        return
    for name in component.imports:
        component.import_functions(name)


def _interface_names(text: str) -> None:
    name = InterfaceName.parse(text)
    assert f"{name.path}@{name.version}".removesuffix("@") == text.removesuffix("@")
    assert name.serves(name)
    function = FunctionName.parse(text)
    assert function.kind in ("method", "static", "constructor", "function")
    assert function.kind != "function" or function.function == text


def _options(given: tuple[dict[str, str], int]) -> None:
    environ, which = given
    classes = (RuntimeOptions, CommandOptions, HttpServerOptions, AiohttpClientOptions)
    with suppress(ConfigurationError):
        assert repr(classes[which].from_env(environ))


def _env_file(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with suppress(ConfigurationError):
            values = read_env_file(Path(file.name))
            assert None not in values.values()


def _allow_list(given: tuple[list[str], list[str], str, str]) -> None:
    """An inner address is permitted only where an entry names it or a private network holds it."""
    allow, private, scheme, authority = given
    try:
        destinations = Destinations(allow, private)
        destination = parse_authority(scheme, authority)
    except ValueError:
        return
    assert 1 <= destination.port <= 65535
    assert destination.host == destination.host.lower()
    assert allow or not destinations.allows(destination)
    for address in _INNER if destination.address is None else [destination.address]:
        if is_inner(address) and destinations.permits(destination, address):
            assert (
                any(_names(entry, address) for entry in allow)
                or (address.is_loopback and destination.host == "localhost")
                or (destination.address is None and any(address in ipaddress.ip_network(one) for one in private))
            )


def _socket_rules(given: tuple[list[str], list[str], int, list[str]]) -> None:
    """An inner address may be connected to only where a `connect` spells it, or a name leads to a private network."""
    allow, private, port, names = given
    try:
        rules = SocketRules(allow, private)
    except ValueError:
        return
    assert allow or not rules
    for address in _INNER:
        if rules.may_connect("tcp", address, port, names):
            assert any(_connects(entry.strip(), address) for entry in allow) or (
                names and any(address in ipaddress.ip_network(one) for one in private)
            )


def _connects(rule: str, address: Address) -> bool:
    """Whether a rule for sockets spells the address, or a network around it that is no larger than inner ones are."""
    host = rule.removeprefix("connect:").removesuffix("/tcp").rpartition(":")[0]
    if not rule.startswith("connect:"):
        return False
    if address.is_loopback and host.lower().removesuffix(".") == "localhost":
        return True
    with suppress(ValueError):
        network = ipaddress.ip_network(host.replace("[", "").replace("]", ""))
        return network.prefixlen >= 4 and address in network
    return False


def _names(entry: str, address: Address) -> bool:
    """Whether an entry spells the address, with or without a scheme and a port."""
    host = entry.strip().rpartition("://")[2]
    for spelling in (host, host.rpartition(":")[0], host.removesuffix(".")):
        with suppress(ValueError):
            if ipaddress.ip_address(spelling.removeprefix("[").removesuffix("]")) == address:
                return True
    return False


def _headers(steps: list[tuple[str, str, bytes]]) -> None:
    """Whatever a guest does to its headers, what they hold can be sent."""
    fields = Fields()
    for action, name, value in steps:
        try:
            match action:
                case "append":
                    fields.append(name, value)
                case "set":
                    fields.set(name, [value, value])
                case "delete":
                    fields.delete(name)
                case "clone":
                    fields = fields.clone()
                case "from-list":
                    fields = Fields.from_list([(name, value)])
                case _:
                    assert fields.has(name) == bool(fields.get(name))
        except WitError:
            continue
        except GuestTrap:
            return
    for name, value in fields.entries():
        assert _WIRE_NAME.fullmatch(name)
        assert _WIRE_VALUE.fullmatch(value)
        assert name.lower() not in FORBIDDEN


def _proxied(given: tuple[str, str, str]) -> None:
    """Whatever is said of a client, what is believed of it is an address, and a host that can be sent on."""
    standard, chain, host = given
    headers = CIMultiDict({"Forwarded": standard, "X-Forwarded-For": chain, "X-Forwarded-Host": host})
    said = TrustedProxies(("10.0.0.0/8", "::1")).read(CIMultiDictProxy(headers))
    assert said is not None
    if said.client is not None:
        ipaddress.ip_address(said.client)
    assert said.host is None or not set(said.host) & set("\r\n \t/@")


def _trace(given: tuple[list[str], list[str]]) -> None:
    """A trace that is believed is one that everyone believes, and no longer than it may be."""
    found = TraceContext.read(*given)
    if found is not None:
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", found.parent)
        assert len(found.state) <= MAX_STATE_BYTES
        assert TraceContext.read([found.parent], [found.state] if found.state else []) == found


def _codec(data: st.DataObject) -> None:
    """Any value of any type crosses four times unchanged; what does not fit is refused and harms no later call."""
    shape = tuple_of([data.draw(shapes)])
    linked, host = linked_echo(_engine(), shape)
    for value in data.draw(st.lists(shape.values, min_size=1, max_size=3)):
        assert same(asyncio.run(echo(linked, value)), value)
    host.answer = [(data.draw(_anything),)]
    good = data.draw(shape.values)
    with suppress(GuestError, WitError):
        asyncio.run(echo(linked, good))
    host.answer = None
    assert same(asyncio.run(echo(linked, good)), good)


_anything: Final[SearchStrategy[Any]] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.builds(object),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_WORDS: Final = st.sampled_from(
    [
        "(component",
        "(module",
        "(func",
        "(import",
        '"a"',
        "$x",
        ")",
        "(;",
        ";)",
        ";;",
        "\n",
        "(param",
        "i32",
        "\\ff",
        '"',
        "(",
    ]
)
_wat: Final = st.lists(_WORDS | st.text(max_size=4), max_size=40).map(
    lambda words: " ".join(words).encode("utf-8", "replace")
)
_header_bytes: Final = st.binary(max_size=30).map(lambda rest: b"\0asm" + rest)
_variables: Final = [
    variable.name
    for cls in (RuntimeOptions, CommandOptions, HttpServerOptions, AiohttpClientOptions)
    for variable in cls.variables()
]
_host: Final = st.sampled_from(
    [
        "localhost",
        "127.0.0.1",
        "[::1]",
        "*",
        "*.example.org",
        "example.org.",
        "169.254.169.254",
        "0x7f.1",
        "[fe80::1%1]",
    ]
) | st.text("abc.*-_[]:%@/#0123456789\u0130", max_size=20)
_entry: Final = st.tuples(
    st.sampled_from(["", "http://", "https://", "ftp://", "://"]),
    _host,
    st.sampled_from(["", ":80", ":0", ":65536", ":x"]),
).map("".join)
_network: Final = st.sampled_from(["10.0.0.0/8", "::/0", "0.0.0.0/0", "fc00::/7"]) | st.text(
    "0123456789./:", max_size=12
)
_socket_rule: Final = st.tuples(
    st.sampled_from(["connect:", "listen:", "resolve:", "connect", " connect:"]),
    _host | _network | st.sampled_from(["[fc00::/7]", "[::]/0", "127.0.0.0/8"]),
    st.sampled_from(["", ":80", ":*", ":0", ":79-81", ":81-79", ":80/tcp", ":80/udp", ":x"]),
).map("".join)
_header_name: Final = st.sampled_from(["x", "Host", "TE", "x-y", "content-length", "", "\u212a"]) | st.text(max_size=6)
_step: Final = st.tuples(
    st.sampled_from(["append", "set", "delete", "clone", "from-list", "has"]), _header_name, st.binary(max_size=12)
)

_forwarded: Final = st.lists(
    st.sampled_from(
        ["for=", "proto=", "host=", '"', "\\", ";", ",", "[::1]", "10.0.0.1", "192.0.2.1:80", "https", "%1"]
    )
    | st.text(max_size=3),
    max_size=12,
).map("".join)
_parent: Final = st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-x)?", fullmatch=True)

TARGETS: Final = {
    target.name: target
    for target in (
        Target("classify", st.binary(max_size=64) | _header_bytes | _wat, _classify),
        Target("text", _wat | st.binary(max_size=200), _parse_text),
        Target("component", st.builds(_binary).flatmap(_damaged), _load),
        Target("names", st.text(max_size=40) | st.text("[]methodstaic.:/@-0123", max_size=30), _interface_names),
        Target(
            "options",
            st.tuples(
                st.dictionaries(st.sampled_from(_variables), st.text(max_size=12) | st.integers().map(str)),
                st.integers(0, 3),
            ),
            _options,
        ),
        Target(
            "env-file", st.binary(max_size=200) | st.text("A=\"'\\\n #export", max_size=60).map(str.encode), _env_file
        ),
        Target(
            "allow-list",
            st.tuples(
                st.lists(_entry, max_size=3), st.lists(_network, max_size=2), st.sampled_from(["http", "https"]), _entry
            ),
            _allow_list,
        ),
        Target(
            "socket-rules",
            st.tuples(
                st.lists(_socket_rule, max_size=3),
                st.lists(_network, max_size=2),
                st.sampled_from([80, 443]),
                st.lists(st.sampled_from(["localhost", "example.org", "a.example.org"]), max_size=2),
            ),
            _socket_rules,
        ),
        Target("headers", st.lists(_step, max_size=30), _headers),
        Target("forwarded", st.tuples(_forwarded, _forwarded, _forwarded), _proxied),
        Target(
            "trace",
            st.tuples(
                st.lists(_parent | st.text(max_size=60), max_size=2),
                st.lists(st.text("ab@=,/ \t", max_size=300) | st.text(max_size=80), max_size=4),
            ),
            _trace,
        ),
        Target("codec", st.data(), _codec),
        *FED,
    )
}
