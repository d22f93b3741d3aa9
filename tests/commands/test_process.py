"""`qwasr run` of a command: its arguments, variables and streams, its exit code, and how it is ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.commands.tools import interrupt, reads

if TYPE_CHECKING:
    from tests.commands.tools import Tools


def finish(process: subprocess.Popen[bytes], stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    out, err = process.communicate(stdin, timeout=30)
    return process.returncode, out, err


def test_words_after_two_hyphens_are_the_commands_arguments(tools: Tools) -> None:
    code, out, err = finish(tools.start("probe", "args", "-n", "two words", "--help", "", "it's"))
    assert out.decode().splitlines() == ["probe", "args", "-n", "two words", "--help", "", "it's"]
    assert (code, err) == (0, b"")


def test_a_command_sees_the_variables_that_it_is_given_and_no_others(tools: Tools) -> None:
    flags = ("--env", "LANG", "--env", "GREETING=hello, you", "--env", "EMPTY=", "--env", "NOT_SET")
    process = tools.start("probe", "env", flags=flags, LANG="C", SECRET="hush", QWASR_ENV_ALLOW="HOME", HOME="/home/me")
    _, out, _ = finish(process)
    assert sorted(out.decode().splitlines()) == ["EMPTY=", "GREETING=hello, you", "HOME=/home/me", "LANG=C"]


def test_a_variable_for_the_guest_does_not_configure_its_host(tools: Tools) -> None:
    code, out, _ = finish(tools.start("probe", "env", flags=("--env", "QWASR_PLUGINS=none-such")))
    assert (code, out) == (0, b"QWASR_PLUGINS=none-such\n")


def test_a_variable_without_a_name_is_a_mistake(tools: Tools) -> None:
    code, _, err = finish(tools.start("probe", flags=("--env", "=hush")))
    assert code == 2
    assert b"--env needs NAME or NAME=VALUE" in err
    assert b"hush" not in err


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_the_exit_code_is_passed_on(tools: Tools, code: int) -> None:
    assert finish(tools.start("probe", "exit", str(code))) == (code, b"at exit\n", b"")


def test_a_command_that_traps_is_exit_code_1_and_a_line_in_the_log(tools: Tools) -> None:
    code, _, err = finish(tools.start("probe", "abort"))
    assert code == 1
    assert b"ERROR qwasr.guest [probe]" in err


def test_input_and_output_stream(tools: Tools) -> None:
    with tools.start("cat") as process:
        assert process.stdin is not None
        for word in (b"one\n", b"two\n"):
            process.stdin.write(word)
            reads(process, word)
        process.stdin.close()
        assert process.wait(10) == 0


def test_what_a_command_says_of_its_mistakes_is_on_standard_error(tools: Tools) -> None:
    assert finish(tools.start("cat", "absent")) == (1, b"", b"cat: absent: No such file or directory\n")


def test_a_reader_that_is_slow_slows_the_command_down(tools: Tools) -> None:
    with tools.start("cat") as process:
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)
        written, still = 0, time.monotonic()
        while time.monotonic() - still < 1:
            try:
                written += os.write(process.stdin.fileno(), b"x" * 65536)
                still = time.monotonic()
            except BlockingIOError:
                time.sleep(0.02)
        process.kill()
    assert written < 1024 * 1024


def test_a_command_whose_reader_has_gone_ends(tools: Tools) -> None:
    with tools.start("probe", "chatter") as process:
        assert process.stdout is not None
        reads(process, b"and another thing\n")
        process.stdout.close()
        assert process.wait(10) == 141


def test_there_is_no_deadline_and_no_limit_of_computing(tools: Tools) -> None:
    with tools.start("probe", "spin", QWASR_GUEST_TIMEOUT_S="0.1", QWASR_GUEST_CPU_S="0.1") as process:
        reads(process, b"spinning\n")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.kill()


@pytest.mark.parametrize(("one", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(("arguments", "first"), [(("probe", "spin"), b"spinning\n"), (("cat",), b"")])
def test_a_signal_ends_a_command_that_computes_or_waits(
    tools: Tools, arguments: tuple[str, ...], first: bytes, one: signal.Signals, code: int
) -> None:
    with tools.start(*arguments) as process:
        if not first:
            assert process.stdin is not None
            process.stdin.write(b"x")
            first = b"x"
        reads(process, first)
        assert interrupt(process, one) == code


def test_a_standard_input_that_was_closed_is_empty(tools: Tools) -> None:
    words = ["sh", "-c", 'exec "$@" <&-', "sh", *tools.command("cat")]
    done = subprocess.run(words, capture_output=True, env=tools.environ(), check=False, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_full_disk_is_what_a_command_says_it_is(tools: Tools) -> None:
    (tools.folder / "file").write_bytes(b"data\n")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            tools.command("cat", "file"),
            stdout=full,
            stderr=subprocess.PIPE,
            env=tools.environ(),
            check=False,
            timeout=30,
        )
    assert (done.returncode, done.stderr.rpartition(b": ")[2]) == (1, b"No space left on device\n")


def test_a_command_knows_a_pipe_from_a_terminal(tools: Tools) -> None:
    assert finish(tools.start("probe", "terminals"))[1] == b"0 0 0\n"
    outside, inside = os.openpty()
    try:
        with tools.start("probe", "terminals", streams=inside) as process:
            assert process.wait(20) == 0
        assert os.read(outside, 100).strip() == b"1 1 1"
    finally:
        os.close(inside)
        os.close(outside)


def test_a_command_prints_nothing_of_ours(tools: Tools) -> None:
    assert finish(tools.start("cat"), b"only this") == (0, b"only this", b"")
