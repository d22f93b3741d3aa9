"""The WIT packages that qwasr serves, and folders of them for who builds a guest.

A folder of packages has one for each package and version, `<namespace>-<name>-<version>/package.wit`. In the repository
it is `wit/`; a wheel has it as data.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qwasr._folders import written_whole
from qwasr._known import did_you_mean
from qwasr.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["PACKAGES", "find_world", "wit_tree", "worlds", "write_guest_folder"]

PACKAGES: Final = Path(__file__).parent / "templates" / "wit"
"""The folder of packages that comes with the kernel."""

_NAMED: Final = re.compile(r"\b([a-z][a-z0-9-]*):([a-z][a-z0-9-]*)(?:/[a-z0-9-]+)?@([0-9][\w.-]*\w)")
_DECLARED: Final = re.compile(r"(?m)^package ([^;]+);")
_WORLD: Final = re.compile(r"(?m)^world ([a-z][a-z0-9-]*)")
_WANTED: Final = re.compile(
    r"(?:(?P<namespace>[a-z][a-z0-9-]*):)?(?P<package>[a-z][a-z0-9-]*)"
    r"(?:/(?P<world>[a-z][a-z0-9-]*))?(?:@(?P<version>[0-9][0-9A-Za-z.-]*))?"
)
_MAX_LETTERS: Final = 200
_USUAL_WORLD: Final = "imports"
_HEAD: Final = """package local:guest;

world guest {
"""


def wit_tree(folder: Path, packages: Path = PACKAGES) -> dict[str, bytes]:
    """Return a complete WIT tree, path by content: a folder's own files, and every package that they name.

    Args:
        folder: the guest's own WIT: its world, and packages of its own in ``deps``.
        packages: where other packages are looked up.

    Raises:
        FileNotFoundError: a package that is named is in neither.
    """
    own = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.wit"))}
    return _completed(own, packages)


def worlds(packages: Path = PACKAGES) -> list[str]:
    """Return the full name of every world: ``wasi:http/proxy@0.2.12``."""
    found = []
    for path in sorted(packages.glob("*/package.wit")):
        text = path.read_text(encoding="utf-8")
        name, _, version = _DECLARED.findall(text)[0].partition("@")
        found += [f"{name}/{world}@{version}" for world in _WORLD.findall(text)]
    return found


def find_world(wanted: str, packages: Path = PACKAGES) -> str:
    """Return the full name of the world that is meant.

    Args:
        wanted: ``wasi:http/proxy@0.2.12``; without the namespace, without the version (then it is the newest), or
            without the world (then it is the package's only one, or the one named ``imports``).
        packages: where it is looked up.

    Raises:
        ConfigurationError: there is none, or more than one.
    """
    match = _WANTED.fullmatch(wanted) if len(wanted) <= _MAX_LETTERS else None
    if match is None:
        raise ConfigurationError(f"{wanted[:_MAX_LETTERS]!r} names no world: write it as wasi:http/proxy or keyvalue")
    known = worlds(packages)
    of_package = [name for name in known if _fits(name, match["namespace"], match["package"], match["version"])]
    if not of_package:
        names = sorted({name.partition("/")[0].partition(":")[2] for name in known})
        raise ConfigurationError(
            f"no package fits {wanted!r}.{did_you_mean(match['package'], names)} There are: {', '.join(known)}"
        )
    wants = match["world"] or _USUAL_WORLD
    found = [name for name in of_package if _world_of(name) == wants]
    if not found and match["world"] is None:
        found = of_package
    if len({name.partition("@")[0] for name in found}) != 1:
        raise ConfigurationError(f"{wanted!r} names no world. There are: {', '.join(of_package)}")
    return max(found, key=_age)


def write_guest_folder(wanted: Sequence[str], target: Path, packages: Path = PACKAGES) -> list[str]:
    """Write the `wit` folder of a guest: a world that includes those that are wanted, and all that they name.

    Args:
        wanted: worlds, as `find_world` takes them.
        target: the folder, whole or not at all; it is not there yet.
        packages: where the worlds are looked up.

    Returns:
        The paths of its files, from the folder.

    Raises:
        ConfigurationError: a world is not there, or the folder cannot be written.
    """
    names = list(dict.fromkeys(find_world(one, packages) for one in wanted))
    world = _HEAD + "".join(f"  include {name};\n" for name in names) + "}\n"
    tree = _completed({"world.wit": world.encode()}, packages)
    with written_whole(target) as folder:
        for path, content in tree.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
    return sorted(tree)


def _completed(own: Mapping[str, bytes], packages: Path) -> dict[str, bytes]:
    tree = dict(own)
    declared = set(_packages_of(tree.values()))
    unread = [text.decode() for text in tree.values()]
    while unread:
        for namespace, name, version in _NAMED.findall(unread.pop()):
            path = packages / f"{namespace}-{name}-{version}" / "package.wit"
            target = f"deps/{path.parent.name}.wit"
            if target not in tree and f"{namespace}:{name}@{version}" not in declared:
                tree[target] = path.read_bytes()
                unread.append(tree[target].decode())
    return dict(sorted(tree.items()))


def _packages_of(texts: Iterable[bytes]) -> list[str]:
    return [name for text in texts for name in _DECLARED.findall(text.decode())]


def _fits(name: str, namespace: str | None, package: str, version: str | None) -> bool:
    has_namespace, _, rest = name.partition(":")
    has_package, _, rest = rest.partition("/")
    return namespace in (None, has_namespace) and package == has_package and version in (None, rest.partition("@")[2])


def _world_of(name: str) -> str:
    return name.partition("/")[2].partition("@")[0]


def _age(name: str) -> tuple[tuple[int, ...], bool, str]:
    """Return what puts versions in their order: a release is newer than what led to it (Semantic Versioning, 11)."""
    release, _, before = name.partition("@")[2].partition("-")
    return tuple(int(part) for part in release.split(".") if part.isdecimal()), not before, before
