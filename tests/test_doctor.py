"""The doctor before real services: what is in the way of a connection to Redis, and what it says of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.services.programs import need
from tests.services.redis import RedisServer
from tools.ports import free_port

pytestmark = pytest.mark.timeout(60)

GUEST = """
(component
  (import "wasi:keyvalue/store@0.2.0-draft2" (instance $store
    (export "bucket" (type $bucket (sub resource)))
    (type $e (variant (case "no-such-store") (case "access-denied") (case "other" string)))
    (export "error" (type $error (eq $e)))
    (export "open" (func (param "identifier" string) (result (result (own $bucket) (error $error)))))))
  (core module $m (func (export "run") (result i32) i32.const 0))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $command)))
"""
Redis = Callable[..., RedisServer]
Doctor = Callable[..., dict[str, Any]]


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    """Run the doctor for a component that imports `wasi:keyvalue`; gives what it found about that."""
    component = tmp_path / "guest.wat"
    component.write_text(GUEST)

    def run(**variables: str) -> dict[str, Any]:
        clean = {name: text for name, text in os.environ.items() if not name.startswith(("QWASR_", "REDIS_"))}
        ours = {"QWASR_CACHE_DIR": str(tmp_path / "cache"), "QWASR_KEYVALUE": "redis", "REDIS_CONNECT_TIMEOUT_S": "0.3"}
        environ = {**clean, **ours, **variables}
        words = [str(Path(sys.executable).with_name("qwasr")), "doctor", "--json", str(component)]
        done = subprocess.run(words, capture_output=True, text=True, env=environ, check=False)
        report = json.loads(done.stdout)
        assert (done.returncode == 0) == report["would_run"]
        found: dict[str, Any] = next(one for one in report["findings"] if one["subject"] == "keyvalue")
        assert "hunter2" not in done.stdout + done.stderr
        return found

    return run


def test_a_redis_that_is_there_would_do(doctor: Doctor, redis_server: Redis) -> None:
    assert doctor(REDIS_URL=redis_server().url)["failed"] == ""


def test_a_redis_that_was_stopped_refuses(doctor: Doctor, redis_server: Redis) -> None:
    server = redis_server()
    server.stop()
    found = doctor(REDIS_URL=server.url)
    assert found["cause"] == "refused"
    assert "REDIS_URL" in found["hint"]


def test_a_variable_that_is_misspelt_is_named(doctor: Doctor) -> None:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 6379)) == 0:
            pytest.skip("a Redis listens at the default address, so the slip does no harm")
    found = doctor(REDIS_UURL="redis://cache")
    assert found["cause"] == "misspelt variable"
    assert found["hint"] == "REDIS_UURL is set and nothing reads it: did you mean REDIS_URL?"


def test_a_slip_in_a_variable_that_the_url_replaces_is_not_the_cause(doctor: Doctor) -> None:
    found = doctor(QWASR_KEYVALUE=f"redis://127.0.0.1:{free_port()}", REDIS_URLL="redis://cache")
    assert found["cause"] == "refused"
    assert "QWASR_KEYVALUE right?" in found["hint"]
    assert "REDIS_URL" not in found["hint"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems word it in other ways")
def test_a_host_that_there_is_no_way_to(doctor: Doctor) -> None:
    assert doctor(REDIS_URL="redis://224.0.0.1")["cause"] == "unreachable"  # no connection can lead to many


def test_a_host_whose_name_nobody_knows(doctor: Doctor) -> None:
    assert doctor(REDIS_URL="redis://cache.invalid")["cause"] == "name"


def test_a_wrong_password(doctor: Doctor, redis_server: Redis) -> None:
    server = redis_server("--requirepass", "sesame")
    port = server.port
    assert doctor(REDIS_URL=f"redis://:hunter2@127.0.0.1:{port}")["cause"] == "authentication"
    assert doctor(REDIS_URL=server.url)["cause"] == "authentication"
    assert doctor(REDIS_URL=f"redis://:sesame@127.0.0.1:{port}")["failed"] == ""


def test_a_user_that_may_do_nothing(doctor: Doctor, redis_server: Redis) -> None:
    server = redis_server("--user", "guest", "on", ">hunter2", "-@all")
    assert doctor(REDIS_URL=f"redis://guest:hunter2@127.0.0.1:{server.port}")["cause"] == "permission"


def test_a_database_that_is_not_there(doctor: Doctor, redis_server: Redis) -> None:
    assert doctor(REDIS_URL=f"{redis_server().url}/99")["cause"] == "missing"


def test_a_certificate_that_nobody_trusts(doctor: Doctor, redis_server: Redis, tmp_path: Path) -> None:
    openssl = need("openssl", "apt-get install openssl")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem")
    make = (openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names, *files)
    subprocess.run(make, check=True, capture_output=True)
    tls = ("--tls-cert-file", str(tmp_path / "cert.pem"), "--tls-key-file", str(tmp_path / "key.pem"))
    port = free_port()
    redis_server("--tls-port", str(port), *tls, "--tls-auth-clients", "no")
    assert doctor(REDIS_URL=f"rediss://127.0.0.1:{port}")["cause"] == "tls"


def test_a_redis_that_hangs(doctor: Doctor, redis_server: Redis) -> None:
    server = redis_server()
    server.pause()
    assert doctor(REDIS_URL=server.url)["cause"] == "timeout"


def test_the_file_beside_the_component_is_named_as_the_source(
    doctor: Doctor, redis_server: Redis, tmp_path: Path
) -> None:
    (tmp_path / "qwasr.toml").write_text(f'[keyvalue]\nredis_url = "{redis_server().url}"\n')
    found = doctor()
    assert found["failed"] == ""
    assert found["variables"][0]["set_by"] == f"{tmp_path / 'qwasr.toml'} [keyvalue] redis_url"


def test_a_sqlite_file_in_a_folder_that_is_not_there(doctor: Doctor, tmp_path: Path) -> None:
    assert doctor(QWASR_KEYVALUE=f"sqlite:///{tmp_path}/absent/store.db")["cause"] == "missing"
