"""The plug-in: what it registers, and that it is all of WASI 0.2."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qwasr.testing import Clock
from qwasr_wasi import plugin
from qwasr_wasi.fake import FixedSystem
from qwasr_wasi.hosts import HOSTS
from qwasr_wasi.system import System

WIT = Path(__file__).parents[3] / "wit"
PACKAGES = ["wasi-io", "wasi-clocks", "wasi-random", "wasi-cli", "wasi-filesystem", "wasi-sockets"]
LINE = re.compile(r"resource ([\w-]+) \{|^ {0,4}\}|%?([\w-]+):\s*func\(([^)]*)\)", re.MULTILINE)
BACKENDS: Any = SimpleNamespace(default=System())
HOST_OF = {host.wit: host(BACKENDS) for host in HOSTS}  # type: ignore[call-arg]  # every one takes its backends


def functions() -> list[tuple[str, str, str, tuple[str, ...]]]:
    """All functions of the WIT texts: interface, resource or nothing, name, parameters; but not what is unstable."""
    found = []
    for package in PACKAGES:
        text = (WIT / f"{package}-0.2.12" / "package.wit").read_text()
        name = re.search(r"package ([\w:-]+)@", text)[1]  # type: ignore[index]  # there is one
        for interface, body in re.findall(r"^interface ([\w-]+) \{\n(.*?)^\}", text, re.DOTALL | re.MULTILINE):
            resource = ""
            for line in LINE.finditer(body):
                if line[1]:
                    resource = line[1]
                elif line[2] is None:
                    resource = ""
                else:
                    parameters = tuple(re.findall(r"%?([\w-]+):\s", line[3] + " "))
                    found.append((f"{name}/{interface}", resource, line[2], parameters))
    return found


FUNCTIONS = [function for function in functions() if function[0] not in {"wasi:clocks/timezone", "wasi:cli/run"}]


def snake(name: str) -> str:
    return {"in": "in_"}.get(name, name.replace("-", "_"))


def test_the_wit_texts_were_read() -> None:
    assert len(FUNCTIONS) > 120
    assert ("wasi:io/poll", "", "poll", ("in",)) in FUNCTIONS
    assert ("wasi:io/streams", "output-stream", "blocking-splice", ("src", "len")) in FUNCTIONS


@pytest.mark.parametrize(
    ("interface", "resource", "name", "parameters"), FUNCTIONS, ids=[".".join(filter(None, f[:3])) for f in FUNCTIONS]
)
def test_every_function_of_wasi_is_there_with_its_parameters(
    interface: str, resource: str, name: str, parameters: tuple[str, ...]
) -> None:
    host = HOST_OF[interface]
    owner: Any = next(cls for cls in host.resources if cls.wit_name == resource) if resource else host
    have = [parameter for parameter in inspect.signature(getattr(owner, snake(name))).parameters if parameter != "self"]
    assert have == [snake(parameter) for parameter in parameters]


def test_the_registration_names_exactly_the_interfaces_that_are_served() -> None:
    (interface,) = plugin.qwasr_register_interfaces()
    assert sorted(interface.wit) == sorted(HOST_OF)
    assert interface.hosts() == HOSTS


async def test_the_default_backend_is_the_machine() -> None:
    (interface,) = plugin.qwasr_register_interfaces()
    (backend,) = plugin.qwasr_register_backends()
    assert (backend.name, backend) == (interface.default, System)
    system = await System.connect(System.Options.from_env({}))  # type: ignore[arg-type]  # they are SystemOptions
    await system.check()
    await system.close()


def test_the_fake_is_a_fresh_fixed_machine_each_time() -> None:
    (fake,) = plugin.qwasr_register_fakes()
    first, second = fake.make(Clock()), fake.make(Clock())
    assert isinstance(first, FixedSystem)
    assert first is not second


def test_importing_the_plugin_imports_no_event_loop() -> None:
    code = "import sys, qwasr_wasi.plugin; sys.exit('asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
