"""wasi:sockets/tcp: bytes over real connections."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from typing import Any

import pytest

from interfaces.wasi.tests.sockets.guest_side import (
    LOOPBACK,
    Guest,
    at,
    block,
    code,
    host_of,
    outside,
    read,
    read_all,
    write,
)
from qwasr.values import Variant, WitError
from qwasr_wasi.ends import IoError
from qwasr_wasi.poll import Poll
from qwasr_wasi.sockets import access
from qwasr_wasi.sockets.network import NetworkHost

MIB = 1024 * 1024
poll: Any = Poll(None).poll  # type: ignore[arg-type]  # it uses no backend


def ended(function: Any, *args: Any) -> Any:
    with pytest.raises(WitError) as caught:
        function(*args)
    return caught.value.value


async def served(listener: socket.socket) -> socket.socket:
    """The next connection that somebody else accepts."""
    made, _ = await asyncio.get_running_loop().sock_accept(listener)
    return made


def address_of(listener: socket.socket) -> Variant:
    host, port, *_ = listener.getsockname()
    return at(host, port)


async def test_bytes_go_both_ways(guest: Guest, family: str) -> None:
    (near, near_in, near_out), (far, far_in, far_out) = await guest.pair(family)
    await write(near_out, b"ping")
    assert await read(far_in) == b"ping"
    await write(far_out, b"pong")
    assert await read(near_in) == b"pong"
    assert host_of(near.remote_address()) == LOOPBACK[family]
    assert near.remote_address() == far.local_address()
    assert near.local_address() == far.remote_address()


async def test_megabytes_arrive_whole_and_in_order(guest: Guest) -> None:
    data = bytes(range(256)) * (32 * 1024)
    with outside() as listener:
        made, input_stream, output_stream = await guest.connected(address_of(listener))
        with await served(listener) as peer:

            async def echo() -> None:
                loop = asyncio.get_running_loop()
                while piece := await loop.sock_recv(peer, 65536):
                    await loop.sock_sendall(peer, piece)
                peer.shutdown(socket.SHUT_WR)

            async def send() -> None:
                await write(output_stream, data)
                made.shutdown("send")

            async with asyncio.TaskGroup() as group:
                group.create_task(echo())
                group.create_task(send())
                back = group.create_task(read_all(input_stream))
    assert back.result() == data


async def test_a_peer_that_does_not_read_stops_the_writer(guest: Guest) -> None:
    with outside() as listener:
        _, _, output_stream = await guest.connected(address_of(listener))
        with await served(listener) as peer:
            written = 0
            while permit := output_stream.check_write():
                output_stream.write(bytes(permit))
                written += permit
                assert written < 64 * MIB
            pollable = output_stream.subscribe()
            assert not pollable.ready()
            got = 0
            while got < written:
                got += len(await asyncio.get_running_loop().sock_recv(peer, MIB))
            await block(pollable)
            assert output_stream.check_write() == 65536


async def test_a_guest_that_does_not_read_stops_its_peer(guest: Guest) -> None:
    with outside() as listener:
        _, input_stream, _ = await guest.connected(address_of(listener))
        with await served(listener) as peer:
            with pytest.raises(BlockingIOError):  # noqa: PT012 - which of them does not matter
                for _ in range(1024):
                    peer.send(bytes(65536))
            assert len(await read(input_stream, 2**64 - 1)) <= 65536


async def test_an_end_is_told_after_everything_before_it(guest: Guest) -> None:
    (near, _, near_out), (_, far_in, far_out) = await guest.pair()
    await write(near_out, b"last words")
    near.shutdown("send")
    assert await read_all(far_in) == b"last words"
    assert ended(near_out.check_write) == Variant("closed")
    await write(far_out, b"answer")  # the other direction is open
    near.shutdown("both")
    near.shutdown("both")


async def test_a_receiver_that_is_shut_down_forgets_what_has_arrived(guest: Guest) -> None:
    (near, near_in, _), (_, _, far_out) = await guest.pair()
    await write(far_out, b"unheard")
    pollable = near_in.subscribe()
    await block(pollable)
    near.shutdown("receive")
    assert pollable.ready()
    assert ended(near_in.read, 10) == Variant("closed")


async def test_dropping_the_output_stream_says_the_end(guest: Guest) -> None:
    (_, _, near_out), (_, far_in, _) = await guest.pair()
    near_out.write(b"bye")
    guest.drop(near_out)
    assert await read_all(far_in) == b"bye"


async def test_a_connection_lives_until_the_last_handle_on_it_is_dropped(guest: Guest) -> None:
    (near, near_in, near_out), (_, _, far_out) = await guest.pair()
    before = guest.access.open_sockets
    guest.drop(near)
    guest.drop(near_out)
    await write(far_out, b"still here")
    assert await read(near_in) == b"still here"
    guest.drop(near_in)
    assert guest.access.open_sockets == before - 1


@pytest.mark.parametrize("function", ["read", "write"])
async def test_a_reset_is_a_failure_with_its_code_once_and_then_the_end(guest: Guest, function: str) -> None:
    with outside() as listener:
        _, input_stream, output_stream = await guest.connected(address_of(listener))
        peer = await served(listener)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        await block(input_stream.subscribe())
        call = (input_stream.read, 10) if function == "read" else (output_stream.write, b"x")
        failure = ended(*call)
        assert failure.case == "last-operation-failed"
        assert NetworkHost(None).network_error_code(failure.value) == "connection-reset"  # type: ignore[arg-type]  # none
        assert failure.value.to_debug_string() == "connection reset"
        assert ended(input_stream.read, 1) == Variant("closed")
        assert ended(output_stream.write, b"x") == Variant("closed")


def test_an_error_of_another_streams_has_no_code_of_a_socket() -> None:
    host = NetworkHost(None)  # type: ignore[arg-type]  # it uses no backend
    assert host.network_error_code(IoError("late", kind="wasi:http/types", code=Variant("connection-timeout"))) is None
    assert host.network_error_code(IoError("late")) is None


async def test_what_was_written_goes_out_after_the_guest_has_left(guest: Guest) -> None:
    with outside() as listener:
        made, input_stream, output_stream = await guest.connected(address_of(listener))
        with await served(listener) as peer:
            written = 0
            while permit := output_stream.check_write():
                output_stream.write(bytes(permit))
                written += permit
            for resource in (made, input_stream, output_stream):
                guest.drop(resource)
            assert guest.access.open_sockets == 1
            closing = asyncio.ensure_future(guest.access.close())
            got = 0
            while piece := await asyncio.get_running_loop().sock_recv(peer, MIB):
                got += len(piece)
            assert got == written
            await closing
    assert guest.access.open_sockets == 0


async def test_a_peer_that_never_reads_holds_a_left_connection_for_a_short_time_only(
    guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "LINGER_S", 0.05)
    with outside() as listener:
        made, input_stream, output_stream = await guest.connected(address_of(listener))
        with await served(listener):
            while permit := output_stream.check_write():
                output_stream.write(bytes(permit))
            for resource in (output_stream, input_stream, made):
                guest.drop(resource)
            assert guest.access.open_sockets == 1
            await asyncio.sleep(0.2)
            assert guest.access.open_sockets == 0


async def test_a_refused_connection_is_refused(guest: Guest, family: str) -> None:
    with outside(family) as listener:
        address = address_of(listener)
    made = guest.tcp(family)
    made.start_connect(guest.network, address)
    await block(made.subscribe())
    assert code(made.finish_connect) == "connection-refused"
    assert code(made.finish_connect) == "not-in-progress"
    assert code(made.start_connect, guest.network, address) == "invalid-state"


async def test_a_connection_that_does_not_come_about_can_be_waited_for(guest: Guest) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        tried = []
        for _ in range(3):  # a queue of none takes one or two, depending on the system
            made = guest.tcp()
            made.start_connect(guest.network, address_of(full))
            tried.append(made)
            await asyncio.sleep(0.05)
        pollable = made.subscribe()
        assert not pollable.ready()
        assert code(made.finish_connect) == "would-block"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await block(pollable)
        guest.drop(made)
        assert pollable.ready()


async def test_a_network_that_cannot_be_reached_is_said_to_be_so(guest: Guest) -> None:
    made = guest.tcp()

    class Unreachable:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def connect_ex(self, address: object) -> int:
            return errno.ENETUNREACH

    real, made._endpoint.socket = made._endpoint.socket, Unreachable()  # type: ignore[assignment]  # a broken network
    made.start_connect(guest.network, at("127.0.0.1", 9))
    assert code(made.finish_connect) == "remote-unreachable"


async def test_one_poll_waits_for_listener_connection_and_stream(guest: Guest) -> None:
    listener, address = guest.listener()
    (_, near_in, _), (_, _, far_out) = await guest.pair()
    pollables = [listener.subscribe(), near_in.subscribe()]
    waiting = asyncio.ensure_future(poll(pollables))
    await asyncio.sleep(0)
    assert not waiting.done()
    far_out.write(b"x")
    assert await waiting == [1]
    near_in.read(10)
    waiting = asyncio.ensure_future(poll(pollables))
    await guest.connected(address)
    assert await waiting == [0]


async def test_a_cancelled_wait_leaves_nothing_in_the_event_loop(guest: Guest) -> None:
    (_, near_in, _), _ = await guest.pair()
    waiting = asyncio.ensure_future(read(near_in))
    await asyncio.sleep(0.01)
    watches = near_in._source._endpoint._reading
    assert watches._loop is asyncio.get_running_loop()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert watches._wakes == []
    assert watches._loop is None


async def test_no_connection_waits_until_one_comes(guest: Guest) -> None:
    listener, address = guest.listener()
    assert code(listener.accept) == "would-block"
    assert not listener.subscribe().ready()
    await guest.connected(address)
    await guest.accepted(listener)
    assert code(listener.accept) == "would-block"


async def test_a_thousand_connections_come_and_go(guest: Guest) -> None:
    listener, address = guest.listener()
    for _ in range(1000):
        near = await guest.connected(address)
        far = await guest.accepted(listener)
        for resource in (*near, *far):
            guest.drop(resource)
    assert guest.access.open_sockets == 1
