"""Which addresses are inner: one copy of the answer for everything through which guests reach out."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfaces.wasi.tests.inner import INNER
from qwasr_wasi.addresses import is_inner, is_inner_network


@pytest.mark.parametrize("address", INNER)
def test_inner_addresses_are_known_in_every_disguise(address: str) -> None:
    assert is_inner(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"],
)
def test_addresses_of_the_internet_are_not_inner(address: str) -> None:
    assert not is_inner(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_the_same_inside_of_an_ipv6_one(address: ipaddress.IPv4Address) -> None:
    for prefix in ("::ffff:0:0", "64:ff9b::"):
        disguised = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | int(address))
        assert is_inner(disguised) == is_inner(address)


@given(st.ip_addresses(), st.integers(0, 128))
def test_a_network_is_inner_only_if_all_its_addresses_are(address: ipaddress.IPv4Address, bits: int) -> None:
    network = ipaddress.ip_network((address, min(bits, address.max_prefixlen)), strict=False)
    if is_inner_network(network):
        assert is_inner(network[0])
        assert is_inner(network[-1])


@pytest.mark.parametrize("network", ["0.0.0.0/0", "8.0.0.0/5", "::/0", "2000::/3", "64:ff9b::/96"])
def test_a_network_with_addresses_of_the_internet_is_not_inner(network: str) -> None:
    assert not is_inner_network(ipaddress.ip_network(network))
