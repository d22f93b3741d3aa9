"""Targets for what clients and users feed: heads of requests, what is said in them, addresses, settings.

See `fuzz.targets` for what has to hold.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpRequestParser
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from fuzz.target import Target
from qwasr.errors import ConfigurationError
from qwasr.registry import Registry
from qwasr.settings_file import SettingsFile, settings_keys
from qwasr.trace import MAX_STATE_BYTES, MAX_STATE_MEMBERS, TraceContext
from qwasr_http.examination import examine
from qwasr_http.limits import Limits
from qwasr_http.listening import parse_addresses
from qwasr_http.proxies import TrustedProxies

__all__ = ["FED"]

_TRUSTED: Final = ("10.0.0.0/8", "fc00::/7", "unix")
_HOST: Final = re.compile(r"[\x21-\x7e]+")
_PARENT: Final = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@cache
def _registry() -> Registry:
    return Registry(environ={})


def _proxies(headers: list[tuple[str, str]]) -> None:
    """What a proxy is believed to have said is an address, a host and a scheme, whatever it wrote."""
    said = TrustedProxies(_TRUSTED).read(CIMultiDictProxy(CIMultiDict(headers)))
    if said is None:
        return
    if said.client is not None:
        ipaddress.ip_address(said.client)
    assert said.host is None or _HOST.fullmatch(said.host)
    assert said.secure in (None, True, False)


def _trace(given: tuple[list[str], list[str]]) -> None:
    """What goes on of a trace can be sent, is bounded, and is read as itself."""
    trace = TraceContext.read(*given)
    if trace is None:
        return
    assert _PARENT.fullmatch(trace.parent)
    assert len(trace.state) <= MAX_STATE_BYTES
    assert trace.state.count(",") < MAX_STATE_MEMBERS
    assert trace.state.isprintable()
    assert trace.state.isascii()
    assert TraceContext.read([trace.parent], [trace.state]) == trace


def _head(data: bytes) -> None:
    """A head is refused by the parser or by `examine`, or a guest can be told what it asks for."""
    limits = Limits()
    parser = HttpRequestParser(
        BaseProtocol(_loop()),
        _loop(),
        2**16,
        max_line_size=limits.header_bytes,
        max_headers=limits.headers,
        max_field_size=limits.header_bytes,
    )
    try:
        messages, _, _ = parser.feed_data(data)
    except HttpProcessingError:
        return
    for message, payload in messages:
        exchange: Any = SimpleNamespace(
            message=message,
            payload=payload,
            protocol=SimpleNamespace(proxies=TrustedProxies(_TRUSTED)),
            target=None,
            authority=None,
            id=None,
            forwarded=None,
            expects=False,
        )
        refusal = examine(exchange, limits)
        if refusal is not None:
            assert refusal[0] in (400, 413, 417, 431, 501)
            continue
        assert exchange.target == "*" or exchange.target.startswith("/")
        assert exchange.target.isascii()
        assert (exchange.authority or "").isascii()
        assert exchange.id is None or exchange.id.isprintable()


def _addresses(texts: list[str]) -> None:
    """An address that was taken is found again from how it is shown."""
    try:
        addresses = parse_addresses(texts)
    except ConfigurationError:
        return
    for address in addresses:
        assert 0 <= address.port <= 65535
        (again,) = parse_addresses([address.url(tls=address.tls or False)])
        assert (again.host, again.port, again.path) == (address.host, address.port, address.path)


def _settings(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with suppress(ConfigurationError):
            settings = SettingsFile(Path(file.name))
            settings.early()
            settings.layer(_registry(), {})


_small: Final = st.text("abcdf0123456789:.[]%,;=\"\\ \t-_/@*'\u00e9", max_size=20)
_ip: Final = st.sampled_from(
    [
        "10.1.2.3",
        "192.0.2.1",
        "192.0.2.1:80",
        "[fd00::1]:80",
        "2001:db8::1",
        "::ffff:10.0.0.1",
        "fe80::1%eth0",
        "unknown",
    ]
)
_forwarded: Final = st.lists(
    st.tuples(
        st.sampled_from(["for", "For", "proto", "host", "by", "x"]),
        _ip | _small,
        st.sampled_from([";", ",", " , ", '"', ""]),
        st.booleans(),
    ).map(lambda pair: f'{pair[0]}="{pair[1]}"{pair[2]}' if pair[3] else f"{pair[0]}={pair[1]}{pair[2]}"),
    max_size=5,
).map("".join)
_proxy_header: Final = st.one_of(
    st.tuples(st.just("Forwarded"), _forwarded | _small),
    st.tuples(st.just("X-Forwarded-For"), st.lists(_ip | _small, max_size=70).map(", ".join)),
    st.tuples(st.just("X-Forwarded-Proto"), st.sampled_from(["http", "https", "HTTPS", "ftp", "https,http"]) | _small),
    st.tuples(st.just("X-Forwarded-Host"), st.sampled_from(["a.test", "[::1]:80", "a b", "a.test:99999"]) | _small),
)
_hex: Final = st.sampled_from(["00", "ff", "cc", "0" * 32, "a" * 32, "0" * 16, "b" * 16, "01", "zz", "-", "A" * 32])
_parent: Final = (
    st.just(f"00-{'a' * 32}-{'b' * 16}-01") | st.lists(_hex, max_size=6).map("-".join) | st.text(max_size=60)
)
_member: Final = st.tuples(st.text("abz09_*/@-A ", max_size=20), st.text(max_size=140)).map("=".join)
_state: Final = st.lists(_member | st.sampled_from(["a=1", "b=" + "x" * 200, "", " "]), max_size=40).map(",".join)
_line: Final = st.one_of(
    _proxy_header.map(": ".join),
    st.sampled_from(
        [
            "Host: a.test",
            "Host: [::1]:80",
            "Host: a\u00e9",
            "Content-Length: 5",
            "Content-Length: 99999999999999999999",
            "Transfer-Encoding: chunked",
            "Expect: 100-continue",
            "Expect: more",
            "X-Request-ID: abc",
            "X-Request-ID: a b",
            "Connection: upgrade",
            "Upgrade: websocket",
        ]
    ),
    st.text(max_size=30),
)
_start: Final = st.tuples(
    st.sampled_from(["GET", "POST", "CONNECT", "OPTIONS", "M-SEARCH", "G\u00c9T", ""]) | _small,
    st.sampled_from(["/", "*", "http://a.test", "http://a.test?x", "//a", "a:1", "/%ff", "/\u00e9", "?", "#", "://"])
    | _small,
    st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.1 ", "http/1.1"]),
).map(" ".join)
_heads: Final = st.tuples(
    _start, st.lists(_line, max_size=6), st.sampled_from(["\r\n", "\n"]), st.text(max_size=8)
).map(lambda head: (head[2].join([head[0], *head[1], "", ""]) + head[3]).encode("utf-8", "surrogateescape"))
_address: Final = st.tuples(
    st.sampled_from(["", "http://", "https://", "unix:", "unix:/", "ftp://", "://"]),
    st.sampled_from(["localhost", "127.0.0.1", "[::1]", "::1", "", "[", "*", "/run/a", "a%b"]) | _small,
    st.sampled_from(["", ":80", ":0", ":65536", ":x", ":-1", ":\u0661", ":80:80"]),
).map("".join)
_toml_value: Final = st.sampled_from(
    [
        "1",
        "-1",
        "1e400",
        "nan",
        "true",
        '"x"',
        "''",
        "[]",
        '["a", "b"]',
        "[1, {}]",
        "{}",
        "{ a = 1 }",
        "1979-05-27",
        "9" * 60,
        "0x1F",
    ]
)


@st.composite
def _toml(draw: st.DrawFn) -> bytes:
    """Settings as somebody might write them: mostly keys that exist, with values that may not fit."""
    known = settings_keys(_registry())
    lines = []
    for _ in range(draw(st.integers(0, 4))):
        table = draw(st.sampled_from([*known, "nothing"]) | st.text("abz.-\"' ", max_size=8))
        lines.append(f"[{table}]")
        keys = [*known.get(table, {}), "store", "x"]
        some = draw(st.lists(st.sampled_from(keys) | st.text("abz._\"' ", max_size=8), max_size=4))
        lines += [f"{key} = {draw(_toml_value | st.text(max_size=10))}" for key in some]
    return "\n".join(lines).encode("utf-8", "replace")


FED: Final = (
    Target("proxies", st.lists(_proxy_header, max_size=4), _proxies),
    Target("trace", st.tuples(st.lists(_parent, max_size=2), st.lists(_state, max_size=3)), _trace),
    Target("head", _heads | st.binary(max_size=100).map(lambda data: b"GET / HTTP/1.1\r\n" + data), _head),
    Target("addresses", st.lists(_address, max_size=3), _addresses),
    Target("settings", _toml() | st.binary(max_size=100), _settings),
)
