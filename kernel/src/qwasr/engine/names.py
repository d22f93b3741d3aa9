"""Names of imports, exports and their functions, as the component model spells them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["FunctionName", "InterfaceName", "is_wasi_0_3"]

_FUNCTION: Final = re.compile(r"^\[(method|static|constructor)\]([^.]+)(?:\.(.+))?$")


@dataclass(frozen=True, slots=True)
class InterfaceName:
    """``wasi:http/types@0.2.9``, split.

    Attributes:
        path: package and interface, ``"wasi:http/types"``.
        version: what follows the ``@``, or an empty string.
    """

    path: str
    version: str

    @classmethod
    def parse(cls, text: str) -> InterfaceName:
        """Split an import's or export's name; one that is no interface keeps all of it as its path."""
        path, _, version = text.partition("@")
        return cls(path, version)

    def serves(self, other: InterfaceName) -> bool:
        """Return whether a host of this name serves an import of that name.

        A host without a version serves every version: the 0.2.x patch versions of WASI are one interface.
        """
        return self.path == other.path and self.version in ("", other.version)


@dataclass(frozen=True, slots=True)
class FunctionName:
    """``[method]bucket.get``, split.

    Attributes:
        kind: ``"method"``, ``"static"``, ``"constructor"`` or ``"function"``.
        resource: the resource's name, empty for a plain function.
        function: the function's name, empty for a constructor.
    """

    kind: str
    resource: str
    function: str

    @classmethod
    def parse(cls, text: str) -> FunctionName:
        """Split a function's name inside its interface."""
        match = _FUNCTION.match(text)
        if match is None:
            return cls("function", "", text)
        return cls(match[1], match[2], match[3] or "")


def is_wasi_0_3(names: list[str] | tuple[str, ...]) -> bool:
    """Return whether any of these names is of WASI 0.3."""
    return any(name.startswith("wasi:") and InterfaceName.parse(name).version.startswith("0.3.") for name in names)
