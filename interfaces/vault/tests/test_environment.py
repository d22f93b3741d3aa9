"""Secrets in the environment: which variables are secrets, and which names have one."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwasr.errors import OptionError
from qwasr_vault import Environment, EnvironmentOptions

NAMES = st.text(string.ascii_lowercase + string.digits + "-_AB é", min_size=1, max_size=6)


def vault(environ: dict[str, str], url: str = "env://APP") -> Environment:
    return Environment(EnvironmentOptions.from_env(environ, url=url))


@pytest.mark.parametrize("url", ["env://APP", "env://APP/", "env://APP_", "env://APP__"])
async def test_a_prefix_ends_with_one_underscore(url: str) -> None:
    assert await (await vault({"APP_KEY": "value"}, url).open_locker("default")).get("key") == b"value"


@pytest.mark.parametrize(
    "url",
    [
        *("env://", "env:APP", "env://app", "env://1A", "env://_A", "env://A-B", "env://\N{LATIN CAPITAL LETTER ETH}"),
        *("env://u:p@A", "env://A:1", "env://A/b", "env://A?b=c", "env://A#b", "file://A", "env://" + "A" * 65),
    ],
)
def test_other_urls_are_errors_that_do_not_quote_them(url: str) -> None:
    with pytest.raises(OptionError) as caught:
        EnvironmentOptions(url=url)
    assert str(caught.value) == "VAULT_ENV_URL: write env://PREFIX, in capital letters, digits and underscores"


async def test_variables_come_from_where_options_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_KEY", "of the process")
    assert await (await vault({}).open_locker("default")).get("key") is None
    options = EnvironmentOptions.from_env(url="env://APP")
    assert await (await Environment(options).open_locker("default")).get("key") == b"of the process"


async def test_bytes_that_are_no_text_come_out_as_they_are() -> None:
    raw = b"\xff\x80key"
    value = raw.decode("utf-8", "surrogateescape")
    assert await (await vault({"APP_KEY": value}).open_locker("default")).get("key") == raw


@given(st.tuples(NAMES, NAMES), st.tuples(NAMES, NAMES))
async def test_no_two_secrets_share_a_variable(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Whatever variable one of them has, the other one does not read it."""
    parts = [part.upper().replace("-", "_") for part in one]
    for name in (f"APP_{parts[0]}__{parts[1]}", f"APP_{parts[1]}"):
        found = vault({name: "value"})
        read = [await (await found.open_locker(locker)).get(secret) for locker, secret in (one, other)]
        assert one == other or None in read


async def test_only_what_is_listed_can_be_read() -> None:
    environ = {f"APP_{text}": "value" for text in ("A", "A__B", "A__B__C", "__A", "A_", "_A", "a", "A-B", "A B", "É")}
    found = vault(environ)
    assert {name: await (await found.open_locker(name)).list_ids() for name in ("default", "a", "a--b", "A", "")} == {
        "default": ["a"],
        "a": ["b"],
        "a--b": [],
        "A": [],
        "": [],
    }


def test_no_secret_is_in_what_is_printed_of_the_options() -> None:
    options = EnvironmentOptions.from_env({"APP_KEY": "open sesame"}, url="env://APP")
    assert "sesame" not in f"{options!r} {options}"
    assert repr(options) == "EnvironmentOptions(prefix='APP_')"


def test_the_prefix_of_the_process_is_read_from_its_variable() -> None:
    options = EnvironmentOptions.from_env({"VAULT_ENV_URL": "env://APP", "APP_KEY": "value", "OTHER": "x"})
    assert options.secrets == (("APP_KEY", "value"),)
