"""Options of sockets: what is set is kept, what is 0 is refused, what is too much becomes the most there is."""

from __future__ import annotations

from typing import Any

import pytest

from interfaces.wasi.tests.sockets.guest_side import Guest, code

S = 1_000_000_000
U64_MAX = 2**64 - 1
TCP = [
    ("keep_alive_idle_time", 7 * S, 7 * S),
    ("keep_alive_idle_time", 1, 1 * S),
    ("keep_alive_idle_time", U64_MAX, 32_767 * S),
    ("keep_alive_interval", 3 * S + 1, 4 * S),
    ("keep_alive_interval", U64_MAX, 32_767 * S),
    ("keep_alive_count", 5, 5),
    ("keep_alive_count", 2**32 - 1, 127),
    ("hop_limit", 42, 42),
    ("hop_limit", 255, 255),
]


@pytest.mark.parametrize(("option", "value", "kept"), TCP)
async def test_an_option_of_tcp_is_kept(guest: Guest, family: str, option: str, value: int, kept: int) -> None:
    made = guest.tcp(family)
    getattr(made, f"set_{option}")(value)
    assert getattr(made, option)() == kept


async def test_keep_alive_is_turned_on_and_off(guest: Guest, family: str) -> None:
    made = guest.tcp(family)
    assert made.keep_alive_enabled() is False
    made.set_keep_alive_enabled(True)
    assert made.keep_alive_enabled() is True
    made.set_keep_alive_enabled(False)
    assert made.keep_alive_enabled() is False


@pytest.mark.parametrize("direction", ["receive", "send"])
async def test_the_size_of_a_buffer_is_about_what_was_asked_for(guest: Guest, family: str, direction: str) -> None:
    for made in (guest.tcp(family), guest.udp(family)):
        getattr(made, f"set_{direction}_buffer_size")(16_000)
        assert getattr(made, f"{direction}_buffer_size")() == 16_000
        getattr(made, f"set_{direction}_buffer_size")(U64_MAX)
        assert 16_000 < getattr(made, f"{direction}_buffer_size")() < 2**31


@pytest.mark.parametrize(
    "option",
    [
        "keep_alive_idle_time",
        "keep_alive_interval",
        "keep_alive_count",
        "hop_limit",
        "receive_buffer_size",
        "send_buffer_size",
        "listen_backlog_size",
    ],
)
async def test_nothing_is_an_invalid_argument(guest: Guest, option: str) -> None:
    assert code(getattr(guest.tcp(), f"set_{option}"), 0) == "invalid-argument"


async def test_the_hop_limit_of_udp_is_kept(guest: Guest, family: str) -> None:
    made = guest.udp(family)
    made.set_unicast_hop_limit(9)
    assert made.unicast_hop_limit() == 9
    assert code(made.set_unicast_hop_limit, 0) == "invalid-argument"


async def test_an_accepted_connection_has_the_options_of_its_listener(guest: Guest, family: str) -> None:
    listener, address = guest.listener(family)
    values: dict[str, Any] = {
        "keep_alive_enabled": True,
        "keep_alive_idle_time": 11 * S,
        "keep_alive_interval": 12 * S,
        "keep_alive_count": 13,
        "hop_limit": 14,
        "receive_buffer_size": 20_000,
        "send_buffer_size": 20_001,
    }
    for option, value in values.items():
        getattr(listener, f"set_{option}")(value)
    await guest.connected(address)
    accepted, _, _ = await guest.accepted(listener)
    assert {option: getattr(accepted, option)() for option in values} == values


async def test_a_listener_may_change_its_queue(guest: Guest) -> None:
    listener, address = guest.listener()
    listener.set_listen_backlog_size(U64_MAX)
    listener.set_listen_backlog_size(1)
    await guest.connected(address)
    await guest.accepted(listener)
