"""Where guests may send requests: host names, the addresses behind them, and every disguise of an inner one."""

from __future__ import annotations

import ipaddress
import string
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfaces.wasi.tests.inner import INNER
from qwasr_http.destinations import Destination, Destinations, parse_authority

labels = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=10).filter(
    lambda label: label[0].isalpha()
)
host_names = st.lists(labels, min_size=1, max_size=4).map(".".join)
ports = st.integers(1, 65535)
schemes = st.sampled_from(["http", "https"])


def to(authority: str, scheme: str = "http") -> Destination:
    return parse_authority(scheme, authority)


def test_nothing_is_allowed_unless_said() -> None:
    assert not Destinations([]).allows(to("example.org"))


@given(schemes, host_names, ports)
def test_a_full_entry_allows_exactly_its_destination(scheme: str, host: str, port: int) -> None:
    allowed = Destinations([f"{scheme}://{host}:{port}"])
    assert allowed.allows(to(f"{host}:{port}", scheme))
    assert allowed.allows(to(f"{host.upper()}.:{port}", scheme))
    assert not allowed.allows(to(f"{host}:{port}", "https" if scheme == "http" else "http"))
    assert not allowed.allows(to(f"{host}:{port % 65535 + 1}", scheme))
    assert not allowed.allows(to(f"x{host}:{port}", scheme))
    assert not allowed.allows(to(f"x.{host}:{port}", scheme))


@given(schemes, host_names, ports)
def test_what_an_entry_leaves_out_may_be_anything(scheme: str, host: str, port: int) -> None:
    assert Destinations([host]).allows(to(f"{host}:{port}", scheme))
    assert Destinations([f"{scheme}://{host}"]).allows(to(f"{host}:{port}", scheme))
    assert Destinations([f"{host}:{port}"]).allows(to(f"{host}:{port}", scheme))


@given(host_names, host_names)
def test_a_star_means_subdomains_only(sub: str, host: str) -> None:
    allowed = Destinations([f"*.{host}"])
    assert allowed.allows(to(f"{sub}.{host}"))
    assert not allowed.allows(to(host))
    assert not allowed.allows(to(f"{sub}{host}"))
    assert not allowed.allows(to(f"{host}.evil"))


def test_a_default_port_is_that_of_the_scheme() -> None:
    allowed = Destinations(["example.org:443"])
    assert allowed.allows(to("example.org", "https"))
    assert not allowed.allows(to("example.org", "http"))


def test_a_lone_star_allows_every_host_but_no_inner_address() -> None:
    allowed = Destinations(["*"])
    assert allowed.allows(to("anything.test"))
    assert not allowed.permits(to("anything.test"), ipaddress.ip_address("127.0.0.1"))
    assert allowed.permits(to("anything.test"), ipaddress.ip_address("1.1.1.1"))


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "ftp://a",
        "a:0",
        "a:65536",
        "a:b",
        "http://",
        "a b",
        "*.",
        "a.*.b",
        "[::1",
        "::1:80x",
        "256.1.1.1",
        "a/b",
        "http://a/",
        "u@a",
    ],
)
def test_an_entry_that_is_none_is_an_error(entry: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Destinations([entry])


@given(st.text(max_size=20))
def test_an_entry_is_understood_or_an_error(entry: str) -> None:
    with suppress(ValueError):
        Destinations([entry])


@given(st.text(max_size=30))
def test_an_authority_is_understood_or_an_error(authority: str) -> None:
    try:
        found = to(authority)
    except ValueError:
        return
    assert found.host == found.host.lower()
    assert 1 <= found.port <= 65535


@pytest.mark.parametrize(
    "authority",
    ["2130706433", "127.1", "0177.0.0.1", "127.0.0.01", "1", "0x7f.1", "[::1%eth0]", "[::1", "a..b", "-a", ""],
)
def test_spellings_that_only_resolvers_read_are_no_authority(authority: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        to(authority)


@pytest.mark.parametrize("address", INNER)
def test_a_name_may_not_lead_inside(address: str) -> None:
    allowed = Destinations(["example.org", "*.example.org", "*"])
    for name in ("example.org", "a.example.org", "localhost"):
        assert not allowed.permits(to(name), ipaddress.ip_address(address))


def test_an_inner_address_that_is_named_is_permitted_on_its_port() -> None:
    allowed = Destinations(["127.0.0.1:8080", "[::1]"])
    assert allowed.permits(to("127.0.0.1:8080"), ipaddress.ip_address("127.0.0.1"))
    assert not allowed.permits(to("127.0.0.1:8081"), ipaddress.ip_address("127.0.0.1"))
    assert allowed.permits(to("[::1]:1"), ipaddress.ip_address("::1"))
    assert not allowed.permits(to("10.0.0.1"), ipaddress.ip_address("10.0.0.1"))


def test_localhost_names_loopback_and_nothing_else_does() -> None:
    allowed = Destinations(["localhost:8080", "other"])
    assert allowed.permits(to("localhost:8080"), ipaddress.ip_address("::1"))
    assert allowed.permits(to("localhost:8080"), ipaddress.ip_address("127.0.0.1"))
    assert not allowed.permits(to("localhost:8080"), ipaddress.ip_address("10.0.0.1"))
    assert not allowed.permits(to("other:8080"), ipaddress.ip_address("127.0.0.1"))


def test_a_private_network_may_be_reached_by_name_but_not_by_address() -> None:
    allowed = Destinations(["db.internal"], ["10.0.0.0/8"])
    assert allowed.permits(to("db.internal"), ipaddress.ip_address("10.1.2.3"))
    assert not allowed.permits(to("db.internal"), ipaddress.ip_address("192.168.0.1"))
    assert not allowed.permits(to("10.1.2.3"), ipaddress.ip_address("10.1.2.3"))
