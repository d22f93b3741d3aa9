"""The rules of `QWASR_SOCKETS_ALLOW`."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfaces.wasi.tests.inner import INNER
from qwasr.errors import OptionError
from qwasr_wasi.addresses import is_inner
from qwasr_wasi.sockets.rules import SocketRules
from qwasr_wasi.sockets.settings import SocketSettings
from qwasr_wasi.system import SystemOptions

PUBLIC = "1.1.1.1"


def ip(text: str) -> Any:
    return ipaddress.ip_address(text)


def connects(rules: SocketRules, host: str, port: int, *names: str, protocol: Any = "tcp") -> bool:
    return rules.may_connect(protocol, ip(host), port, names)


def test_nothing_is_allowed_unless_said() -> None:
    rules = SocketRules()
    assert not rules
    assert not rules.may_have_socket("tcp")
    assert not connects(rules, PUBLIC, 80)
    assert not rules.may_listen("tcp", ip("127.0.0.1"), 8080)
    assert not rules.may_resolve("example.org")


@given(st.ip_addresses(), st.integers(1, 65535))
def test_an_address_that_is_named_may_be_connected_to_on_its_port(address: Any, port: int) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    rules = SocketRules([f"connect:{host}:{port}"])
    assert connects(rules, str(address), port)
    assert not connects(rules, str(address), port % 65535 + 1)
    assert not connects(rules, str(address + 1 if int(address) % 2 == 0 else address - 1), port)


@given(st.ip_addresses())
def test_any_host_means_no_inner_address(address: Any) -> None:
    rules = SocketRules(["connect:*:*"])
    assert connects(rules, str(address), 80) == (not is_inner(address))


@pytest.mark.parametrize("network", ["0.0.0.0/0", "[::/0]", "[::]/0", "8.0.0.0/5", "[64:ff9b::/96]", "126.0.0.0/7"])
def test_a_network_that_is_more_than_inner_names_no_inner_address(network: str) -> None:
    rules = SocketRules([f"connect:{network}:*"])
    for address in INNER:
        assert not connects(rules, address, 80)


def test_a_network_may_be_connected_to() -> None:
    rules = SocketRules(["connect:10.1.0.0/16:5432", "connect:[fd00::/8]:5432", "connect:1.0.0.0/8:*"])
    assert connects(rules, "10.1.2.3", 5432)
    assert not connects(rules, "10.2.2.3", 5432)
    assert not connects(rules, "10.1.2.3", 5433)
    assert connects(rules, "fd12::1", 5432)
    assert connects(rules, PUBLIC, 9)


def test_a_name_is_what_its_look_up_answered() -> None:
    rules = SocketRules(["connect:example.org:443", "connect:*.example.net:443"])
    assert not connects(rules, PUBLIC, 443)
    assert connects(rules, PUBLIC, 443, "example.org")
    assert not connects(rules, PUBLIC, 80, "example.org")
    assert not connects(rules, PUBLIC, 443, "other.org", "example.net")
    assert connects(rules, PUBLIC, 443, "a.example.net")
    assert rules.may_resolve("example.org")
    assert rules.may_resolve("a.b.example.net")
    assert not rules.may_resolve("example.net")


@pytest.mark.parametrize("address", INNER)
def test_a_name_may_not_lead_inside(address: str) -> None:
    rules = SocketRules(["connect:example.org:*", "connect:*:*"])
    assert not connects(rules, address, 80, "example.org", "localhost")


def test_a_name_may_lead_to_a_private_network_but_the_guest_may_not_go_there_by_address() -> None:
    rules = SocketRules(["connect:db.internal:*", "connect:*:80"], ["10.0.0.0/8"])
    assert connects(rules, "10.1.2.3", 5432, "db.internal")
    assert not connects(rules, "10.1.2.3", 5432)
    assert not connects(rules, "10.1.2.3", 80)
    assert not connects(rules, "192.168.0.1", 5432, "db.internal")


def test_localhost_is_loopback_and_nothing_else_is() -> None:
    rules = SocketRules(["connect:localhost:8080", "connect:other:8080", "listen:localhost:9000"])
    assert connects(rules, "127.0.0.1", 8080)
    assert connects(rules, "::1", 8080)
    assert not connects(rules, "127.0.0.2", 8080)
    assert connects(rules, "127.0.0.2", 8080, "localhost")
    assert not connects(rules, "127.0.0.2", 8080, "other")
    assert not connects(rules, "10.0.0.1", 8080, "localhost")
    assert rules.may_listen("tcp", ip("::1"), 9000)
    assert not rules.may_listen("tcp", ip("0.0.0.0"), 9000)


def test_a_port_may_be_a_range_and_of_one_protocol() -> None:
    rules = SocketRules(["connect:127.0.0.1:8000-8002/tcp", "listen:53/udp"])
    assert [port for port in range(7990, 8010) if connects(rules, "127.0.0.1", port)] == [8000, 8001, 8002]
    assert not connects(rules, "127.0.0.1", 8000, protocol="udp")
    assert rules.may_listen("udp", ip("0.0.0.0"), 53)
    assert not rules.may_listen("tcp", ip("0.0.0.0"), 53)
    assert rules.may_have_socket("udp")
    assert rules.may_call_out("tcp")
    assert not rules.may_call_out("udp")


def test_listening_is_by_port_or_by_address_and_port() -> None:
    rules = SocketRules(["listen:8080", "listen:127.0.0.1:9000", "listen:[::1]:0", "listen:10.0.0.0/8:*"])
    assert rules.may_listen("tcp", ip("0.0.0.0"), 8080)
    assert rules.may_listen("tcp", ip("::"), 8080)
    assert rules.may_listen("tcp", ip("127.0.0.1"), 9000)
    assert not rules.may_listen("tcp", ip("0.0.0.0"), 9000)
    assert rules.may_listen("tcp", ip("::1"), 0)
    assert not rules.may_listen("tcp", ip("::1"), 1)
    assert rules.may_listen("tcp", ip("10.2.3.4"), 0)
    assert not rules.may_listen("tcp", ip("127.0.0.1"), 0)
    assert not connects(rules, "127.0.0.1", 8080)


def test_a_name_to_look_up_gives_no_connection() -> None:
    rules = SocketRules(["resolve:example.org", "resolve:*.local."])
    assert rules.may_resolve("example.org")
    assert rules.may_resolve("printer.local")
    assert not rules.may_connect_to_name("example.org")
    assert not rules.may_have_socket("tcp")
    assert not connects(rules, PUBLIC, 80, "example.org")


WRONG = [
    "",
    "connect",
    "connect:",
    "connect:example.org",
    "connect::80",
    "connect:example.org:0",
    "connect:example.org:65536",
    "connect:example.org:9-8",
    "connect:example.org:80-",
    "connect:example.org:٣",
    "connect:example.org:80/sctp",
    "connect:10.0.0.1/8:80",
    "connect:10.0.0.0/33:80",
    "connect:fd00::/8:80",
    "connect:[fe80::1%eth0]:80",
    "connect:[::1:80",
    "connect:127.1:80",
    "connect:a b:80",
    "connect:a.*.b:80",
    "listen:example.org:80",
    "listen:",
    "listen:-1",
    "listen:65536",
    "resolve:",
    "resolve:a/b",
    "resolve:127.0.0.1",
    "bind:80",
    "example.org:80",
]


@pytest.mark.parametrize("entry", WRONG)
def test_an_entry_that_is_none_is_an_error(entry: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        SocketRules([entry])


@given(st.sampled_from(["connect:", "listen:", "resolve:", ""]), st.text("ab*.:/-[]%019 ", max_size=20))
def test_an_entry_is_understood_or_an_error(verb: str, rest: str) -> None:
    with suppress(ValueError):
        SocketRules([verb + rest])


def test_wrong_rules_are_an_error_of_the_option_that_names_the_variable_and_the_entry() -> None:
    with pytest.raises(OptionError, match=r"QWASR_SOCKETS_ALLOW.*'bind:80': expected connect:HOST:PORT"):
        SystemOptions.from_env({"QWASR_SOCKETS_ALLOW": "bind:80"})
    with pytest.raises(OptionError, match="QWASR_SOCKETS_PRIVATE_NETWORKS"):
        SystemOptions.from_env({"QWASR_SOCKETS_PRIVATE_NETWORKS": "10.0.0.1/8"})


async def test_the_variables_are_what_a_guest_gets() -> None:
    settings = SocketSettings.from_env(
        {
            "QWASR_SOCKETS_ALLOW": "connect:db.internal:5432, resolve:example.org",
            "QWASR_SOCKETS_PRIVATE_NETWORKS": "10.0.0.0/8",
        }
    )
    access = settings.socket_access()
    assert access.rules.may_connect("tcp", ip("10.0.0.1"), 5432, ["db.internal"])
    assert access.rules.may_resolve("example.org")
    await access.close()
