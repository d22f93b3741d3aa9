from __future__ import annotations

import string
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qwasr.errors import ConfigurationError, OptionError
from qwasr.options import ConnectOptions, env, mask_url, read_env_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf(ConnectOptions):
    url: str = env("SHELF_URL", default="shelf://localhost", secret=True, address=True, help="where Shelf listens")
    tries: int = env("SHELF_TRIES", default=3, minimum=1, maximum=9, help="how often it is tried")
    wait_s: float = env("SHELF_WAIT_S", default=0.5, minimum=0, help="pause between tries, seconds")
    names: tuple[str, ...] = env("SHELF_NAMES", default=(), help="names")
    folder: Path | None = env("SHELF_FOLDER", default=None, help="folder")
    mode: Literal["read", "write"] = env("SHELF_MODE", default="read", help="mode")
    fast: bool = env("SHELF_FAST", default=False, help="hurry")
    size: str = env("SHELF_SIZE", default="small", choices=("small", "large"), help="size")


@dataclass(frozen=True, slots=True, kw_only=True)
class Strict(ConnectOptions):
    token: str = env("STRICT_TOKEN", secret=True, help="what lets us in")


def test_defaults_hold_when_nothing_is_set() -> None:
    options = Shelf.from_env({})
    assert options == Shelf()
    assert (options.url, options.tries, options.names, options.folder) == ("shelf://localhost", 3, (), None)


def test_every_type_is_read_from_text() -> None:
    options = Shelf.from_env(
        {
            "SHELF_TRIES": "7",
            "SHELF_WAIT_S": "1.5",
            "SHELF_NAMES": "a, b,,c",
            "SHELF_FOLDER": "/srv",
            "SHELF_MODE": "write",
            "SHELF_FAST": "yes",
        }
    )
    assert (options.tries, options.wait_s, options.names) == (7, 1.5, ("a", "b", "c"))
    assert (options.folder, options.mode, options.fast) == (Path("/srv"), "write", True)


@pytest.mark.parametrize(("word", "expected"), [("ON", True), ("1", True), (" y ", True), ("Off", False), ("0", False)])
def test_yes_and_no_have_several_words_in_any_case(word: str, expected: bool) -> None:
    assert Shelf.from_env({"SHELF_FAST": word}).fast is expected


def test_only_the_given_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELF_TRIES", "9")
    assert Shelf.from_env({}).tries == 3
    assert Shelf.from_env().tries == 9


def test_an_empty_variable_counts_as_not_set_except_for_text_and_lists() -> None:
    options = Shelf.from_env({"SHELF_TRIES": "", "SHELF_FAST": "", "SHELF_FOLDER": "", "SHELF_URL": ""})
    assert (options.tries, options.fast, options.folder, options.url) == (3, False, None, "")


def test_an_override_wins_and_its_variable_is_not_even_parsed() -> None:
    assert Shelf.from_env({"SHELF_TRIES": "nonsense"}, tries=2).tries == 2


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("SHELF_TRIES", "many", "a whole number from 1 to 9"),
        ("SHELF_TRIES", "2.0", "a whole number from 1 to 9"),
        ("SHELF_TRIES", "0", "a whole number from 1 to 9"),
        ("SHELF_TRIES", "10", "a whole number from 1 to 9"),
        ("SHELF_WAIT_S", "-1", "a number of at least 0"),
        ("SHELF_WAIT_S", "nan", "a number of at least 0"),
        ("SHELF_WAIT_S", "inf", "a number of at least 0"),
        ("SHELF_MODE", "append", "one of read, write"),
        ("SHELF_SIZE", "medium", "one of small, large"),
        ("SHELF_FAST", "perhaps", "true or false"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable_expectation_and_reader(
    variable: str, value: str, expected: str
) -> None:
    with pytest.raises(OptionError) as caught:
        Shelf.from_env({variable: value})
    message = str(caught.value)
    assert f"{variable}={value}" in message
    assert expected in message
    assert f"{Shelf.__module__}.Shelf" in message


def test_bounds_hold_for_options_made_by_a_program_too() -> None:
    with pytest.raises(OptionError, match="SHELF_TRIES=99"):
        Shelf(tries=99)


def test_a_required_variable_that_is_missing_is_named_with_its_meaning() -> None:
    for environ in ({}, {"STRICT_TOKEN": ""}):
        with pytest.raises(OptionError, match=r"STRICT_TOKEN is not set.*what lets us in"):
            Strict.from_env(environ)


def test_a_secret_is_masked_in_the_repr() -> None:
    shown = repr(Shelf(url="shelf://user:hunter2@host"))
    assert "hunter2" not in shown
    assert "url=***" in shown
    assert "tries=3" in shown


def test_a_secret_comes_from_a_file_without_the_newline_at_its_end(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("hunter2\n")
    assert Strict.from_env({"STRICT_TOKEN_FILE": str(file)}).token == "hunter2"


def test_a_file_variant_exists_for_secrets_alone(tmp_path: Path) -> None:
    file = tmp_path / "tries"
    file.write_text("7")
    assert Shelf.from_env({"SHELF_TRIES_FILE": str(file)}).tries == 3


def test_a_secret_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"STRICT_TOKEN_FILE=.*absent.*No such file"):
        Strict.from_env({"STRICT_TOKEN_FILE": str(tmp_path / "absent")})


def test_a_secret_given_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="both STRICT_TOKEN and STRICT_TOKEN_FILE"):
        Strict.from_env({"STRICT_TOKEN": "a", "STRICT_TOKEN_FILE": str(tmp_path)})


def test_the_error_about_a_secret_does_not_show_it() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Pin(ConnectOptions):
        pin: int = env("PIN", default=0, secret=True, help="four digits")

    with pytest.raises(OptionError) as caught:
        Pin.from_env({"PIN": "hunter2"})
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert "PIN" in str(caught.value)


def test_a_type_that_options_cannot_have_is_a_programming_error() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Wrong(ConnectOptions):
        table: dict[str, int] = env("TABLE__<NAME>", default=None, help="table")

    with pytest.raises(TypeError, match="table: options cannot be of type"):
        Wrong.from_env({})


def test_variables_of_a_base_class_are_inherited() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Taller(Shelf):
        height: int = env("SHELF_HEIGHT", default=2, help="boards")

    assert Taller.from_env({"SHELF_HEIGHT": "4", "SHELF_TRIES": "2"}) == Taller(height=4, tries=2)
    assert len(Taller.variables()) == len(Shelf.variables()) + 1


@given(st.integers(min_value=1, max_value=9))
def test_a_whole_number_survives_the_environment(number: int) -> None:
    assert Shelf.from_env({"SHELF_TRIES": str(number)}).tries == number


@given(st.floats(min_value=0, allow_nan=False, allow_infinity=False))
def test_a_number_survives_the_environment(number: float) -> None:
    assert Shelf.from_env({"SHELF_WAIT_S": repr(number)}).wait_s == number


@given(st.lists(st.text(string.ascii_letters + string.digits + "._-:/*", min_size=1)))
def test_a_list_survives_the_environment(names: list[str]) -> None:
    assert Shelf.from_env({"SHELF_NAMES": ",".join(names)}).names == tuple(names)


@given(st.text())
def test_any_text_for_a_number_is_a_number_in_range_or_an_option_error(text: str) -> None:
    try:
        assert 1 <= Shelf.from_env({"SHELF_TRIES": text}).tries <= 9
    except OptionError as error:
        assert "SHELF_TRIES" in str(error)  # noqa: PT017 - either outcome is right, and each is checked


@given(st.text(string.ascii_letters + string.punctuation, min_size=6))
def test_a_password_in_a_url_is_never_shown(password: str) -> None:
    assume(password not in "postgres://***")
    assert password not in mask_url(f"postgres://user:{password}@host/database?sslmode=require")


def test_a_url_without_credentials_is_shown_as_it_is() -> None:
    assert mask_url("redis://cache:6379/1") == "redis://cache:6379/1"


def test_an_env_file_has_comments_quotes_and_export(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# comment\nA=1\nexport B='two words'\n\nC=\"${A} $B\"  # tail\nD=\n")
    assert read_env_file(file) == {"A": "1", "B": "two words", "C": "${A} $B", "D": ""}


def test_a_line_that_is_no_assignment_is_named_by_number_and_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\nhunter2\n")
    with pytest.raises(ConfigurationError, match="line 2") as caught:
        read_env_file(file)
    assert "hunter2" not in str(caught.value)


def test_an_env_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.env: No such file"):
        read_env_file(tmp_path / "absent.env")
