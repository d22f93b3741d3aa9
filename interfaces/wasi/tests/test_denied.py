"""wasi:filesystem and wasi:sockets: nothing is given that was not allowed, and each has error codes of its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from qwasr.values import Variant
from qwasr_wasi import filesystem
from qwasr_wasi.fake import FixedSystem
from qwasr_wasi.sockets import codes, network
from qwasr_wasi.streams import IoError

NO_BACKENDS: Any = None


def test_no_folder_is_given() -> None:
    backends: Any = SimpleNamespace(default=FixedSystem())
    assert filesystem.Preopens(backends).get_directories() == []


@pytest.mark.parametrize(
    ("host", "function"),
    [
        (filesystem.FilesystemTypes(NO_BACKENDS).filesystem_error_code, filesystem.KIND),
        (network.NetworkHost(NO_BACKENDS).network_error_code, codes.KIND),
    ],
)
def test_an_error_shows_its_code_to_the_interface_that_it_came_from(host: Any, function: str) -> None:
    assert host(IoError("busy", kind=function, code="would-block")) == "would-block"
    assert host(IoError("busy", kind="wasi:http/types", code=Variant("connection-timeout"))) is None
    assert host(IoError("busy")) is None
