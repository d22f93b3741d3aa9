"""wasi:vault@0.1.0-draft, called as the engine calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qwasr.values import Variant, WitError
from qwasr_vault import AccessDenied, Memory, NoSuchLocker, Unavailable
from qwasr_vault.host import Locker, Vault
from qwasr_vault.limits import MAX_LISTED_BYTES, MAX_NAME_BYTES, MAX_SECRET_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwasr.protocols import Backends
    from qwasr_vault import protocol


@pytest.fixture
def locker(backends: Backends[protocol.Vault]) -> Any:
    return Vault(backends).open("l")


def error_of(function: Callable[..., Any], *arguments: Any) -> Variant:
    with pytest.raises(WitError) as caught:
        function(*arguments)
    value: Variant = caught.value.value
    return value


def test_the_embedded_backend_answers_without_waiting(locker: Any) -> None:
    assert isinstance(locker, Locker)
    assert locker.set("name", b"value") is None
    assert locker.get("name") == b"value"
    assert locker.exists("name") is True
    assert locker.list_ids() == ["name"]
    assert locker.delete("name") is None
    assert locker.get("name") is None


def test_a_locker_outside_of_the_allowed_list_is_no_such_store(backends: Backends[protocol.Vault]) -> None:
    assert error_of(Vault(backends).open, "forbidden") == Variant("no-such-store")


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (NoSuchLocker("anything"), Variant("no-such-store")),
        (AccessDenied("anything"), Variant("access-denied")),
        (Unavailable("the service is unavailable"), Variant("other", "the service is unavailable")),
    ],
    ids=["no-such-store", "access-denied", "unavailable"],
)
def test_the_backends_errors_become_their_cases(error: Exception, seen: Variant, backends: Any) -> None:
    class Failing(Memory):
        async def open_locker(self, identifier: str) -> Any:
            raise error

    backends.default = Failing()
    assert error_of(Vault(backends).open, "l") == seen


def test_a_name_up_to_512_bytes_is_taken(locker: Any, backends: Backends[protocol.Vault]) -> None:
    name = "é" * (MAX_NAME_BYTES // 2)
    locker.set(name, b"value")
    assert locker.list_ids() == [name]
    Vault(backends).open(name)


@pytest.mark.parametrize(("name", "says"), [("", "not empty"), ("é" * (MAX_NAME_BYTES // 2) + "e", "512 bytes")])
def test_other_names_are_errors(name: str, says: str, locker: Any, backends: Backends[protocol.Vault]) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: Vault(backends).open(name),
        lambda: locker.get(name),
        lambda: locker.set(name, b""),
        lambda: locker.delete(name),
        lambda: locker.exists(name),
    ]
    for call in calls:
        error = error_of(call)
        assert error.case == "other"
        assert says in error.value


def test_a_secret_above_64_kib_is_an_error_and_nothing_is_written(locker: Any) -> None:
    locker.set("name", bytes(MAX_SECRET_BYTES))
    error = error_of(locker.set, "name", bytes(MAX_SECRET_BYTES + 1))
    assert "65536 bytes" in error.value
    assert locker.get("name") == bytes(MAX_SECRET_BYTES)


def test_a_secret_above_64_kib_that_a_service_has_is_an_error(locker: Any, backends: Any) -> None:
    backends.default.put("l", "name", bytes(MAX_SECRET_BYTES + 1))
    assert "65536 bytes" in error_of(locker.get, "name").value


def test_more_names_than_an_answer_can_hold_are_an_error(locker: Any, backends: Any) -> None:
    count = MAX_LISTED_BYTES // MAX_NAME_BYTES
    for number in range(count):
        backends.default.put("l", f"{number:0{MAX_NAME_BYTES}}", b"")
    assert len(locker.list_ids()) == count
    backends.default.put("l", "one more", b"")
    assert "too many secrets to list" in error_of(locker.list_ids).value
