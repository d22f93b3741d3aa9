from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwasr.backends import choose
from qwasr.environment import unset_when_empty
from qwasr.errors import ConfigurationError
from qwasr.hooks import Interface
from qwasr.options import ConnectOptions, env
from qwasr.registry import Registry
from qwasr.settings import Layer, Settings, load_settings, source
from qwasr.settings_file import SettingsFile, settings_keys

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfOptions(ConnectOptions):
    url: str = env("OAK_URL", default="oak://here", secret=True, address=True, help="where it stands")
    boards: int = env("QWASR_SHELF_BOARDS", default=3, minimum=1, help="how many boards")
    tall: bool = env("QWASR_TALL", default=False, help="whether it is tall")
    height_m: float = env("SHELF_HEIGHT_M", default=2.0, help="how tall, metres")
    labels: tuple[str, ...] = env("OAK_LABELS", default=(), help="what is written on it")


class Oak:
    name, provides, schemes, Options = "oak", ("shelf",), ("oak",), ShelfOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorOptions(ConnectOptions):
    address: str = env("SHELF_ADDR", default="", help="where to listen")


class Door:
    export, Options = "demo:shelf/door", DoorOptions


@pytest.fixture
def registry(plugin: Callable[..., Any]) -> Registry:
    shelf = Interface(name="shelf", wit=("demo:shelf/shelf",), hosts=list, default="oak")
    clock = Interface(name="clock", wit=("demo:clock/clock",), hosts=list, stores=False)
    stranger = plugin(interfaces=[shelf, clock], backends=[Oak], servers=[Door])
    return Registry([stranger], environ={}, entry_points=())


@pytest.fixture
def read(registry: Registry, tmp_path: Path) -> Callable[..., Layer]:
    """Read a file of settings with this content."""

    def read(content: str, **stronger: str) -> Layer:
        (tmp_path / "qwasr.toml").write_text(content)
        return SettingsFile(tmp_path / "qwasr.toml").layer(registry, stronger)

    return read


Read = Any


def test_the_strongest_layer_that_sets_a_variable_wins() -> None:
    settings = Settings([Layer("flag", {"A": "1"}, {"A": "--a"}), Layer("environment", {"A": "2", "B": "3"})])
    assert settings == {"A": "1", "B": "3"}
    assert [settings.source(name) for name in ("A", "B", "C")] == ["--a", "environment", ""]


def test_what_a_stronger_layer_hides_can_still_be_seen() -> None:
    settings = Settings([Layer("environment", {"A": "1"}), Layer("a.env", {"A": "2"})])
    assert settings.everywhere("A") == [("environment", "1"), ("a.env", "2")]


def test_a_plain_mapping_is_the_environment() -> None:
    assert source({"A": "1"}, "A") == "environment"
    assert source({"A": "1"}, "B") == ""


def test_keys_are_variables_without_prefix_in_the_table_of_their_interface(registry: Registry) -> None:
    names = {f"{table}.{key}": one.name for table, keys in settings_keys(registry).items() for key, one in keys.items()}
    assert names["runtime.workers"] == "QWASR_WORKERS"
    assert names["runtime.log_format"] == "LOG_FORMAT"
    shelf = {key.removeprefix("shelf."): name for key, name in names.items() if key.startswith("shelf.")}
    assert shelf == {
        "backend": "QWASR_SHELF",
        "stores": "QWASR_SHELF_STORES",
        "oak_url": "OAK_URL",
        "boards": "QWASR_SHELF_BOARDS",
        "tall": "QWASR_TALL",
        "height_m": "SHELF_HEIGHT_M",
        "oak_labels": "OAK_LABELS",
        "addr": "SHELF_ADDR",
    }


def test_values_of_every_type_become_the_text_of_their_variables(read: Read) -> None:
    layer = read(
        '[runtime]\nworkers = 4\n[shelf]\nbackend = "oak"\ntall = true\nheight_m = 1.5\noak_labels = ["a", "b"]\n'
        'addr = ":80"\n[shelf.store]\nbig-one = "oak://there"\n'
    )
    assert layer.values == {
        "QWASR_WORKERS": "4",
        "QWASR_SHELF": "oak",
        "QWASR_TALL": "true",
        "SHELF_HEIGHT_M": "1.5",
        "OAK_LABELS": "a,b",
        "SHELF_ADDR": ":80",
        "QWASR_SHELF__BIG_ONE": "oak://there",
    }
    assert layer.where("QWASR_WORKERS").endswith("qwasr.toml [runtime] workers")
    assert layer.where("QWASR_SHELF__BIG_ONE").endswith("qwasr.toml [shelf.store] big-one")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[runtime]\nwokers = 4", "nothing reads 'wokers' in [runtime]. Did you mean 'workers'?"),
        ("[shelf]\noak_ulr = 4", "nothing reads 'oak_ulr' in [shelf]. Did you mean 'oak_url'?"),
        ("[runtime]\nOAK_URL = 4", "nothing reads 'OAK_URL' in [runtime]. Write 'oak_url' in [shelf]."),
        ("[runtime]\nboards = 4", "nothing reads 'boards' in [runtime]. Did you mean [shelf]?"),
        ("[shelf]\nredis_url = 4", "nothing reads 'redis_url' in [shelf]. If it is for redis: pip install mik-backend"),
        ("[shelf]\nboards_file = '4'", "nothing reads 'boards_file' in [shelf]. Did you mean 'boards'?"),
        ("[shelv]\nboards = 4", "nothing reads the table [shelv]. Did you mean 'shelf'?"),
        ("[xyzzy]", "nothing reads the table [xyzzy]. There are: runtime, clock, shelf."),
        ("[blobstore]", "nothing reads the table [blobstore]. To install what does: pip install qwasr-blobstore."),
        ("workers = 4", "'workers' stands outside of a table; write [runtime] above it"),
        ("[runtime]\nconfig_file = 'a'", "nothing reads 'config_file' in [runtime]."),
        ("[runtime]\nallow_precompiled = true", "nothing reads 'allow_precompiled' in [runtime]."),
        (
            "[shelf]\nboards = 0",
            "[shelf] boards: QWASR_SHELF_BOARDS=0 does not fit: expected a whole number of at least 1",
        ),
        ("[shelf]\nboards = [1]", "[shelf] boards: the value does not fit: expected a whole number of at least 1"),
        ("[shelf]\nboards = 1e400", "QWASR_SHELF_BOARDS=inf does not fit"),
        ("[shelf]\ntall = 1979-05-27", "[shelf] tall: the value does not fit: expected true or false"),
        ("[shelf]\noak_labels = ['a,b']", "[shelf] oak_labels: the value does not fit"),
        ("[shelf]\naddr = ['a']", "[shelf] addr: the value does not fit"),
        ('[shelf]\naddr = "a\\u0000"', "[shelf] addr: the value does not fit"),
        (f"[shelf]\nboards = 0x{'f' * 9000}", "[shelf] boards: the value does not fit"),
        (f"[shelf]\nboards = {'9' * 9000}", "cannot read the settings"),
        ("[shelf]\nboards = ", "cannot read the settings"),
        (f"[shelf]\nboards = {'[' * 100_000}", "values are nested too deeply"),
        (f"# {'x' * 1024 * 1024}", "is larger than 1048576 bytes"),
        ("[shelf.store]\na-b = 'oak'\na_b = 'oak'", "QWASR_SHELF__A_B stands for 'a-b' too"),
        ("[shelf.store]\na = 1", "[shelf.store] a: expected a backend's name or URL"),
        ("[clock.store]\na = 'oak'", "[clock.store] means nothing: clock has no named stores"),
    ],
)
def test_what_cannot_be_followed_is_an_error_that_says_where(read: Read, content: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(content)
    assert complaint in str(caught.value)
    assert "qwasr.toml" in str(caught.value)


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "qwasr.toml"
    path.write_bytes(b"[runtime]\nworkers = '\xff'")
    with pytest.raises(ConfigurationError, match="it is not UTF-8 text"):
        SettingsFile(path)
    with pytest.raises(ConfigurationError, match="Is a directory"):
        SettingsFile(tmp_path)


def test_a_wrong_secret_is_not_quoted(read: Read) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read("[shelf]\noak_url = ['hunter2']")
    assert "hunter2" not in str(caught.value)


def test_a_secret_may_be_in_a_file_of_its_own(read: Read) -> None:
    assert read("[shelf]\noak_url_file = '/run/secrets/oak'").values == {"OAK_URL_FILE": "/run/secrets/oak"}


def test_a_secret_of_the_environment_hides_that_of_the_file_whichever_way_each_is_given(read: Read) -> None:
    assert read("[shelf]\noak_url_file = '/a'", OAK_URL="x").values == {}
    assert read("[shelf]\noak_url = 'x'", OAK_URL_FILE="/a").values == {}
    assert read("[shelf]\noak_url = 'x'", OAK_URL_FILE="").values == {"OAK_URL": "x"}


@given(content=st.text(max_size=200))
def test_any_text_is_settings_or_a_configuration_error(content: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(content, newline="", errors="replace")
    with contextlib.suppress(ConfigurationError):
        SettingsFile(path).early()


@pytest.fixture
def component(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    return tmp_path / "app" / "app.wasm"


def test_the_file_beside_the_component_is_the_weakest(component: Path, tmp_path: Path) -> None:
    (tmp_path / "more.env").write_text("QWASR_QUEUE=2\nQWASR_REUSE=2\n")
    component.with_name("qwasr.toml").write_text("[runtime]\nqueue = 1\nreuse = 1\nconcurrency = 1\n")
    environ = {"QWASR_QUEUE": "3", "QWASR_ENV_FILE": str(tmp_path / "more.env"), "QWASR_PLUGINS": ""}
    settings = load_settings(component, environ, flags=Layer("--set", {"QWASR_WORKERS": "4"}))
    names = ("QWASR_WORKERS", "QWASR_QUEUE", "QWASR_REUSE", "QWASR_CONCURRENCY", "QWASR_SHUTDOWN_S")
    assert [settings.get(name) for name in names] == ["4", "3", "2", "1", None]
    sources = [settings.source(name).removeprefix(str(tmp_path)) for name in names]
    assert sources == ["--set", "environment", "/more.env", "/app/qwasr.toml [runtime] concurrency", ""]


def test_the_file_may_name_the_plugins_and_a_file_of_variables_which_wins_over_it(
    component: Path, tmp_path: Path
) -> None:
    (tmp_path / "more.env").write_text("QWASR_QUEUE=2\n")
    component.with_name("qwasr.toml").write_text(
        f"[runtime]\nplugins = []\nenv_file = '{tmp_path / 'more.env'}'\nqueue = 1\n"
    )
    settings = load_settings(component, {})
    assert (settings["QWASR_PLUGINS"], settings["QWASR_QUEUE"]) == ("", "2")


def test_an_empty_value_hides_no_other_where_empty_is_not_set(component: Path, tmp_path: Path) -> None:
    (tmp_path / "more.env").write_text("QWASR_QUEUE=2\nQWASR_REUSE=\n")
    component.with_name("qwasr.toml").write_text(
        f"[runtime]\nqueue = 1\nreuse = 1\nadmin_addr = ':80'\nenv_file = '{tmp_path / 'more.env'}'\n"
    )
    environ = {"QWASR_QUEUE": "", "QWASR_ENV_FILE": "", "ADMIN_ADDR": "", "QWASR_PLUGINS": ""}
    settings = load_settings(component, environ)
    assert (settings["QWASR_QUEUE"], settings["QWASR_REUSE"]) == ("2", "1")
    assert settings.source("QWASR_QUEUE") == str(tmp_path / "more.env")
    assert settings["ADMIN_ADDR"] == ""  # where empty is a value, it counts


def test_an_empty_choice_of_a_backend_is_none(registry: Registry) -> None:
    names = ["QWASR_SHELF", "QWASR_SHELF__A", "OAK_URL_FILE", "QWASR_SHELF_BOARDS"]
    values = ["QWASR_PLUGINS", "QWASR_SHELF_STORES", "OAK_LABELS", "OAK_URL", "SHELF_ADDR", "FOREIGN"]
    assert unset_when_empty([*names, *values], registry) == set(names)


def test_another_file_may_be_named_or_none(component: Path, tmp_path: Path) -> None:
    component.with_name("qwasr.toml").write_text("[runtime]\nqueue = 1\n")
    (tmp_path / "other.toml").write_text("[runtime]\nqueue = 2\n")
    named = load_settings(component, {"QWASR_CONFIG_FILE": str(tmp_path / "other.toml"), "QWASR_PLUGINS": ""})
    assert named["QWASR_QUEUE"] == "2"
    assert "QWASR_QUEUE" not in load_settings(component, {"QWASR_CONFIG_FILE": "off"})
    with pytest.raises(ConfigurationError, match="No such file"):
        load_settings(component, {"QWASR_CONFIG_FILE": str(tmp_path / "absent.toml")})


@pytest.mark.parametrize("folder", ["absent", "a" * 300, "a\0b", "file"])
def test_a_folder_that_cannot_be_looked_into_has_no_settings_or_is_an_error(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("")
    with contextlib.suppress(ConfigurationError):
        assert load_settings(tmp_path / folder / "app.wasm", {"QWASR_PLUGINS": ""}) == {"QWASR_PLUGINS": ""}


def test_a_file_that_others_could_write_is_only_read_when_it_is_named(component: Path) -> None:
    path = component.with_name("qwasr.toml")
    path.write_text("[runtime]\nqueue = 1\n")
    path.chmod(0o666)
    with pytest.raises(ConfigurationError, match="could have been written by another user"):
        load_settings(component, {"QWASR_PLUGINS": ""})
    assert load_settings(component, {"QWASR_CONFIG_FILE": str(path), "QWASR_PLUGINS": ""})["QWASR_QUEUE"] == "1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_only_read_when_it_is_named(component: Path) -> None:
    path = component.with_name("qwasr.toml")
    path.write_text("[runtime]\nqueue = 1\n")
    os.chown(path, 12345, -1)
    with pytest.raises(ConfigurationError, match="could have been written by another user"):
        load_settings(component, {"QWASR_PLUGINS": ""})


def test_a_binding_says_when_its_choice_is_not_from_the_environment(registry: Registry) -> None:
    interface = registry.interfaces["shelf"]
    plain = choose(interface, registry, {"QWASR_SHELF": "oak"})[0].binding.why
    filed = Settings([Layer("qwasr.toml", {"QWASR_SHELF": "oak", "QWASR_SHELF__A": "oak"})])
    assert plain == "QWASR_SHELF=oak"
    assert [one.binding.why for one in choose(interface, registry, filed)] == [
        "QWASR_SHELF=oak from qwasr.toml",
        "QWASR_SHELF__A=oak from qwasr.toml",
    ]
