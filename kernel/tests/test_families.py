"""Families of variables: ``OAK_DRAWER__<NAME>`` stands for as many as are set."""

from __future__ import annotations

import json
from dataclasses import dataclass, make_dataclass
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from qwasr.backends import fold
from qwasr.cli._explain import explain
from qwasr.environment import all_variables, check_settings, misspelt, unread_variables
from qwasr.errors import ConfigurationError, OptionError
from qwasr.findings import describe_options
from qwasr.hooks import Interface
from qwasr.options import ConnectOptions, env
from qwasr.registry import Registry
from qwasr.settings import Layer, Settings
from qwasr.settings_file import SettingsFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class OakOptions(ConnectOptions):
    drawer: str = env("OAK_DRAWER", default="top", help="which drawer")
    drawers: dict[str, str] = env("OAK_DRAWER__<NAME>", default={}, help="the drawer of that name")
    keys: dict[str, str] = env("OAK_KEY__<NAME>", default={}, secret=True, help="what opens the drawer of that name")


class Oak:
    name, provides, schemes, Options = "oak", ("shelf",), (), OakOptions


@pytest.fixture
def registry(plugin: Callable[..., Any]) -> Registry:
    shelf = Interface(name="shelf", wit=("demo:shelf/shelf",), hosts=list, default="oak", stores=False)
    return Registry([plugin(interfaces=[shelf], backends=[Oak])], environ={}, entry_points=())


def unread(registry: Registry, **environ: str) -> list[str]:
    return unread_variables(all_variables(registry), environ, registry)


def test_a_field_has_every_variable_of_its_family_by_what_stands_for_the_name() -> None:
    environ = {"OAK_DRAWER": "left", "OAK_DRAWER__USERS": "2", "OAK_DRAWER__A_B": "3", "OAK_DRAWERS": "4"}
    assert OakOptions.from_env(environ).drawers == {"A_B": "3", "USERS": "2"}
    assert OakOptions.from_env({}).drawers == {}


def test_options_with_a_family_find_their_connection_again_and_no_other() -> None:
    opened = {OakOptions.from_env({"OAK_DRAWER__USERS": "2"}): "two"}
    assert opened.get(OakOptions.from_env({"OAK_DRAWER__USERS": "2"})) == "two"
    assert opened.get(OakOptions.from_env({"OAK_DRAWER__USERS": "3"})) is None


@pytest.mark.parametrize("name", ["OAK_DRAWER__", "OAK_DRAWER__users", "OAK_DRAWER__A-B", f"OAK_DRAWER__{'A' * 129}"])
def test_what_is_no_name_of_a_variable_is_none_of_a_family(name: str) -> None:
    assert OakOptions.from_env({name: "2"}).drawers == {}


def test_an_empty_one_counts_as_not_set() -> None:
    assert OakOptions.from_env({"OAK_DRAWER__USERS": ""}).drawers == {}


def test_a_default_is_nobody_elses_to_change() -> None:
    OakOptions().drawers["A"] = "1"
    assert OakOptions().drawers == {}


@pytest.mark.parametrize(("hint", "name"), [(dict[str, str], "OAK_DRAWER"), (str, "OAK_DRAWER__<NAME>")])
def test_a_family_whose_name_has_no_place_for_names_is_a_programming_error(hint: Any, name: str) -> None:
    fields = [("drawers", hint, env(name, default=None, help="the drawer of that name"))]
    wrong: Any = make_dataclass("Wrong", fields, bases=(ConnectOptions,), frozen=True, kw_only=True)
    with pytest.raises(TypeError, match=r"drawers: dict\[str, str\] is for a family"):
        wrong.variables()


def test_a_secret_of_a_family_may_be_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hunter2\n")
    options = OakOptions.from_env({"OAK_KEY__USERS_FILE": str(tmp_path / "key"), "OAK_KEY__CARTS": "hunter3"})
    assert options.keys == {"CARTS": "hunter3", "USERS": "hunter2"}
    assert "hunter" not in repr(options)


def test_a_secret_of_a_family_that_is_given_twice_is_an_error() -> None:
    with pytest.raises(OptionError, match="both OAK_KEY__USERS and OAK_KEY__USERS_FILE are set"):
        OakOptions.from_env({"OAK_KEY__USERS_FILE": "/run/key", "OAK_KEY__USERS": "hunter2"})


def test_a_variable_of_a_family_is_read_and_not_reported(registry: Registry) -> None:
    assert unread(registry, OAK_DRAWER__USERS="2", OAK_KEY__USERS_FILE="/run/key") == []
    check_settings({"OAK_DRAWER__USERS": "2"}, {"OAK_DRAWER__USERS": "2"}, registry)


@pytest.mark.parametrize("name", ["OAK_DRAWR__USERS", "OAK_DRAWER_USERS", "OAK_DRAWRE__USERS", "OAK_DRAWER__users"])
def test_a_slip_in_a_familys_name_is_reported_with_what_was_meant(registry: Registry, name: str) -> None:
    meant = "OAK_DRAWER__USERS"
    assert unread(registry, **{name: "2"}) == [f"nothing reads the variable {name}. Did you mean {meant!r}?"]
    with pytest.raises(OptionError, match=f"Did you mean '{meant}'"):
        check_settings({name: "2"}, {name: "2"}, registry)
    assert (name, meant) in misspelt(OakOptions.variables(), all_variables(registry), {name: "2"})


def test_a_variable_that_only_begins_alike_is_not_a_slip(registry: Registry) -> None:
    assert unread(registry, OAK_DRAWERHANDLE__X="2", OAK_PORT="80", OAK="1") == []


@given(st.text(max_size=40))
def test_any_name_is_of_the_family_or_not(name: str) -> None:
    family = next(one for one in OakOptions.variables() if one.field == "drawers")
    one = family.member(f"OAK_DRAWER__{name}")
    assert (one is not None) == (0 < len(name) == len(fold(name)) and fold(name) == name)


def test_doctor_names_those_that_are_set_and_masks_secrets() -> None:
    settings = {one.name: one.value for one in describe_options(OakOptions, {"OAK_KEY__A": "x", "OAK_DRAWER__B": "2"})}
    assert (settings["OAK_KEY__A"], settings["OAK_DRAWER__B"]) == ("***", "2")


def test_env_lists_the_family_and_those_that_are_set(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    from qwasr.cli.env import command

    monkeypatch.setattr("qwasr.registry.Registry", lambda **_: registry)
    environ = {"OAK_DRAWER__USERS": "2", "OAK_KEY__USERS": "hunter2", "OAK_KEY__CARTS_FILE": "/run/key"}
    done = CliRunner().invoke(command, ["--json"], env=environ)
    report = {one["name"]: one for one in json.loads(done.stdout)["variables"]}
    assert report["OAK_DRAWER__<NAME>"]["set"] is False
    assert (report["OAK_DRAWER__USERS"]["value"], report["OAK_DRAWER__USERS"]["set_by"]) == ("2", "environment")
    assert (report["OAK_KEY__USERS"]["value"], report["OAK_KEY__CARTS"]["value"]) == ("***", "***")
    assert report["OAK_KEY__CARTS"]["set"] is True


def explained(
    name: str, settings: Settings, registry: Registry, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
) -> dict[str, Any]:
    patch.setattr("qwasr.registry.Registry", lambda **_: registry)
    explain(name, settings, as_json=True)
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def test_explain_knows_a_family_and_each_of_it(
    registry: Registry, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings([Layer("environment", {"OAK_DRAWER__USERS": "2"}), Layer("a.env", {"OAK_DRAWER__USERS": "3"})])
    one = explained("OAK_DRAWER__USERS", settings, registry, capsys, monkeypatch)
    assert (one["value"], one["set_by"], one["help"]) == ("2", "environment", "the drawer of that name")
    assert one["hidden"] == [{"value": "3", "set_by": "a.env"}]
    assert one["key"] == "[shelf.drawers] users"
    assert explained("OAK_DRAWER__<NAME>", settings, registry, capsys, monkeypatch)["value"] is None
    secret = Settings([Layer("environment", {"OAK_KEY__A": "hunter2", "OAK_KEY__B_FILE": "/run/key"})])
    assert explained("OAK_KEY__A", secret, registry, capsys, monkeypatch)["value"] == "***"
    assert explained("OAK_KEY__B_FILE", secret, registry, capsys, monkeypatch)["value"] == "/run/key"


def read(registry: Registry, folder: Path, content: str, **stronger: str) -> Layer:
    (folder / "qwasr.toml").write_text(content)
    return SettingsFile(folder / "qwasr.toml").layer(registry, stronger)


def test_the_settings_file_has_a_table_for_each_family(registry: Registry, tmp_path: Path) -> None:
    content = '[shelf]\noak_drawer = "left"\n[shelf.drawers]\nusers = "2"\nold-carts = "3"\n[shelf.keys]\nusers = "k"\n'
    layer = read(registry, tmp_path, content)
    assert layer.values == {
        "OAK_DRAWER": "left",
        "OAK_DRAWER__USERS": "2",
        "OAK_DRAWER__OLD_CARTS": "3",
        "OAK_KEY__USERS": "k",
    }
    assert layer.where("OAK_DRAWER__OLD_CARTS").endswith("qwasr.toml [shelf.drawers] old-carts")


def test_a_secret_of_the_environment_hides_that_of_the_file(registry: Registry, tmp_path: Path) -> None:
    content = '[shelf.keys]\nusers = "k"\ncarts = "c"\n'
    layer = read(registry, tmp_path, content, OAK_KEY__USERS_FILE="/run/key")
    assert layer.values == {"OAK_KEY__CARTS": "c"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('[shelf]\ndrawers = "2"', "[shelf] drawers: write [shelf.drawers] above"),
        ("[shelf.drawers]\nusers = [1]", "[shelf.drawers] users: the value does not fit: expected text"),
        ('[shelf.drawers]\na-b = "1"\na_b = "2"', "OAK_DRAWER__A_B stands for 'a-b' too; rename one"),
        (f'[shelf.drawers]\n{"a" * 200} = "1"', "is no variable's name; rename it"),
        ('[shelf.drawers]\n"" = "1"', "OAK_DRAWER__ is no variable's name; rename it"),
        ('[shelf.drawrs]\nusers = "1"', "nothing reads 'drawrs' in [shelf]. Did you mean 'drawers'?"),
    ],
)
def test_what_cannot_be_followed_is_an_error_that_says_where(
    registry: Registry, tmp_path: Path, content: str, complaint: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(registry, tmp_path, content)
    assert complaint in str(caught.value)
