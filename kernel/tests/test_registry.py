from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.errors import ConfigurationError, PluginError
from qwasr.hooks import KERNEL_API, Fake, Interface, hookimpl
from qwasr.options import ConnectOptions
from qwasr.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Make = Callable[..., Any]


def backend(name: str, *interfaces: str, schemes: tuple[str, ...] = ()) -> type[Any]:
    attributes = {"name": name, "provides": interfaces, "schemes": schemes, "Options": ConnectOptions}
    return type(name.capitalize(), (), attributes)


SHELF = Interface(name="shelf", wit=("demo:shelf/shelf",), hosts=list, default="wood")


class Installed:
    """Entry points as packages on disk would have them."""

    def __init__(self) -> None:
        self.points: list[EntryPoint] = []
        self.modules: list[str] = []

    def add(self, name: str, module: object | None, version: str = "1.0", distribution: str | None = None) -> None:
        path = f"qwasr_test_plugin_{len(self.points)}_{name}"
        if module is not None:
            sys.modules[path] = module  # type: ignore[assignment]  # a namespace stands for a module
            self.modules.append(path)
        point = EntryPoint(name, path, "qwasr")
        vars(point).update(dist=SimpleNamespace(name=distribution or f"dist-{name}", version=version))
        self.points.append(point)

    def registry(self, **environ: str) -> Registry:
        return Registry(environ=environ, entry_points=self.points)


@pytest.fixture
def installed() -> Iterator[Installed]:
    those = Installed()
    yield those
    for path in those.modules:
        del sys.modules[path]


def test_what_a_plugin_registers_is_found(plugin: Make) -> None:
    wood = backend("wood", "shelf", schemes=("wood",))
    fake = Fake(interface="shelf", make=wood)
    registry = Registry([plugin(interfaces=[SHELF], backends=[wood], fakes=[fake])], environ={}, entry_points=())
    assert registry.interface_of("demo:shelf/shelf@0.3.1") is SHELF
    assert registry.backends("shelf") == {"wood": wood}
    assert registry.backend_for_url("shelf", "wood://oak") is wood
    assert registry.fake("shelf") is fake
    assert registry.fake("other") is None


def test_an_installed_plugin_is_loaded_with_its_distribution_and_version(installed: Installed, plugin: Make) -> None:
    installed.add("wood", plugin(backends=[backend("wood", "shelf")]), version="2.5")
    (found,) = installed.registry().plugins
    assert (found.name, found.distribution, found.version, found.error) == ("wood", "dist-wood", "2.5", "")


def test_a_plugin_that_cannot_be_imported_is_skipped_and_reported(installed: Installed, plugin: Make) -> None:
    installed.add("broken", None)
    installed.add("wood", plugin(backends=[backend("wood", "shelf")]))
    registry = installed.registry()
    assert list(registry.backends("shelf")) == ["wood"]
    assert "dist-broken 1.0 is not used: it cannot be imported: ModuleNotFoundError" in registry.problems[0]


def test_a_broken_plugin_that_was_asked_for_is_an_error(installed: Installed) -> None:
    installed.add("broken", None)
    with pytest.raises(PluginError, match=r"dist-broken 1\.0 cannot be used: it cannot be imported"):
        installed.registry(QWASR_PLUGINS="broken")


def test_the_plugins_variable_loads_those_and_no_others(installed: Installed, plugin: Make) -> None:
    installed.add("broken", None)
    installed.add("wood", plugin(backends=[backend("wood", "shelf")]))
    installed.add("iron", plugin(backends=[backend("iron", "shelf")]))
    assert list(installed.registry(QWASR_PLUGINS=" wood,").backends("shelf")) == ["wood"]
    assert installed.registry(QWASR_PLUGINS="").plugins == []


def test_a_plugin_that_was_asked_for_and_is_not_installed_is_an_error_with_a_guess(
    installed: Installed, plugin: Make
) -> None:
    installed.add("keyvalue", plugin())
    with pytest.raises(PluginError, match=r"'keyvlaue', which is not installed. Did you mean 'keyvalue'\?"):
        installed.registry(QWASR_PLUGINS="keyvlaue")


def test_a_plugin_for_another_kernel_is_refused_with_both_versions(installed: Installed) -> None:
    installed.add("future", SimpleNamespace(KERNEL_API=KERNEL_API + 1))
    expected = f"made for kernel API {KERNEL_API + 1}, and this kernel has {KERNEL_API}"
    assert expected in installed.registry().problems[0]
    with pytest.raises(PluginError, match=expected):
        installed.registry(QWASR_PLUGINS="future")


def test_two_backends_of_one_name_for_one_interface_name_both_distributions(installed: Installed, plugin: Make) -> None:
    installed.add("one", plugin(backends=[backend("wood", "shelf")]), distribution="oak")
    installed.add("two", plugin(backends=[backend("wood", "shelf", "table")]), distribution="pine", version="3")
    with pytest.raises(PluginError, match=r"oak 1\.0 and pine 3 both register a backend 'wood' for shelf"):
        installed.registry()


def test_two_backends_of_one_name_for_different_interfaces_are_fine(installed: Installed, plugin: Make) -> None:
    installed.add("one", plugin(backends=[backend("wood", "shelf")]))
    installed.add("two", plugin(backends=[backend("wood", "table")]))
    assert list(installed.registry().backends("table")) == ["wood"]


def test_one_plugin_that_registers_a_name_twice_is_an_error(plugin: Make) -> None:
    twice = plugin(backends=[backend("wood", "shelf"), backend("wood", "shelf")])
    with pytest.raises(PluginError, match="registers a backend 'wood' for shelf twice"):
        Registry([twice], environ={}, entry_points=())


def test_two_interfaces_of_one_name_are_an_error(plugin: Make) -> None:
    with pytest.raises(PluginError, match="both register an interface named 'shelf'"):
        Registry([plugin("a", interfaces=[SHELF]), plugin("b", interfaces=[SHELF])], environ={}, entry_points=())


def test_a_plugin_handed_over_that_is_installed_too_counts_once(installed: Installed, plugin: Make) -> None:
    module = plugin(interfaces=[SHELF])
    installed.add("shelf", module)
    assert len(Registry([module], environ={}, entry_points=installed.points).plugins) == 1


def test_a_hook_that_fails_refuses_its_plugin_alone(installed: Installed, plugin: Make) -> None:
    def explode() -> list[Any]:
        raise RuntimeError("no client library")

    module = plugin(interfaces=[SHELF])
    module.qwasr_register_backends = hookimpl(explode)
    installed.add("half", module)
    installed.add("wood", plugin(backends=[backend("wood", "shelf")]))
    registry = installed.registry()
    assert "RuntimeError: no client library" in registry.problems[0]
    assert registry.interfaces == {}
    assert list(registry.backends("shelf")) == ["wood"]


def test_a_misspelt_hook_is_refused_with_a_guess(plugin: Make) -> None:
    with pytest.raises(PluginError, match="Did you mean 'qwasr_register_backends'"):
        Registry([plugin(backend=[])], environ={}, entry_points=())


def test_a_backend_class_that_lacks_what_it_must_say_is_refused_by_name(plugin: Make) -> None:
    class Nameless:
        provides = ("shelf",)

    with pytest.raises(PluginError, match="Nameless needs a class attribute 'name'"):
        Registry([plugin(backends=[Nameless])], environ={}, entry_points=())


def test_an_unknown_backend_is_an_error_with_what_there_is_and_a_guess(plugin: Make) -> None:
    registry = Registry([plugin(backends=[backend("wood", "shelf")])], environ={}, entry_points=())
    with pytest.raises(ConfigurationError, match=r"no backend 'woood' for shelf. Installed: wood. Did you mean 'wood'"):
        registry.backend("shelf", "woood")


def test_a_known_backend_that_is_not_installed_is_an_error_that_says_how_to_install_it(plugin: Make) -> None:
    registry = Registry([plugin()], environ={}, entry_points=())
    with pytest.raises(ConfigurationError, match="pip install mik-backend-redis"):
        registry.backend("keyvalue", "redis")
    with pytest.raises(ConfigurationError, match=r"begins with rediss://.*pip install mik-backend-redis"):
        registry.backend_for_url("keyvalue", "rediss://host")


def test_a_missing_import_is_hinted_at_with_the_distribution_that_provides_it() -> None:
    registry = Registry(environ={}, entry_points=())
    assert registry.hint("wasi:messaging/producer@0.2.0-draft") == "pip install qwasr-messaging"
    assert registry.hint("acme:thing/of-their-own") is None


def test_a_missing_import_of_a_broken_plugin_is_hinted_at_with_what_broke_it(installed: Installed) -> None:
    installed.add("keyvalue", None, distribution="qwasr-keyvalue")
    hint = installed.registry().hint("wasi:keyvalue/store@0.2.0-draft2")
    assert hint is not None
    assert hint.startswith("qwasr-keyvalue 1.0 is installed but not used: it cannot be imported")
