"""wasi:sockets/ip-name-lookup."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfaces.wasi.tests.sockets.guest_side import Guest, at, block, code, outside
from qwasr.values import Variant, WitError
from qwasr_wasi.sockets.name_lookup import _host_name

if TYPE_CHECKING:
    from collections.abc import Sequence


async def all_of(stream: Any) -> list[str]:
    """Every address that a look-up answers."""
    found = []
    await block(stream.subscribe())
    while (address := stream.resolve_next_address()) is not None:
        separator = "." if address.case == "ipv4" else ":"
        found.append(separator.join(str(part) for part in address.value))
    assert stream.resolve_next_address() is None
    return found


def answers(*found: str) -> Any:
    async def resolve(name: str) -> Sequence[str]:
        await asyncio.sleep(0.01)
        return found

    return resolve


def fails(error: Exception) -> Any:
    async def resolve(name: str) -> Sequence[str]:
        raise error

    return resolve


async def never(name: str) -> Sequence[str]:
    await asyncio.sleep(3600)
    return []


async def looked_up(guest: Guest, name: str = "example.org") -> Any:
    stream = guest.keep(guest.resolve(guest.network, name))
    await block(stream.subscribe())
    return stream


async def test_a_name_is_looked_up_by_the_system(guest: Guest) -> None:
    stream = guest.keep(guest.resolve(guest.network, "localhost"))
    assert code(stream.resolve_next_address) == "would-block"
    assert not stream.subscribe().ready()
    assert "127.0.0.1" in await all_of(stream)


@pytest.mark.parametrize(
    ("name", "found"),
    [("192.0.2.7", "192.0.2.7"), ("::1", "0:0:0:0:0:0:0:1"), ("::ffff:10.0.0.1", "10.0.0.1")],
)
async def test_an_address_is_its_own_answer_and_nobody_is_asked(name: str, found: str) -> None:
    guest = Guest("connect:127.0.0.1:1", resolve=fails(AssertionError("asked")))
    stream = guest.keep(guest.resolve(guest.network, name))
    assert stream.subscribe().ready()
    assert await all_of(stream) == [found]
    await guest.leave()


async def test_answers_come_in_order_once_each_and_none_as_ipv4_inside_of_ipv6() -> None:
    guest = Guest("resolve:*", resolve=answers("2001:db8::1", "::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"))
    stream = guest.keep(guest.resolve(guest.network, "example.org"))
    assert await all_of(stream) == ["8193:3512:0:0:0:0:0:1", "192.0.2.1"]
    await guest.leave()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (socket.gaierror(socket.EAI_NONAME, "no"), "name-unresolvable"),
        (socket.gaierror(socket.EAI_AGAIN, "later"), "temporary-resolver-failure"),
        (socket.gaierror(socket.EAI_FAIL, "never"), "permanent-resolver-failure"),
        (socket.gaierror(12345, "?"), "unknown"),
        (OSError(5, "broken"), "temporary-resolver-failure"),
    ],
)
async def test_a_failed_look_up_says_how_every_time(error: Exception, expected: str) -> None:
    guest = Guest("resolve:*", resolve=fails(error))
    stream = await looked_up(guest)
    assert code(stream.resolve_next_address) == expected
    assert code(stream.resolve_next_address) == expected
    await guest.leave()


async def test_only_addresses_that_cannot_be_used_are_none() -> None:
    guest = Guest("resolve:*", resolve=answers("::ffff:192.0.2.1"))
    assert code((await looked_up(guest)).resolve_next_address) == "name-unresolvable"
    await guest.leave()


async def test_a_resolver_that_does_not_answer_is_given_up() -> None:
    guest = Guest("resolve:*", resolve=never, resolve_timeout_s=0.02)
    assert code((await looked_up(guest)).resolve_next_address) == "temporary-resolver-failure"
    assert guest.access.lookups.under_way == 1  # its thread is still busy
    await guest.leave()
    assert guest.access.lookups.under_way == 0


async def test_many_look_ups_that_hang_are_no_more_than_so_many() -> None:
    guest = Guest("resolve:*", resolve=never, max_call_sockets=1000)
    for number in range(32):
        guest.drop(guest.keep(guest.resolve(guest.network, f"a{number}")))  # given up at once
        stream = guest.keep(guest.resolve(guest.network, f"b{number}"))
        await asyncio.sleep(0)
    assert guest.access.lookups.under_way <= 32
    stream = await looked_up(guest, "one.more")
    assert code(stream.resolve_next_address) == "temporary-resolver-failure"
    await guest.leave()


async def test_hanging_look_ups_of_guests_do_not_hold_up_the_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    all_asked, answer = threading.Barrier(33), threading.Event()
    ask = socket.getaddrinfo

    def hanging(host: str, *arguments: Any, **named: Any) -> Any:
        if host.endswith(".guest"):
            all_asked.wait(30)
            assert answer.wait(60)
            return []
        return ask(host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    guest = Guest("resolve:*", max_call_sockets=1000)
    for number in range(32):
        guest.keep(guest.resolve(guest.network, f"a{number}.guest"))
    try:
        await asyncio.to_thread(all_asked.wait, 30)
        async with asyncio.timeout(30):
            assert await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)
    finally:
        answer.set()
        await guest.leave()


def test_a_process_ends_while_a_look_up_hangs() -> None:
    program = """
import asyncio, socket, time
socket.getaddrinfo = lambda *arguments, **named: time.sleep(3600)
from qwasr_wasi.sockets.lookups import Lookups
async def main():
    lookups = Lookups(0.01)
    try:
        await lookups.look_up("example.org")
    except Exception as error:
        print(error.value, lookups.under_way)
    await lookups.close()
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["temporary-resolver-failure", "1"]


async def test_a_name_has_to_be_allowed() -> None:
    guest = Guest("resolve:example.org", resolve=answers("192.0.2.1"))
    assert code(guest.resolve, guest.network, "example.com") == "access-denied"
    assert await all_of(await looked_up(guest, "Example.ORG."))
    await guest.leave()
    nothing = Guest()
    assert code(nothing.resolve, nothing.network, "127.0.0.1") == "access-denied"


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "a..b",
        "-a",
        "a b",
        "a/b",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "a.0x1",
        "fe80::1%lo",
        "a" * 64,
        "a." * 200,
        "é" * 300,
    ],
)
async def test_what_is_no_name_is_an_invalid_argument(guest: Guest, name: str) -> None:
    assert code(guest.resolve, guest.network, name) == "invalid-argument"


@given(st.text(max_size=300))
def test_a_name_is_ascii_or_an_error(name: str) -> None:
    try:
        host = _host_name(name)
    except WitError as error:
        assert error.value == "invalid-argument"  # noqa: PT017 - both ends are right
        return
    assert host.isascii()
    assert len(host) <= 253


async def test_a_name_in_any_script_is_looked_up_as_ascii() -> None:
    asked = []

    async def resolve(name: str) -> Sequence[str]:
        asked.append(name)
        return ["192.0.2.1"]

    guest = Guest("resolve:*", resolve=resolve)
    await looked_up(guest, "bücher.example")
    assert asked == ["xn--bcher-kva.example"]
    await guest.leave()


async def test_what_a_name_led_to_may_be_connected_to() -> None:
    with outside() as listener:
        port = listener.getsockname()[1]
        guest = Guest(f"connect:db.internal:{port}", private=["127.0.0.0/8"], resolve=answers("127.0.0.1"))
        made = guest.tcp()
        assert code(made.start_connect, guest.network, at("127.0.0.1", port)) == "access-denied"
        await all_of(await looked_up(guest, "db.internal"))
        await guest.connected(at("127.0.0.1", port))
        await guest.leave()


async def test_what_a_name_led_to_is_refused_where_it_is_inner() -> None:
    guest = Guest("connect:evil.example:*", resolve=answers("127.0.0.1", "169.254.169.254"))
    await all_of(await looked_up(guest, "evil.example"))
    for host in ("127.0.0.1", "169.254.169.254"):
        assert code(guest.tcp().start_connect, guest.network, at(host, 80)) == "access-denied"
    await guest.leave()


async def test_an_allowed_look_up_alone_gives_no_connection() -> None:
    guest = Guest("resolve:example.org", "connect:127.0.0.1:1", resolve=answers("192.0.2.1"))
    await all_of(await looked_up(guest))
    assert code(guest.tcp().start_connect, guest.network, at("192.0.2.1", 80)) == "access-denied"
    await guest.leave()


async def test_a_guest_that_stops_asking_leaves_nothing_behind() -> None:
    guest = Guest("resolve:*", resolve=answers("192.0.2.1"))
    pollable = guest.resolve(guest.network, "example.org")
    task = asyncio.ensure_future(block(pollable.subscribe()))
    await asyncio.sleep(0)
    task.cancel()
    pollable.drop()
    await guest.leave()
    assert asyncio.all_tasks() - {task} == {asyncio.current_task()}
    assert guest.access.of_call().held == 0


async def test_an_address_is_what_the_wit_has() -> None:
    guest = Guest("resolve:*", resolve=answers("192.0.2.1"))
    stream = await looked_up(guest)
    assert stream.resolve_next_address() == Variant("ipv4", (192, 0, 2, 1))
    await guest.leave()
