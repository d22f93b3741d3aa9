"""Files that a setting names by a URL."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from qwasr.errors import OptionError

__all__ = ["path_of_url"]


def path_of_url(url: str, scheme: str, variable: str, *, ending: str = "") -> Path:
    """Return the path that a URL names: ``<scheme>:///relative`` or ``<scheme>:////absolute``.

    Args:
        url: the URL.
        scheme: the scheme that it has to have.
        variable: where it was written, for the message.
        ending: how the names of such files usually end, for the message.

    Raises:
        OptionError: it names none.
    """
    parts = urlsplit(url)
    path = unquote(parts.path.removeprefix("/"))
    if parts.scheme != scheme or parts.netloc or parts.query or parts.fragment or not path or "\0" in path:
        msg = (
            f"{variable}: write {scheme}:///relative{ending} or {scheme}:////absolute{ending}, without a host "
            "and parameters; %3F stands for ? and %23 for #"
        )
        raise OptionError(msg)
    return Path(path)
