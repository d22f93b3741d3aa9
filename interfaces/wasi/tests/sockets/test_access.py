"""What guests may do, how many sockets they may have, and that none is left."""

from __future__ import annotations

import asyncio
import ipaddress
from types import SimpleNamespace
from typing import Any

import pytest

from interfaces.wasi.tests.sockets.guest_side import Guest, at, block, code, outside
from qwasr.call import CallInfo, _current
from qwasr.errors import OptionError
from qwasr_wasi.sockets.access import CallSockets
from qwasr_wasi.sockets.settings import SocketSettings


async def test_nothing_can_be_made_without_a_rule() -> None:
    guest = Guest()
    assert code(guest.create_tcp, "ipv4") == "access-denied"
    assert code(guest.create_udp, "ipv6") == "access-denied"
    only_tcp = Guest("connect:127.0.0.1:80/tcp")
    assert code(only_tcp.create_udp, "ipv4") == "access-denied"


async def test_a_connection_needs_its_rule() -> None:
    with outside() as allowed, outside() as denied:
        guest = Guest(f"connect:127.0.0.1:{allowed.getsockname()[1]}")
        made = guest.tcp()
        assert code(made.start_connect, guest.network, at(*denied.getsockname())) == "access-denied"
        assert code(made.start_connect, guest.network, at(*allowed.getsockname())) == "invalid-state"
        await guest.connected(at(*allowed.getsockname()))
        await guest.leave()


async def test_a_client_may_have_a_port_of_the_systems_choice_but_not_listen_on_it() -> None:
    with outside() as listener:
        guest = Guest(f"connect:127.0.0.1:{listener.getsockname()[1]}")
        client = guest.bound()
        client.start_connect(guest.network, at(*listener.getsockname()))
        await block(client.subscribe())
        for stream in client.finish_connect():
            guest.keep(stream)
        assert code(guest.tcp().start_bind, guest.network, at("127.0.0.1", 8080)) == "access-denied"
        server = guest.bound()
        assert code(server.start_listen) == "access-denied"
        await guest.leave()


async def test_a_server_may_not_connect() -> None:
    guest = Guest("listen:127.0.0.1:0")
    _, address = guest.listener()
    assert code(guest.tcp().start_connect, guest.network, address) == "access-denied"
    assert code(guest.tcp().start_bind, guest.network, at("0.0.0.0", 0)) == "access-denied"
    await guest.leave()


async def test_one_guest_may_have_so_many_sockets() -> None:
    guest = Guest("connect:127.0.0.0/8:*", "listen:*", max_call_sockets=3)
    listener, address = guest.listener()
    await guest.connected(address)
    last = guest.udp()
    await block(listener.subscribe())
    assert code(guest.create_tcp, "ipv4") == "new-socket-limit"
    assert code(guest.create_udp, "ipv4") == "new-socket-limit"
    assert code(guest.resolve, guest.network, "127.0.0.1") == "new-socket-limit"
    assert code(listener.accept) == "new-socket-limit"
    guest.drop(last)
    await guest.accepted(listener)  # it waited
    await guest.leave()


async def test_all_guests_may_have_so_many_sockets() -> None:
    guest = Guest("listen:*", max_sockets=2, max_call_sockets=100)
    guest.tcp(), guest.tcp()
    assert code(guest.create_tcp, "ipv4") == "new-socket-limit"
    await guest.leave()


async def test_guests_leave_half_of_the_open_files_to_the_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (5, 5))
    access = SocketSettings(sockets_allow=("listen:*",), sockets_max=1000).socket_access()
    mine = access.of_call()
    kept = [access.create(mine, "tcp", "ipv4") for _ in range(2)]
    assert code(access.create, mine, "tcp", "ipv4") == "new-socket-limit"
    assert len(kept) == access.open_sockets
    await access.close()


async def test_each_call_has_its_own_sockets_and_knows_its_own_names() -> None:
    guest = Guest("connect:example.org:80", "listen:*", max_call_sockets=1)
    calls = [CallInfo(str(number), "guest", SimpleNamespace()) for number in range(2)]  # type: ignore[arg-type]  # none
    for call in calls:
        token = _current.set(call)
        guest.tcp()
        assert code(guest.create_tcp, "ipv4") == "new-socket-limit"
        assert guest.access.of_call().names_of(ipaddress.ip_address("192.0.2.1")) == set()
        guest.access.of_call().remember("example.org", [ipaddress.ip_address("192.0.2.1")])
        _current.reset(token)
    await guest.leave()


async def test_a_socket_that_no_handle_stands_for_ends_with_its_call() -> None:
    guest = Guest("listen:*")
    call: Any = CallInfo("1", "guest", SimpleNamespace())  # type: ignore[arg-type]  # no store
    token = _current.set(call)
    lost = guest.create_tcp("ipv4")
    _current.reset(token)
    assert guest.access.open_sockets == 1
    del call, token
    assert guest.access.open_sockets == 0
    lost.drop()
    await guest.leave()


async def test_a_call_remembers_a_bounded_number_of_addresses() -> None:
    mine = CallSockets()
    addresses = [ipaddress.ip_address(number) for number in range(2**25, 2**25 + 2000)]
    mine.remember("example.org", addresses)
    assert mine.names_of(addresses[0]) == set()
    assert mine.names_of(addresses[-1]) == {"example.org"}
    assert sum(bool(mine.names_of(address)) for address in addresses) == 1024


async def test_closing_closes_what_guests_still_hold(guest: Guest) -> None:
    (_, near_in, _), _ = await guest.pair()
    waiting = asyncio.ensure_future(block(near_in.subscribe()))
    await asyncio.sleep(0.01)
    await guest.access.close()
    assert guest.access.open_sockets == 0
    await asyncio.wait_for(waiting, 1)


async def test_handles_that_outlive_the_access_only_say_that_it_is_over(guest: Guest) -> None:
    (near, near_in, near_out), _ = await guest.pair()
    incoming, outgoing = (guest.keep(stream) for stream in guest.udp().stream(None))
    listener, _ = guest.listener()
    await guest.access.close()
    for resource in (near, near_in, near_out, incoming, outgoing, listener):
        assert resource.subscribe().ready()
    assert code(incoming.receive, 1) == "invalid-state"
    assert code(listener.accept) in ("invalid-state", "new-socket-limit")
    for function in (near.local_address, near.hop_limit):
        assert code(function) == "invalid-state"


@pytest.mark.parametrize("name", ["QWASR_SOCKETS_MAX", "QWASR_SOCKETS_MAX_PER_CALL"])
def test_a_bound_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match=name):
        SocketSettings.from_env({name: "0"})
