"""New packages from the examples: a backend, an interface, a guest, each with tests that pass at once.

The files are those of `examples/` under other names, so what is written is what is tested here. In the repository
`qwasr/templates` has links to them, in a wheel the files themselves.
"""

from __future__ import annotations

import keyword
import os
import re
import shutil
import tokenize
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qwasr._folders import written_whole
from qwasr._known import BACKEND_DISTRIBUTIONS, WIT_DISTRIBUTIONS
from qwasr.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr.registry import Registry

__all__ = ["LANGUAGES", "new_backend", "new_guest", "new_interface"]

_TEMPLATES: Final = Path(__file__).parent / "templates"
_NOT_COPIED: Final = {"README.md", "Cargo.lock", "__pycache__", "target", ".pytest_cache"}
_MAX_LETTERS: Final = 40
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")
_RUST_WIT: Final = re.compile(r"    // Each package after.*?\n    path: \[.*?\],\n", re.DOTALL)
_LANGUAGE_NAMES: Final = {"python": "Python", "c": "C", "rust": "Rust"}
_TOOLS: Final = {"python": "componentize-py", "c": "ziglang", "rust": "ziglang"}
LANGUAGES: Final = tuple(_LANGUAGE_NAMES)
# Words of the WIT language, which no package or interface can be called without an escape.
# fmt: off
_WIT_WORDS: Final = frozenset((
    "as", "async", "bool", "borrow", "char", "constructor", "enum", "error-context", "export", "f32", "f64",
    "flags", "from", "func", "future", "import", "include", "interface", "list", "option", "own", "package",
    "record", "resource", "result", "s16", "s32", "s64", "s8", "static", "stream", "string", "tuple", "type",
    "u16", "u32", "u64", "u8", "use", "variant", "with", "world",
))
# fmt: on


def new_backend(name: str, into: Path, registry: Registry) -> Path:
    """Write a package with a backend for `wasi:keyvalue`.

    Args:
        name: what `QWASR_KEYVALUE` will say: lower case words with dashes between them.
        into: the folder that the package's folder is made in.
        registry: what is installed.

    Returns:
        The package's folder.

    Raises:
        ConfigurationError: the name does not do or is taken, or the folder is there already.
    """
    _check(name)
    if name in registry.backends("keyvalue") or name in BACKEND_DISTRIBUTIONS:
        raise ConfigurationError(f"there is a backend {name!r} for keyvalue already: take another name")
    snake, camel = name.replace("-", "_"), _camel(name)
    # What a file is called, then what stands in it; the longer name first.
    names = [("jsonfile_backend", f"{snake}_backend"), ("test_jsonfile", f"test_{snake}")]
    words = [*names, ("JSONFILE", snake.upper()), ("JsonFile", camel), ("jsonfile", name)]
    _check_identifiers(_TEMPLATES / "backend", words)
    return _write(into / f"{name}-backend", [_TEMPLATES / "backend"], words, readme="backend")


def new_interface(name: str, into: Path, registry: Registry) -> Path:
    """Write a package with an interface of one's own and a backend for it.

    Args:
        name: the interface, or `namespace:name`; the namespace is `demo` when there is none.
        into: as for `new_backend`.
        registry: what is installed.

    Returns:
        The package's folder.

    Raises:
        ConfigurationError: as for `new_backend`; or a Python module has that name.
    """
    namespace, colon, short = name.partition(":")
    namespace, short = (namespace, short) if colon else ("demo", name)
    for part in (namespace, short):
        _check(part)
    snake = short.replace("-", "_")
    if short in registry.interfaces or f"wasi:{short}" in WIT_DISTRIBUTIONS:
        raise ConfigurationError(f"there is an interface {short!r} already: take another name")
    if find_spec(snake) is not None:
        raise ConfigurationError(
            f"there is a Python module {snake!r} already, which {short!r} would hide: take another name"
        )
    words = [
        ("demo:greeting", f"{namespace}:{short}"),
        ("demo-greeting", f"{namespace}-{short}"),
        ("GREETING", snake.upper()),
        ("Greeting", _camel(short)),
        ("greeting", snake),
    ]
    _check_identifiers(_TEMPLATES / "interface", words)
    return _write(into / f"{namespace}-{short}", [_TEMPLATES / "interface"], words, readme="interface")


def new_guest(name: str, language: str, into: Path) -> Path:
    """Write a guest that answers HTTP requests.

    Args:
        name: the component's name.
        language: one of `LANGUAGES`.
        into: as for `new_backend`.

    Returns:
        The guest's folder.

    Raises:
        ConfigurationError: as for `new_backend`.
    """
    _check(name)
    example = {"python": "http", "c": "hello-c", "rust": "hello-rust"}[language]
    words = [
        (f"example:{example}", f"example:{name}"),
        (f'name = "{example}"', f'name = "{name}"'),
        ("CRATE", name.replace("-", "_")),
        ("NAME", name),
        ("LANGUAGE", _LANGUAGE_NAMES[language]),
        ("TOOLS", _TOOLS[language]),
    ]
    return _write(into / name, [_TEMPLATES / "guest" / "common", _TEMPLATES / "guest" / language], words, readme=None)


def _check(name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > _MAX_LETTERS:
        message = f"{name!r} is no name: expected words of lower-case letters and digits with dashes between them"
        raise ConfigurationError(f"{message}, {_MAX_LETTERS} letters at most")
    if keyword.iskeyword(name.replace("-", "_")) or name in _WIT_WORDS:
        raise ConfigurationError(f"{name!r} is a word of Python or of WIT: take another name")


def _check_identifiers(template: Path, words: Sequence[tuple[str, str]]) -> None:
    """Refuse a name that would make two things of a template's one."""
    used = set()
    for path in template.rglob("*.py"):
        with path.open("rb") as file:
            used |= {token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.NAME}
    renamed = {name: _renamed(name, words) for name in used}
    kept = {name for name, new in renamed.items() if new == name}
    clashing = sorted(new for name, new in renamed.items() if new != name and new in kept)
    if clashing:
        raise ConfigurationError(f"the template itself calls something {clashing[0]!r}: take another name")


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))


def _write(target: Path, templates: Sequence[Path], words: Sequence[tuple[str, str]], *, readme: str | None) -> Path:
    """Write a folder whole or not at all."""
    with written_whole(target) as folder:
        for template in templates:
            _copy(template, folder, words)
        if readme is not None:
            text = (_TEMPLATES / "readme" / f"{readme}.md").read_text(encoding="utf-8")
            (folder / "README.md").write_text(_renamed(text, words), encoding="utf-8")
        else:
            _copy_wit(folder / "wit" / "deps")
    return target


def _copy(template: Path, folder: Path, words: Sequence[tuple[str, str]]) -> None:
    skipped = _NOT_COPIED - ({"README.md"} if template.name == "common" else set())
    for place, folders, files in os.walk(template, followlinks=True):
        folders[:] = [name for name in folders if name not in skipped]
        for name in files:
            if name in skipped:
                continue
            source = Path(place, name)
            path = _renamed(source.relative_to(template).as_posix(), words)
            target = folder / (".gitignore" if path == "gitignore" else path)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = source.read_text(encoding="utf-8")
            target.write_text(_renamed(_RUST_WIT.sub('    path: "wit",\n', text), words), encoding="utf-8")


def _copy_wit(deps: Path) -> None:
    """Give a guest every WIT package that is served, so that its world may name any of them."""
    deps.mkdir(parents=True)
    for package in sorted((_TEMPLATES / "wit").iterdir()):
        if package.is_dir():
            shutil.copyfile(package / "package.wit", deps / f"{package.name}.wit")


def _renamed(text: str, words: Sequence[tuple[str, str]]) -> str:
    for old, new in words:
        text = text.replace(old, new)
    return text
