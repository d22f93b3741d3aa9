"""`qwasr run` of a command: the standard streams of this process, its signals, an exit code."""

from __future__ import annotations

import asyncio
import shlex
import signal
from typing import TYPE_CHECKING

from qwasr._log import log_guest_error
from qwasr._signals import StopSignals
from qwasr.command import Command, run_command
from qwasr.errors import GuestError, OptionError
from qwasr.settings import Layer, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qwasr.runtime import Runtime

__all__ = ["run_once", "with_process"]


async def run_once(runtime: Runtime) -> int:
    """Run the command until it ends, or until SIGINT or SIGTERM; return its exit code, 128 and more for a signal."""
    running = asyncio.create_task(run_command(runtime.guest, Command(stdin=0, stdout=1, stderr=2)))
    ended_by: list[int] = []

    def stop(name: str, times: int) -> None:
        ended_by.append(signal.Signals[name])
        running.cancel()

    with StopSignals(stop):
        try:
            return await running
        except asyncio.CancelledError:
            if not ended_by:
                raise
            return 128 + ended_by[0]
        except GuestError as error:
            log_guest_error(runtime.guest.name, error)
            return 1


def with_process(
    settings: Settings, arguments: Sequence[str], variables: Iterable[str], mounts: Sequence[str]
) -> Settings:
    """Return the settings below what the command line says about the guest's arguments, variables and folders.

    Args:
        settings: everything else.
        arguments: the words after ``--``.
        variables: ``NAME`` or ``NAME=VALUE``, each of ``--env``.
        mounts: ``host:guest[:rw]``, each of ``--mount``.

    Raises:
        OptionError: a variable has no name, or a folder has a comma in its own.
    """
    layers: list[Layer] = []
    allowed: list[str] = []
    given: list[str] = []
    if arguments:
        layers.append(Layer("arguments after --", {"QWASR_GUEST_ARGS": shlex.join(arguments)}))
    for text in variables:
        name, equals, _ = text.partition("=")
        if not name:  # not quoted: what follows may be a secret
            message = "--env needs NAME or NAME=VALUE, for example --env LANG or --env GREETING=hello"
            raise OptionError(message)
        (given if equals else allowed).append(text)
    if allowed:
        names = [*filter(None, [settings.get("QWASR_ENV_ALLOW")]), *allowed]
        layers.append(Layer("--env", {"QWASR_ENV_ALLOW": ",".join(names)}))
    if given:
        words = [*filter(None, [settings.get("QWASR_GUEST_ENV")]), shlex.join(given)]
        layers.append(Layer("--env", {"QWASR_GUEST_ENV": " ".join(words)}))
    if any("," in mount for mount in mounts):
        message = "--mount: QWASR_MOUNTS separates folders by commas, so a folder with one cannot be mounted"
        raise OptionError(message)
    if mounts:
        layers.append(Layer("--mount", {"QWASR_MOUNTS": ",".join(mounts)}))
    return Settings([*layers, *settings.layers]) if layers else settings
