from __future__ import annotations

import logging
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwasr.backends import allowed_stores, choose, fold
from qwasr.connections import BackendSet, Connections
from qwasr.errors import BackendError, ConfigurationError, OptionError, StoreNotAllowed
from qwasr.hooks import Fake, Interface
from qwasr.options import ConnectOptions, env
from qwasr.registry import Registry
from qwasr.testing import Clock

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class WoodOptions(ConnectOptions):
    shelves: int = env("WOOD_SHELVES", default=3, minimum=1, help="how many")


@dataclass(frozen=True, slots=True, kw_only=True)
class IronOptions(ConnectOptions):
    url: str = env("IRON_URL", default="iron://localhost", secret=True, address=True, help="where it stands")
    wait_s: float = env("IRON_WAIT_S", default=1.0, help="how long to wait, seconds")


class Wood:
    name: ClassVar = "wood"
    provides: ClassVar = ("shelf",)
    schemes: ClassVar[tuple[str, ...]] = ("wood",)
    Options: ClassVar[type[ConnectOptions]] = WoodOptions

    def __init__(self, options: ConnectOptions | None = None) -> None:
        self.options = options
        self.closed = False

    @classmethod
    async def connect(cls, options: Any) -> Self:
        return cls(options)

    async def check(self) -> None: ...

    async def close(self) -> None:
        self.closed = True


class Iron(Wood):
    name: ClassVar = "iron"
    schemes: ClassVar = ("iron", "irons")
    Options: ClassVar[type[ConnectOptions]] = IronOptions


class Glass(Wood):
    name: ClassVar = "glass"
    schemes: ClassVar = ()

    @classmethod
    async def connect(cls, options: Any) -> Self:
        raise RuntimeError("refused for user hunter2")


SHELF = Interface(name="shelf", wit=("demo:shelf/shelf",), hosts=list, default="wood")
BARE = Interface(name="shelf", wit=("demo:shelf/shelf",), hosts=list)


@pytest.fixture
def registry(plugin: Callable[..., Any]) -> Registry:
    fakes = [Fake(interface="shelf", make=lambda clock: Wood(WoodOptions(shelves=99)))]
    return Registry([plugin(backends=[Wood, Iron, Glass], fakes=fakes)], environ={}, entry_points=())


def explained(registry: Registry, **environ: str) -> list[str]:
    return [str(choice.binding) for choice in choose(SHELF, registry, environ)]


def test_the_default_serves_when_nothing_is_set(registry: Registry) -> None:
    assert explained(registry) == ["shelf: wood (default)"]


def test_a_variable_chooses_by_name_and_the_backend_reads_its_own_variables(registry: Registry) -> None:
    (choice,) = choose(SHELF, registry, {"QWASR_SHELF": "iron", "IRON_URL": "iron://hall"})
    assert str(choice.binding) == "shelf: iron (QWASR_SHELF=iron)"
    assert choice.options == IronOptions(url="iron://hall")


def test_a_url_chooses_by_scheme_and_wins_over_the_backends_own_address(registry: Registry) -> None:
    environ = {"QWASR_SHELF": "irons://cellar:1", "IRON_URL": "iron://hall", "IRON_WAIT_S": "9"}
    (choice,) = choose(SHELF, registry, environ)
    assert choice.options == IronOptions(url="irons://cellar:1", wait_s=9.0)


def test_a_url_with_a_password_is_not_shown(registry: Registry) -> None:
    assert explained(registry, QWASR_SHELF="iron://me:hunter2@hall") == ["shelf: iron (QWASR_SHELF=iron://***)"]


def test_a_url_for_a_backend_without_an_address_is_an_error(registry: Registry) -> None:
    with pytest.raises(ConfigurationError, match="QWASR_SHELF=wood://oak: backend 'wood' takes no address"):
        choose(SHELF, registry, {"QWASR_SHELF": "wood://oak"})


def test_a_named_store_has_a_backend_of_its_own(registry: Registry) -> None:
    assert explained(registry, QWASR_SHELF__SESSIONS="iron") == [
        "shelf: wood (default)",
        "shelf store SESSIONS: iron (QWASR_SHELF__SESSIONS=iron)",
    ]


def test_an_address_that_is_set_without_choosing_its_backend_is_remarked_on(registry: Registry) -> None:
    (line,) = explained(registry, IRON_URL="iron://hall")
    assert line == "shelf: wood (default; IRON_URL is set but not used, QWASR_SHELF=iron would choose it)"


@pytest.mark.parametrize("environ", [{"IRON_URL": ""}, {"IRON_URL": "iron://hall", "QWASR_SHELF__A": "iron"}])
def test_an_address_that_is_used_or_empty_is_not_remarked_on(registry: Registry, environ: dict[str, str]) -> None:
    assert explained(registry, **environ)[0] == "shelf: wood (default)"


def test_an_unknown_backend_is_named_with_its_variable(registry: Registry) -> None:
    with pytest.raises(
        ConfigurationError, match=r"QWASR_SHELF__A=wod: no backend 'wod' for shelf.*Did you mean 'wood'"
    ):
        choose(SHELF, registry, {"QWASR_SHELF__A": "wod"})


def test_a_wrong_option_of_the_chosen_backend_keeps_its_own_error(registry: Registry) -> None:
    with pytest.raises(OptionError, match=r"^WOOD_SHELVES=0"):
        choose(SHELF, registry, {"WOOD_SHELVES": "0"})


def test_options_of_backends_that_are_not_chosen_are_not_read(registry: Registry) -> None:
    assert explained(registry, IRON_WAIT_S="nonsense") == ["shelf: wood (default)"]


def test_an_interface_without_a_default_asks_for_a_choice(registry: Registry) -> None:
    with pytest.raises(ConfigurationError, match="set QWASR_SHELF to glass or iron or wood"):
        choose(BARE, registry, {})


def test_an_interface_without_any_backend_needs_none() -> None:
    (choice,) = choose(BARE, Registry(environ={}, entry_points=()), {})
    assert str(choice.binding) == "shelf: no backend needed (none is installed)"


def test_a_backend_handed_over_wins_over_every_variable(registry: Registry) -> None:
    mine, theirs = Wood(), Wood()
    ready = {"shelf": mine, "shelf/my-store": theirs, "other": object()}
    choices = choose(SHELF, registry, {"QWASR_SHELF": "nonsense", "QWASR_SHELF__MY_STORE": "iron"}, ready=ready)
    assert [choice.ready for choice in choices] == [mine, theirs]
    assert choices[1].binding.why == "handed over by the program"


def test_fakes_serve_when_asked_for_but_not_over_what_is_handed_over(registry: Registry) -> None:
    (fake,) = choose(SHELF, registry, {"QWASR_SHELF": "iron"}, fakes=Clock())
    assert fake.ready.options.shelves == 99
    mine = Wood()
    (given_one,) = choose(SHELF, registry, {}, fakes=Clock(), ready={"shelf": mine})
    assert given_one.ready is mine


def test_two_variables_that_fold_to_one_store_are_an_error(registry: Registry) -> None:
    with pytest.raises(ConfigurationError, match=r"QWASR_SHELF__a_b.*store A_B too"):
        choose(SHELF, registry, {"QWASR_SHELF__A_B": "wood", "QWASR_SHELF__a_b": "wood"})


async def test_one_connection_serves_equal_options(registry: Registry) -> None:
    environ = {"QWASR_SHELF__A": "iron", "QWASR_SHELF__B": "iron", "QWASR_SHELF__C": "iron://elsewhere"}
    connections = Connections()
    _, a, b, c = [await connections.connect(choice) for choice in choose(SHELF, registry, environ)]
    assert a is b
    assert c is not a
    await connections.close()
    assert a.closed
    assert c.closed


async def test_a_backend_handed_over_is_not_closed(registry: Registry) -> None:
    mine = Wood()
    connections = Connections()
    (choice,) = choose(SHELF, registry, {}, ready={"shelf": mine})
    assert await connections.connect(choice) is mine
    await connections.close()
    assert not mine.closed


async def test_a_backend_that_does_not_close_cleanly_keeps_no_other_open(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    connections = Connections()
    environ = {"QWASR_SHELF__A": "iron"}
    wood, iron = [await connections.connect(choice) for choice in choose(SHELF, registry, environ)]
    iron.close = None  # calling it fails
    with caplog.at_level(logging.ERROR):
        await connections.close()
    assert wood.closed
    assert "iron does not close cleanly" in caplog.text


async def test_a_failed_connection_says_which_and_why_chosen_but_not_what_the_client_said(registry: Registry) -> None:
    (choice,) = choose(SHELF, registry, {"QWASR_SHELF": "glass"})
    with pytest.raises(
        BackendError, match=r"shelf: glass \(QWASR_SHELF=glass\) cannot be connected: RuntimeError"
    ) as caught:
        await Connections().connect(choice)
    assert "hunter2" not in str(caught.value)


def test_a_store_without_a_backend_of_its_own_opens_on_the_default() -> None:
    backends = BackendSet("shelf", "default", {"SESSIONS": "special"})
    assert backends.named("anything") == "default"
    assert backends.named("sessions") == "special"
    assert backends.default == "default"


def test_each_backend_is_there_once_with_the_default_first() -> None:
    default, other = object(), object()
    backends = BackendSet("shelves", default, {"A": other, "B": default, "C": other})
    assert backends.each() == [default, other]
    assert BackendSet[object]("shelves", None).each() == []


def test_the_list_of_stores_refuses_every_other_name() -> None:
    backends = BackendSet("shelf", "default", allowed=["a", "b"])
    assert backends.named("a") == "default"
    with pytest.raises(StoreNotAllowed, match="QWASR_SHELF_STORES does not list the store 'A'"):
        backends.named("A")


def test_an_empty_list_of_stores_refuses_all() -> None:
    backends = BackendSet("shelf", "default", allowed=allowed_stores("shelf", {"QWASR_SHELF_STORES": ""}))
    with pytest.raises(StoreNotAllowed):
        backends.named("a")


def test_without_a_list_of_stores_all_are_allowed() -> None:
    assert allowed_stores("shelf", {}) is None


def test_two_listed_stores_that_fold_to_one_name_are_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"'my-store' and 'my\.store' are one name, MY_STORE"):
        BackendSet("shelf", "default", allowed=["my-store", "my.store"])


def test_a_second_spelling_of_a_configured_store_is_refused() -> None:
    backends = BackendSet("shelf", "default", {"MY_STORE": "special"})
    assert backends.named("my-store") == "special"
    with pytest.raises(StoreNotAllowed, match=r"stands for the store 'my-store', so 'my\.store' cannot be opened"):
        backends.named("my.store")
    assert backends.named("my-store") == "special"


def test_an_interface_without_a_backend_says_so_when_one_is_asked_for() -> None:
    with pytest.raises(BackendError, match="shelf has no backend"):
        _ = BackendSet("shelf", None).default


@given(st.text())
def test_folding_gives_a_variable_name_and_is_stable(name: str) -> None:
    folded = fold(name)
    assert set(folded) <= set(string.ascii_uppercase + string.digits + "_")
    assert fold(folded) == folded
