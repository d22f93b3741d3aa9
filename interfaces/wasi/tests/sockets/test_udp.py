"""wasi:sockets/udp: datagrams on the loopback."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from interfaces.wasi.tests.sockets.guest_side import ANYWHERE, LOOPBACK, Guest, at, block, code, host_of
from qwasr.errors import GuestTrap
from qwasr.values import Variant
from qwasr_wasi.poll import Poll
from qwasr_wasi.sockets.udp import UdpSocket

poll: Any = Poll(None).poll  # type: ignore[arg-type]  # it uses no backend


def streams(guest: Guest, made: UdpSocket, remote: Variant | None = None) -> tuple[Any, Any]:
    incoming, outgoing = made.stream(remote)
    return guest.keep(incoming), guest.keep(outgoing)


def message(data: bytes, to: Variant | None = None) -> Any:
    return SimpleNamespace(data=data, remote_address=to)


def send(outgoing: Any, *messages: Any) -> int:
    assert outgoing.check_send() >= len(messages)
    return outgoing.send(list(messages))  # type: ignore[no-any-return]  # of any stream


async def receive(incoming: Any, most: int = 10) -> list[Any]:
    await block(incoming.subscribe())
    return incoming.receive(most)  # type: ignore[no-any-return]  # of any stream


async def test_a_datagram_arrives_with_its_sender_and_is_answered(guest: Guest, family: str) -> None:
    near, far = guest.udp(family), guest.udp(family)
    near_in, near_out = streams(guest, near)
    far_in, far_out = streams(guest, far)
    assert send(near_out, message(b"ping", far.local_address())) == 1
    (got,) = await receive(far_in)
    assert (got.data, got.remote_address) == (b"ping", near.local_address())
    assert send(far_out, message(b"pong", got.remote_address)) == 1
    assert [answer.data for answer in await receive(near_in)] == [b"pong"]


async def test_an_empty_datagram_is_one(guest: Guest) -> None:
    far = guest.udp()
    far_in, _ = streams(guest, far)
    _, near_out = streams(guest, guest.udp(), far.local_address())
    send(near_out, message(b""))
    assert [got.data for got in await receive(far_in)] == [b""]


async def test_nothing_there_is_an_empty_list_and_no_error(guest: Guest) -> None:
    incoming, _ = streams(guest, guest.udp())
    assert incoming.receive(10) == []
    assert incoming.receive(0) == []
    assert not incoming.subscribe().ready()


async def test_no_more_datagrams_are_returned_than_asked_for_and_than_fit(guest: Guest) -> None:
    far = guest.udp()
    far.set_receive_buffer_size(4 * 1024 * 1024)
    far_in, _ = streams(guest, far)
    _, near_out = streams(guest, guest.udp(), far.local_address())
    for start in range(0, 32, 16):
        send(near_out, *[message(bytes([number])) for number in range(start, start + 16)])
    assert [got.data[0] for got in await receive(far_in, 7)] == list(range(7))
    assert [got.data[0] for got in await receive(far_in, 2**64 - 1)] == list(range(7, 23))
    assert [got.data[0] for got in await receive(far_in, 2**64 - 1)] == list(range(23, 32))
    send(near_out, message(bytes(60_000)), message(bytes(60_000)))
    assert sum(len(got.data) for got in await receive(far_in, 2**64 - 1)) <= 120_000


async def test_a_peer_is_the_only_one_to_be_heard_and_sent_to(guest: Guest) -> None:
    far, stranger = guest.udp(), guest.udp()
    near = guest.udp()
    _, stranger_out = streams(guest, stranger)
    send(stranger_out, message(b"before", near.local_address()))
    near_in, near_out = streams(guest, near, far.local_address())
    assert near.remote_address() == far.local_address()
    send(stranger_out, message(b"after", near.local_address()))
    _, far_out = streams(guest, far)
    send(far_out, message(b"peer", near.local_address()))
    found: list[Any] = []
    while not found:
        found = await receive(near_in)
    assert [got.data for got in found] == [b"peer"]
    assert send(near_out, message(b"x"), message(b"y", far.local_address())) == 2
    near_out.check_send()
    assert code(near_out.send, [message(b"z", stranger.local_address())]) == "invalid-argument"


async def test_a_socket_without_a_peer_needs_an_address(guest: Guest) -> None:
    _, outgoing = streams(guest, guest.udp())
    outgoing.check_send()
    for wrong in (None, at("::1", 9), at("127.0.0.1", 0), at("0.0.0.0", 9), at("224.0.0.1", 9)):
        assert code(outgoing.send, [message(b"x", wrong)]) == "invalid-argument"


async def test_new_streams_end_the_old_ones_and_change_the_peer(guest: Guest, family: str) -> None:
    near, one, two = guest.udp(family, ANYWHERE[family]), guest.udp(family), guest.udp(family)
    port = near.local_address().value.port
    old_in, old_out = streams(guest, near, one.local_address())
    assert host_of(near.local_address()) == LOOPBACK[family]  # the way to the peer
    _, new_out = streams(guest, near, two.local_address())
    assert code(old_in.receive, 1) == "invalid-state"
    assert code(old_out.check_send) == "invalid-state"
    assert old_in.subscribe().ready()
    two_in, _ = streams(guest, two)
    send(new_out, message(b"x"))
    assert [got.data for got in await receive(two_in)] == [b"x"]
    last_in, _ = streams(guest, near)
    assert code(near.remote_address) == "invalid-state"
    assert near.local_address().value.port == port
    _, one_out = streams(guest, one)
    send(one_out, message(b"y", at(LOOPBACK[family], port)))
    assert [got.data for got in await receive(last_in)] == [b"y"]


async def test_more_than_was_permitted_is_a_trap(guest: Guest) -> None:
    far = guest.udp()
    _, outgoing = streams(guest, guest.udp(), far.local_address())
    assert outgoing.send([]) == 0
    with pytest.raises(GuestTrap, match="1 datagrams: more than check-send permitted"):
        outgoing.send([message(b"x")])
    assert outgoing.check_send() == 16
    with pytest.raises(GuestTrap, match="17 datagrams"):
        outgoing.send([message(b"x")] * 17)


async def test_a_datagram_that_is_too_large_is_said_to_be_so_but_not_those_before_it(guest: Guest) -> None:
    far = guest.udp()
    _, outgoing = streams(guest, guest.udp(), far.local_address())
    outgoing.check_send()
    large = message(bytes(70_000))
    assert outgoing.send([message(b"x"), large]) == 1
    assert code(outgoing.send, [large]) == "datagram-too-large"


async def test_a_port_without_a_listener_refuses(guest: Guest, family: str) -> None:
    with socket.socket(socket.AF_INET if family == "ipv4" else socket.AF_INET6, socket.SOCK_DGRAM) as gone:
        gone.bind((LOOPBACK[family], 0))
        address = at(*gone.getsockname()[:2])
    incoming, outgoing = streams(guest, guest.udp(family), address)
    send(outgoing, message(b"x"))
    await block(incoming.subscribe())
    assert code(incoming.receive, 1) == "connection-refused"
    assert incoming.receive(1) == []


async def test_a_socket_that_is_not_bound_cannot_stream(guest: Guest) -> None:
    made = guest.tcp(), guest.keep(guest.create_udp("ipv4"))
    udp = made[1]
    assert code(udp.finish_bind) == "not-in-progress"
    assert code(udp.stream, None) == "invalid-state"
    assert code(udp.local_address) == "invalid-state"
    assert code(udp.remote_address) == "invalid-state"
    udp.start_bind(guest.network, at("127.0.0.1", 0))
    assert code(udp.start_bind, guest.network, at("127.0.0.1", 0)) == "concurrency-conflict"
    assert code(udp.stream, None) == "concurrency-conflict"
    assert code(udp.local_address) == "concurrency-conflict"
    udp.finish_bind()
    assert code(udp.finish_bind) == "not-in-progress"
    assert code(udp.start_bind, guest.network, at("127.0.0.1", 0)) == "invalid-state"
    assert udp.address_family() == "ipv4"
    assert udp.subscribe().ready()


async def test_a_failed_bind_may_be_tried_again(guest: Guest) -> None:
    taken = guest.udp()
    made = guest.keep(guest.create_udp("ipv4"))
    made.start_bind(guest.network, taken.local_address())
    assert code(made.finish_bind) == "address-in-use"
    made.start_bind(guest.network, at("127.0.0.1", 0))
    made.finish_bind()


async def test_a_poll_waits_for_a_datagram(guest: Guest) -> None:
    far = guest.udp()
    far_in, _ = streams(guest, far)
    waiting = asyncio.ensure_future(poll([far_in.subscribe(), far_in.subscribe()]))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    _, near_out = streams(guest, guest.udp(), far.local_address())
    send(near_out, message(b"x"))
    assert await waiting == [0, 1]


async def test_a_client_hears_only_those_that_it_may_send_to() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as friend,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        friend.bind(("127.0.0.1", 0))
        stranger.bind(("127.0.0.1", 0))
        guest = Guest(f"connect:127.0.0.1:{friend.getsockname()[1]}/udp")
        client = guest.udp(host="0.0.0.0")
        incoming, outgoing = streams(guest, client)
        here = ("127.0.0.1", client.local_address().value.port)
        stranger.sendto(b"strange", here)
        friend.sendto(b"friendly", here)
        found: list[Any] = []
        while not found:
            found = await receive(incoming)
        assert [got.data for got in found] == [b"friendly"]
        outgoing.check_send()
        assert code(outgoing.send, [message(b"x", at(*stranger.getsockname()))]) == "access-denied"
        assert code(client.stream, at(*stranger.getsockname())) == "access-denied"
        await guest.leave()


async def test_a_server_answers_those_that_wrote_to_it_and_nobody_else() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        client.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        client.settimeout(5)
        guest = Guest("listen:127.0.0.1:0")
        server = guest.udp()
        incoming, outgoing = streams(guest, server)
        client.sendto(b"hello", ("127.0.0.1", server.local_address().value.port))
        (got,) = await receive(incoming)
        assert send(outgoing, message(b"welcome", got.remote_address)) == 1
        assert client.recv(100) == b"welcome"
        outgoing.check_send()
        assert code(outgoing.send, [message(b"x", at(*other.getsockname()))]) == "access-denied"
        await guest.leave()


async def test_a_server_remembers_a_bounded_number_of_senders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qwasr_wasi.sockets.datagrams._MAX_SENDERS", 2)
    guest = Guest("listen:127.0.0.1:0")
    server = guest.udp()
    incoming, outgoing = streams(guest, server)
    clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    senders = []
    for client in clients:
        client.sendto(b"x", ("127.0.0.1", server.local_address().value.port))
        (got,) = await receive(incoming)
        senders.append(got.remote_address)
        client.close()
    outgoing.check_send()
    assert code(outgoing.send, [message(b"x", senders[0])]) == "access-denied"
    assert outgoing.send([message(b"x", senders[1]), message(b"x", senders[2])]) >= 1
    await guest.leave()
