"""Whether servers could serve: their variables, their addresses, their certificates. Nothing is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwasr.errors import ConfigurationError, QwasrError
from qwasr.findings import Finding, describe_options, failure, wrong_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwasr.protocols import Server

__all__ = ["examine_admin_address", "examine_server"]


async def examine_server(cls: type[Server], environ: Mapping[str, str], *, shared: bool) -> list[Finding]:
    """Find out whether a server could be started.

    Args:
        cls: its class.
        environ: the variables to read.
        shared: whether several processes are to listen at its addresses.
    """
    variables = describe_options(cls.Options, environ)
    if wrong := wrong_values(cls.export, cls.Options, environ):
        return wrong
    try:
        make: Any = cls
        server = make(cls.Options.from_env(environ))
        if shared and hasattr(server, "listening"):
            server.listening = {}
        check = getattr(server, "check", None)
        if check is not None:
            await check()
    except QwasrError as error:
        cause = "value" if isinstance(error, ConfigurationError) else "address"
        return [failure(cls.export, error, cause=cause, variables=variables)]
    says = f"would be served at {server.describe()}" if check is not None else "would be served"
    return [Finding(subject=cls.export, says=says, variables=variables)]


async def examine_admin_address(address: str) -> Finding:
    """Find out whether health and metrics could have their address, by taking it for a moment."""
    from qwasr.admin import AdminServer

    try:
        admin = await AdminServer.start(address, _Nothing())
    except QwasrError as error:
        return failure("ADMIN_ADDR", error, cause="address")
    said = admin.describe()
    await admin.close()
    return Finding(subject="ADMIN_ADDR", says=f"health and metrics at {said}")


class _Nothing:
    """What an admin server reports that is closed as soon as it listens."""

    async def metrics(self) -> str:
        return ""

    async def readiness(self) -> tuple[bool, dict[str, Any]]:
        return False, {"ready": False, "problems": [{"reason": "this is a test of the address"}]}
