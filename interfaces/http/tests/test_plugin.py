"""How the distribution plugs in, and that looking at it costs nothing."""

from __future__ import annotations

import subprocess
import sys

from qwasr.registry import Registry
from qwasr_http import plugin
from qwasr_http.client import AiohttpClientOptions
from qwasr_http.server import HttpServerOptions


def test_the_plugin_offers_interface_backend_server_and_fake() -> None:
    registry = Registry([plugin], environ={"QWASR_PLUGINS": ""})
    (found,) = registry.plugins
    assert found.error == ""
    assert [interface.name for interface in found.interfaces] == ["http"]
    assert [backend.name for backend in found.backends] == ["aiohttp"]
    assert [server.export for server in found.servers] == ["wasi:http/incoming-handler"]
    assert [fake.interface for fake in found.fakes] == ["http"]


def test_registering_imports_no_http_library() -> None:
    script = """
import sys
from qwasr_http import plugin
plugin.qwasr_register_interfaces(), plugin.qwasr_register_backends()
plugin.qwasr_register_servers(), plugin.qwasr_register_fakes()
sys.exit(" ".join({"aiohttp", "yarl", "wasmtime", "cffi"} & set(sys.modules)) or 0)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_options_come_from_the_environment() -> None:
    client = AiohttpClientOptions.from_env({"QWASR_HTTP_ALLOW": "a.test, https://*.b.test:8443"})
    assert client.allow == ("a.test", "https://*.b.test:8443")
    server = HttpServerOptions.from_env({"HTTP_ADDR": "[::1]:1", "QWASR_HTTP_MAX_BODY_BYTES": "5"})
    assert (server.addresses, server.max_body_bytes) == (("[::1]:1",), 5)


def test_a_guest_is_served_on_this_host_alone_unless_told() -> None:
    assert HttpServerOptions().addresses == ("127.0.0.1:8080",)
    assert AiohttpClientOptions().allow == ()
