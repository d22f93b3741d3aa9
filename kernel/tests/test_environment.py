from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.environment import all_variables, check_settings, unread_variables
from qwasr.errors import OptionError
from qwasr.hooks import Interface
from qwasr.options import ConnectOptions, env
from qwasr.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresOptions(ConnectOptions):
    url: str = env("POSTGRES_URL", default="postgres://localhost", secret=True, help="where it listens")


class Postgres:
    name = "postgres"
    provides = ("sql",)
    schemes = ("postgres",)
    Options = PostgresOptions


@pytest.fixture
def registry(plugin: Callable[..., Any]) -> Registry:
    interface = Interface(name="sql", wit=("wasi:sql/readwrite",), hosts=list, default="postgres")
    return Registry([plugin(interfaces=[interface], backends=[Postgres])], environ={}, entry_points=())


def unread(registry: Registry, **environ: str) -> list[str]:
    return unread_variables(all_variables(registry), environ, registry)


def test_variables_of_kernel_interfaces_and_backends_are_listed_with_their_readers(registry: Registry) -> None:
    readers = {variable.name: variable.reader for variable in all_variables(registry)}
    assert readers["QWASR_GUEST_TIMEOUT_S"] == "qwasr.runtime_options.RuntimeOptions"
    assert readers["QWASR_SQL"] == "qwasr.backends.choose"
    assert readers["POSTGRES_URL"].endswith("PostgresOptions")


def test_what_is_read_is_not_reported(registry: Registry) -> None:
    environ = {"QWASR_SQL": "postgres", "QWASR_SQL__A": "postgres", "POSTGRES_URL_FILE": "/run/secrets/url"}
    assert unread(registry, **environ, PATH="/bin", HOME="/") == []


def test_a_misspelt_variable_is_reported_with_a_guess(registry: Registry) -> None:
    assert unread(registry, QWASR_GUEST_TIMEOUT="5") == [
        "nothing reads the variable QWASR_GUEST_TIMEOUT. Did you mean 'QWASR_GUEST_TIMEOUT_S'?"
    ]


def test_a_slip_in_a_backends_variable_is_reported(registry: Registry) -> None:
    assert unread(registry, POSTGRES_ULR="x") == [
        "nothing reads the variable POSTGRES_ULR. Did you mean 'POSTGRES_URL'?"
    ]


def test_another_variable_of_the_same_service_is_not_a_slip(registry: Registry) -> None:
    assert unread(registry, POSTGRES_USER="x", POSTGRES_PASSWORD="x", POSTGRES_DB="x") == []


def test_a_variable_with_our_prefix_that_is_like_no_other_is_reported_without_a_guess(registry: Registry) -> None:
    assert unread(registry, QWASR_XYZZY="1") == ["nothing reads the variable QWASR_XYZZY."]


def test_an_interface_without_named_stores_has_no_variables_for_them(plugin: Callable[..., Any]) -> None:
    interface = Interface(name="clock", wit=("demo:clock/clock",), hosts=list, stores=False)
    registry = Registry([plugin(interfaces=[interface])], environ={}, entry_points=())
    assert "QWASR_CLOCK_STORES" not in {variable.name for variable in all_variables(registry)}
    assert unread(registry, QWASR_CLOCK__A="x")[0].startswith("nothing reads the variable QWASR_CLOCK__A.")


def test_a_setting_may_name_a_secret_and_its_file(registry: Registry) -> None:
    check_settings({"POSTGRES_URL": "x"}, {"POSTGRES_URL": "x"}, registry)
    with pytest.raises(OptionError, match="POSTGRES_URL_FILE=/no/such/file: cannot be read"):
        check_settings({"POSTGRES_URL_FILE": ""}, {"POSTGRES_URL_FILE": "/no/such/file"}, registry)


def test_a_setting_that_nobody_reads_is_an_error_though_it_looks_foreign(registry: Registry) -> None:
    with pytest.raises(OptionError, match="nothing reads the variable HOME"):
        check_settings({"HOME": "/"}, {"HOME": "/"}, registry)
