"""What a proxy in front may say of a request, and who is not believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from interfaces.http.tests import http_guests as guests
from qwasr.errors import OptionError
from qwasr_http.proxies import Forwarded, TrustedProxies

if TYPE_CHECKING:
    from interfaces.http.tests.conftest import Connect, Serve

PROXIES = TrustedProxies(["10.0.0.0/8", "2001:db8::/32"])


def read(*fields: tuple[str, str]) -> Forwarded | None:
    return PROXIES.read(CIMultiDictProxy(CIMultiDict(fields)))


@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"])
def test_a_peer_of_a_trusted_network_is_trusted(peer: str) -> None:
    assert PROXIES.trusts(peer)


@pytest.mark.parametrize("peer", ["192.0.2.1", "::1", "", "nonsense", None])
def test_no_other_peer_is(peer: str | None) -> None:
    assert not PROXIES.trusts(peer)


def test_peers_on_unix_sockets_are_trusted_by_name() -> None:
    assert TrustedProxies(["unix"]).trusts(None)


def test_what_is_no_network_is_an_error_that_names_the_variable() -> None:
    with pytest.raises(OptionError, match="HTTP_TRUSTED_PROXIES"):
        TrustedProxies(["10.0.0.1/8"])


def test_without_the_headers_nothing_is_said() -> None:
    assert read(("Host", "here")) is None


def test_the_client_is_the_last_that_is_no_proxy() -> None:
    said = read(("X-Forwarded-For", "203.0.113.9, 192.0.2.1"), ("X-Forwarded-For", "10.0.0.2"))
    assert said == Forwarded("192.0.2.1")


def test_scheme_and_host_are_those_of_the_proxy_next_to_the_client() -> None:
    said = read(
        ("X-Forwarded-For", "forged, 192.0.2.1, 10.0.0.2"),
        ("X-Forwarded-Proto", "forged, https, http"),
        ("X-Forwarded-Host", "forged.test, shop.test, inner.test"),
    )
    assert said == Forwarded("192.0.2.1", True, "shop.test")


def test_one_scheme_for_the_whole_chain_is_taken() -> None:
    assert read(("X-Forwarded-For", "192.0.2.1, 10.0.0.2"), ("X-Forwarded-Proto", "https")) == Forwarded(
        "192.0.2.1", True
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("for=192.0.2.1;proto=https;host=shop.test", Forwarded("192.0.2.1", True, "shop.test")),
        ('For="[2001:db9::1]:4711" ; PROTO=http', Forwarded("2001:db9::1", False)),
        ("for=203.0.113.9;proto=http, for=192.0.2.1;proto=https, for=10.0.0.2", Forwarded("192.0.2.1", True)),
        ("for=_hidden, for=10.0.0.2", Forwarded()),
        ('host="shop.test:8443"', Forwarded(None, None, "shop.test:8443")),
        ('for="unended', Forwarded()),
        ("for=192.0.2.1;for=203.0.113.9", Forwarded()),
        ('host="a/b"', Forwarded()),
    ],
)
def test_the_standard_header_is_read_alike(value: str, said: Forwarded) -> None:
    assert read(("Forwarded", value)) == said


def test_of_two_kinds_only_what_both_say_is_believed() -> None:
    said = read(
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-Proto", "http"),
        ("Forwarded", "for=192.0.2.1;proto=https;host=forged.test"),
    )
    assert said == Forwarded("192.0.2.1")


@given(st.text(max_size=200), st.text(max_size=200))
def test_whatever_is_sent_nothing_fails(standard: str, chain: str) -> None:
    said = read(("Forwarded", standard), ("X-Forwarded-For", chain), ("X-Forwarded-Host", chain))
    assert said is not None


HEAD = b"GET / HTTP/1.1\r\nHost: here\r\nX-Forwarded-Host: shop.test\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"


async def test_a_guest_behind_a_trusted_proxy_sees_the_clients_host(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.AUTHORITY), HTTP_TRUSTED_PROXIES="127.0.0.0/8"))
    await client.send(HEAD)
    assert (await client.answer()).body == b"shop.test"


async def test_anyone_else_is_not_believed(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.AUTHORITY), HTTP_TRUSTED_PROXIES="10.0.0.0/8"))
    await client.send(HEAD)
    assert (await client.answer()).body == b"here"


@pytest.mark.parametrize(("trusted", "body"), [("127.0.0.1", b"192.0.2.1\n"), ("", b"")])
async def test_a_guest_sees_the_headers_of_trusted_proxies_alone(
    serve: Serve, connect: Connect, trusted: str, body: bytes
) -> None:
    component = guests.guest(guests.HEADER, {"name": "x-forwarded-for", "newline": "\n"})
    client = await connect(await serve(component, HTTP_TRUSTED_PROXIES=trusted))
    await client.send(HEAD)
    assert (await client.answer()).body == body
