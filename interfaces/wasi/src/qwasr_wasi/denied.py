"""Functions that exist because components import them, and whose answer is always no."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from qwasr.values import WitError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["denied"]


def denied(code: str, *parameters: str) -> Callable[..., Any]:
    """Return a method that takes the parameters and answers the error code.

    Args:
        code: a case of the WIT interface's `error-code`.
        parameters: the names of its parameters as in the WIT, in Python's spelling: the linker compares them.
    """

    def method(self: object, *_: object) -> None:
        raise WitError(code)

    method.__doc__ = f"Answer `{code}`."
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    method.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # what inspect and the linker read
        [inspect.Parameter(name, kind) for name in ("self", *parameters)]
    )
    return method
