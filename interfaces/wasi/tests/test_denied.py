"""wasi:filesystem and wasi:sockets: everything can be named, nothing can be had."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from qwasr.values import Variant, WitError
from qwasr_wasi import filesystem, sockets
from qwasr_wasi.streams import IoError

NO_BACKENDS: Any = None


def refused(function: Any, *args: Any) -> Any:
    with pytest.raises(WitError) as caught:
        function(*args)
    return caught.value.value


def test_no_folder_is_given() -> None:
    assert filesystem.Preopens(NO_BACKENDS).get_directories() == []


def test_the_functions_of_a_descriptor_are_not_permitted() -> None:
    descriptor = filesystem.Descriptor()
    assert refused(descriptor.open_at, frozenset(), "etc/passwd", frozenset(), frozenset({"read"})) == "not-permitted"
    assert refused(descriptor.stat) == "not-permitted"
    assert descriptor.is_same_object(descriptor)
    assert not descriptor.is_same_object(filesystem.Descriptor())


def test_a_denied_function_shows_the_parameters_of_the_wit() -> None:
    signature = inspect.signature(filesystem.Descriptor.open_at)
    assert list(signature.parameters) == ["self", "path_flags", "path", "open_flags", "flags"]


@pytest.mark.parametrize(
    ("host", "function"),
    [
        (filesystem.FilesystemTypes(NO_BACKENDS).filesystem_error_code, filesystem.KIND),
        (sockets.NetworkHost(NO_BACKENDS).network_error_code, sockets.KIND),
    ],
)
def test_an_error_shows_its_code_to_the_interface_that_it_came_from(host: Any, function: str) -> None:
    assert host(IoError("busy", kind=function, code="would-block")) == "would-block"
    assert host(IoError("busy", kind="wasi:http/types", code=Variant("connection-timeout"))) is None
    assert host(IoError("busy")) is None


def test_sockets_cannot_be_made() -> None:
    assert refused(sockets.TcpCreateSocket(NO_BACKENDS).create_tcp_socket, "ipv4") == "access-denied"
    assert refused(sockets.UdpCreateSocket(NO_BACKENDS).create_udp_socket, "ipv6") == "access-denied"


def test_names_cannot_be_looked_up() -> None:
    network = sockets.InstanceNetwork(NO_BACKENDS).instance_network()
    assert refused(sockets.IpNameLookup(NO_BACKENDS).resolve_addresses, network, "example.org") == "access-denied"


def test_waiting_for_what_cannot_be_had_is_over_at_once() -> None:
    assert sockets.TcpSocket().subscribe().ready()
