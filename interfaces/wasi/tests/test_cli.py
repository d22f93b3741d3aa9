"""wasi:cli: what a guest learns of the process around it, and how it ends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.call import _current
from qwasr.errors import GuestExit, OptionError
from qwasr.values import Err, Ok, Variant, WitError
from qwasr_wasi import cli
from qwasr_wasi.fake import FixedSystem
from qwasr_wasi.system import System, SystemOptions

if TYPE_CHECKING:
    from collections.abc import Iterator


def on(system: System) -> Any:
    return SimpleNamespace(default=system)


@pytest.fixture
def call() -> Iterator[None]:
    made: Any = SimpleNamespace(id="0123456789abcdef", guest="app", logged_bytes=0, command=None)
    token = _current.set(made)
    yield
    _current.reset(token)


def environment(**options: Any) -> cli.Environment:
    environ = {"HOME": "/home/me", "AWS_SECRET": "hush", "GREETING": "hello"} | options
    return cli.Environment(on(System(SystemOptions.from_env(environ))))


def test_a_guest_inherits_no_variable() -> None:
    assert environment().get_environment() == []


def test_a_guest_sees_the_allowed_variables_that_are_set() -> None:
    allowed = environment(QWASR_ENV_ALLOW="GREETING, HOME, NOT_SET")
    assert allowed.get_environment() == [("GREETING", "hello"), ("HOME", "/home/me")]


def test_a_guest_cannot_change_what_the_next_one_sees() -> None:
    host = environment(QWASR_ENV_ALLOW="GREETING")
    host.get_environment().clear()
    assert host.get_environment() == [("GREETING", "hello")]


def test_allowed_values_are_not_in_a_repr() -> None:
    options = SystemOptions.from_env({"QWASR_ENV_ALLOW": "AWS_SECRET", "AWS_SECRET": "hush"})
    assert "AWS_SECRET" in repr(options)
    assert "hush" not in repr(options)


def test_a_variable_can_be_for_the_guest_alone() -> None:
    given = environment(QWASR_ENV_ALLOW="GREETING", QWASR_GUEST_ENV="GREETING='hello, you' PATH=/ EMPTY=")
    assert given.get_environment() == [("GREETING", "hello, you"), ("PATH", "/"), ("EMPTY", "")]


@pytest.mark.parametrize("words", ["hush", "=hush", "A=1 hush", "'hush"])
def test_what_is_no_variable_is_a_configuration_error_that_does_not_show_it(words: str) -> None:
    with pytest.raises(OptionError, match="QWASR_GUEST_ENV does not fit") as caught:
        SystemOptions.from_env({"QWASR_GUEST_ENV": words})
    assert "hush" not in str(caught.value)


def test_variables_for_the_guest_are_not_in_a_repr() -> None:
    assert "hush" not in repr(SystemOptions.from_env({"QWASR_GUEST_ENV": "KEY=hush"}))


def test_arguments_are_quoted_as_in_a_shell(call: None) -> None:
    host = environment(QWASR_GUEST_ARGS="serve --name 'two words'")
    assert host.get_arguments() == ["app", "serve", "--name", "two words"]


def test_an_open_quote_in_the_arguments_is_a_configuration_error() -> None:
    with pytest.raises(OptionError, match=r"QWASR_GUEST_ARGS.*quot"):
        SystemOptions.from_env({"QWASR_GUEST_ARGS": "it's"})


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"QWASR_GUEST_ARGS": "-n hu\udcffsh"}, r"argument 2 of the guest, 'hu\udcffsh', is not UTF-8"),
        ({"QWASR_GUEST_ENV": "KEY=hu\udcffsh"}, "the variable 'KEY' that guests would see is not UTF-8"),
        ({"QWASR_ENV_ALLOW": "KEY", "KEY": "hu\udcffsh"}, "the variable 'KEY' that guests would see is not UTF-8"),
    ],
)
def test_what_is_not_utf_8_cannot_be_given_to_a_guest(variables: dict[str, str], named: str) -> None:
    with pytest.raises(OptionError) as caught:
        SystemOptions.from_env(variables)
    assert str(caught.value).startswith(named)
    str(caught.value).encode()


def test_there_is_an_answer_without_a_runtime_around_the_engine() -> None:
    assert environment().get_arguments() == ["guest"]


def test_there_is_no_current_folder() -> None:
    assert environment().initial_cwd() is None


@pytest.mark.parametrize(("status", "code"), [(Ok(), 0), (Err(), 1)])
def test_exit_ends_the_call_with_0_or_1(status: Ok | Err, code: int) -> None:
    with pytest.raises(GuestExit) as caught:
        cli.Exit(on(System())).exit(status)
    assert caught.value.code == code


def test_exit_with_code_ends_the_call_with_that_code() -> None:
    with pytest.raises(GuestExit) as caught:
        cli.Exit(on(System())).exit_with_code(42)
    assert caught.value.code == 42


def test_standard_input_is_empty() -> None:
    with pytest.raises(WitError) as caught:
        cli.Stdin(on(System())).get_stdin().blocking_read(10)
    assert caught.value.value == Variant("closed")


def test_nothing_is_a_terminal() -> None:
    system = on(System())
    assert cli.TerminalStdin(system).get_terminal_stdin() is None
    assert cli.TerminalStdout(system).get_terminal_stdout() is None
    assert cli.TerminalStderr(system).get_terminal_stderr() is None


def test_output_goes_to_the_log_with_its_level_and_the_calls_id(call: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "qwasr.guest")
    system = on(System())
    cli.Stdout(system).get_stdout().write(b"good news\n")
    cli.Stderr(system).get_stderr().write(b"bad news\n")
    assert [(r.levelname, r.getMessage(), r.call) for r in caplog.records] == [  # type: ignore[attr-defined]  # extra
        ("INFO", "good news", "0123456789abcdef"),
        ("WARNING", "bad news", "0123456789abcdef"),
    ]


def test_what_a_call_prints_is_counted_over_both_outputs_and_cut_with_a_note(
    call: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "qwasr.guest")
    system = on(System(SystemOptions.from_env({"QWASR_GUEST_LOG_BYTES": "210"})))
    out, err = cli.Stdout(system).get_stdout(), cli.Stderr(system).get_stderr()
    out.write(b"12345\n")
    err.write(b"6789 and more\n")
    err.write(b"and more\n")
    cli.Stdout(system).get_stdout().write(b"and a stream of its own\n")
    note = "[cut: the guest printed more than 210 bytes in one call (QWASR_GUEST_LOG_BYTES)]"
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("INFO", "12345"),
        ("WARNING", "6789"),
        ("WARNING", note),
    ]


def test_a_fixed_machine_has_the_environment_that_a_test_gives_it() -> None:
    host = cli.Environment(on(FixedSystem(environment={"A": "1"}, arguments=["x"])))
    assert (host.get_environment(), host.get_arguments()) == ([("A", "1")], ["guest", "x"])
