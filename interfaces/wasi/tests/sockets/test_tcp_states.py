"""wasi:sockets/tcp: what every function answers in every state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfaces.wasi.tests.sockets.guest_side import ANYWHERE, LOOPBACK, Guest, at, code
from qwasr.values import Variant, WitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwasr_wasi.sockets.tcp import TcpSocket

EVERYTHING = ("connect:127.0.0.0/8:*", "connect:[::1]:*", "listen:*")
STATES = ["unbound", "binding", "bound", "starting", "listening", "connecting", "connected", "closed"]
CONFLICT, INVALID, IDLE = "concurrency-conflict", "invalid-state", "not-in-progress"
OK = ""


class World:
    """A guest, a socket of its, and a listener to connect to."""

    def __init__(self, family: str = "ipv4") -> None:
        self.family = family
        self.guest = Guest(*EVERYTHING)
        self.target, self.address = self.guest.listener(family)
        self.socket = self.guest.tcp(family)

    def do(self, operation: str) -> str:
        """Do it; return the error code, or nothing."""
        try:
            result = OPERATIONS[operation](self, self.socket)
        except WitError as error:
            return str(error.value)
        for stream in result if operation == "finish-connect" else ():
            self.guest.keep(stream)
        return OK

    def bring_to(self, state: str) -> None:
        for operation in WAY[state]:
            self.do(operation)

    def leave(self) -> None:
        while self.guest.holds:
            self.guest.holds.pop().drop()
        assert self.guest.access.open_sockets == 0


OPERATIONS: dict[str, Callable[[World, TcpSocket], Any]] = {
    "start-bind": lambda world, it: it.start_bind(world.guest.network, at(LOOPBACK[world.family], 0)),
    "finish-bind": lambda _, it: it.finish_bind(),
    "start-connect": lambda world, it: it.start_connect(world.guest.network, world.address),
    "finish-connect": lambda _, it: it.finish_connect(),
    "start-listen": lambda _, it: it.start_listen(),
    "finish-listen": lambda _, it: it.finish_listen(),
    "accept": lambda _, it: it.accept(),
    "shutdown": lambda _, it: it.shutdown("both"),
    "local-address": lambda _, it: it.local_address(),
    "remote-address": lambda _, it: it.remote_address(),
    "set-listen-backlog-size": lambda _, it: it.set_listen_backlog_size(5),
    # refused, after which the socket is of no use
    "connect-nowhere": lambda world, it: it.start_connect(world.guest.network, at(ANYWHERE[world.family], 1)),
}
WAY: dict[str, list[str]] = {
    "unbound": [],
    "binding": ["start-bind"],
    "bound": ["start-bind", "finish-bind"],
    "starting": ["start-bind", "finish-bind", "start-listen"],
    "listening": ["start-bind", "finish-bind", "start-listen", "finish-listen"],
    "connecting": ["start-connect"],
    "connected": ["start-connect", "finish-connect"],
    "closed": ["connect-nowhere"],
}
# For each operation the answer in each state, in the order of STATES.
ANSWERS: dict[str, list[str]] = {
    "start-bind": [OK, CONFLICT, INVALID, CONFLICT, INVALID, CONFLICT, INVALID, INVALID],
    "finish-bind": [IDLE, OK, IDLE, IDLE, IDLE, IDLE, IDLE, IDLE],
    "start-connect": [OK, CONFLICT, OK, CONFLICT, INVALID, CONFLICT, INVALID, INVALID],
    "finish-connect": [IDLE, IDLE, IDLE, IDLE, IDLE, OK, IDLE, IDLE],
    "start-listen": [INVALID, CONFLICT, OK, CONFLICT, INVALID, CONFLICT, INVALID, INVALID],
    "finish-listen": [IDLE, IDLE, IDLE, OK, IDLE, IDLE, IDLE, IDLE],
    "accept": [INVALID, CONFLICT, INVALID, CONFLICT, "would-block", CONFLICT, INVALID, INVALID],
    "shutdown": [INVALID, CONFLICT, INVALID, CONFLICT, INVALID, CONFLICT, OK, INVALID],
    "local-address": [INVALID, CONFLICT, OK, OK, OK, OK, OK, INVALID],
    "remote-address": [INVALID, CONFLICT, INVALID, CONFLICT, INVALID, CONFLICT, OK, INVALID],
    "set-listen-backlog-size": [OK, OK, OK, OK, OK, INVALID, INVALID, INVALID],
    "connect-nowhere": [
        "invalid-argument",
        CONFLICT,
        "invalid-argument",
        CONFLICT,
        INVALID,
        CONFLICT,
        INVALID,
        INVALID,
    ],
}
NEXT = {
    ("unbound", "start-bind"): "binding",
    ("binding", "finish-bind"): "bound",
    ("unbound", "start-connect"): "connecting",
    ("bound", "start-connect"): "connecting",
    ("bound", "start-listen"): "starting",
    ("starting", "finish-listen"): "listening",
    ("connecting", "finish-connect"): "connected",
    ("unbound", "connect-nowhere"): "closed",
    ("bound", "connect-nowhere"): "closed",
}


@pytest.mark.parametrize("operation", ANSWERS)
def test_a_function_answers_as_each_state_demands(family: str, operation: str) -> None:
    for state, answer in zip(STATES, ANSWERS[operation], strict=True):
        world = World(family)
        world.bring_to(state)
        assert world.do(operation) == answer, state
        assert world.socket.is_listening() == (NEXT.get((state, operation), state) == "listening")
        assert world.socket.address_family() == family
        world.leave()


@given(st.lists(st.sampled_from(sorted(OPERATIONS)), max_size=12))
def test_any_order_of_functions_keeps_to_the_states(operations: list[str]) -> None:
    world = World()
    state = "unbound"
    for operation in operations:
        assert world.do(operation) == ANSWERS[operation][STATES.index(state)], (state, operation)
        state = NEXT.get((state, operation), state)
    world.leave()


@pytest.mark.parametrize("state", [state for state in STATES if state != "listening"])
def test_a_pollable_is_ready_in_every_state_but_one_that_waits(state: str) -> None:
    world = World()
    pollable = world.socket.subscribe()
    world.bring_to(state)
    assert pollable.ready()
    world.leave()


def test_a_failed_bind_may_be_tried_again_elsewhere(family: str) -> None:
    world = World(family)
    world.socket.start_bind(world.guest.network, world.address)
    assert code(world.socket.finish_bind) == "address-in-use"
    assert world.do("start-bind") == OK
    assert world.do("finish-bind") == OK
    world.leave()


async def test_an_address_of_another_machine_cannot_be_bound_to(guest: Guest) -> None:
    made = guest.tcp()
    made.start_bind(guest.network, at("198.51.100.7", 0))
    assert code(made.finish_bind) == "address-not-bindable"


@pytest.mark.parametrize(
    ("family", "address"),
    [
        ("ipv4", at("::1", 80)),
        ("ipv6", at("127.0.0.1", 80)),
        ("ipv4", at("224.0.0.1", 80)),
        ("ipv4", at("255.255.255.255", 80)),
        ("ipv6", at("ff02::1", 80)),
        ("ipv6", at("::ffff:127.0.0.1", 80)),
        ("ipv6", at("::1", 80, flow_info=0x10_0000)),
    ],
)
async def test_an_address_of_the_wrong_kind_is_an_invalid_argument(guest: Guest, family: str, address: Variant) -> None:
    assert code(guest.tcp(family).start_bind, guest.network, address) == "invalid-argument"
    assert code(guest.tcp(family).start_connect, guest.network, address) == "invalid-argument"


@pytest.mark.parametrize("address", [at("127.0.0.1", 0), at("0.0.0.0", 80), at("::", 80), at("::1", 0)])
async def test_an_address_that_is_nobodys_cannot_be_connected_to(guest: Guest, address: Variant) -> None:
    assert code(guest.tcp(address.case).start_connect, guest.network, address) == "invalid-argument"


async def test_a_system_without_the_family_says_that_it_is_not_supported(
    guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwasr_wasi.sockets.access._FAMILIES", {"ipv6": 12345})
    assert code(guest.create_tcp, "ipv6") == "not-supported"
