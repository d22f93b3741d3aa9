"""What `REDIS_URL` may say, and that nothing of it is shown."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mik_backend_redis import RedisOptions
from mik_backend_redis.address import Address, parse
from qwasr.errors import OptionError

HOST = (("cache", 6379),)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://cache", Address(kind="server", hosts=HOST)),
        ("REDIS://cache:6380/", Address(kind="server", hosts=(("cache", 6380),))),
        ("redis://cache/15", Address(kind="server", hosts=HOST, database=15)),
        ("redis://[::1]", Address(kind="server", hosts=(("::1", 6379),))),
        ("rediss://[::1]:7000", Address(kind="server", tls=True, hosts=(("::1", 7000),))),
        ("redis://ada@cache", Address(kind="server", hosts=HOST, username="ada")),
        ("redis://:pass@cache", Address(kind="server", hosts=HOST, password="pass")),
        ("redis://a%40b:p%2F%3A@cache", Address(kind="server", hosts=HOST, username="a@b", password="p/:")),
        ("redis://:p@ss@cache", Address(kind="server", hosts=HOST, password="p@ss")),
        ("redis+unix:///run/redis.sock", Address(kind="unix", path="/run/redis.sock")),
        ("redis+unix:///run/r%20s.sock?db=2", Address(kind="unix", path="/run/r s.sock", database=2)),
        ("redis+unix://:p@/run/redis.sock", Address(kind="unix", path="/run/redis.sock", password="p")),
        (
            "redis+sentinel://a,b:1/mymaster/3",
            Address(kind="sentinel", hosts=(("a", 26379), ("b", 1)), service="mymaster", database=3),
        ),
        ("rediss+sentinel://a/m", Address(kind="sentinel", tls=True, hosts=(("a", 26379),), service="m")),
        ("redis+cluster://a:1,b", Address(kind="cluster", hosts=(("a", 1), ("b", 6379)))),
        ("rediss+cluster://u:p@a", Address(kind="cluster", tls=True, hosts=(("a", 6379),), username="u", password="p")),
    ],
)
def test_an_address_is_understood(url: str, address: Address) -> None:
    assert parse(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cache:6379",
        "http://cache",
        "redis:/cache",
        "redis://",
        "redis://:6379",
        "redis://user:p@",
        "redis://a,b",
        "redis://cache:port",
        "redis://cache:0",
        "redis://cache:65536",
        "redis://cache:" + "9" * 5000,
        "redis://cache:٣",
        "redis://cache:",
        "redis://[::1",
        "redis://[::1]6379",
        "redis://ca che",
        "redis://cache/x",
        "redis://cache/-1",
        "redis://cache/99999999999",
        "redis://cache/1/2",
        "redis://cache?socket_timeout=1",
        "redis://cache/1#x",
        "redis+unix://host/run/redis.sock",
        "redis+unix://",
        "redis+unix:///run/redis.sock?password=x",
        "redis+unix:///run/redis.sock?db",
        "redis+sentinel://a",
        "redis+sentinel://a/",
        "redis+cluster://a/1",
        "redis+cluster://" + ",".join("a" for _ in range(101)),
    ],
)
def test_what_is_no_address_is_an_error_that_names_the_variable(url: str) -> None:
    with pytest.raises(OptionError, match="REDIS_URL"):
        parse(url)


@given(st.text(st.characters(blacklist_categories=["Cs"])))
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    for url in (text, f"redis://{text}", f"redis+sentinel://{text}", f"redis+unix://{text}"):
        try:
            address = parse(url)
        except OptionError:
            continue
        assert all(host and 1 <= port <= 65535 for host, port in address.hosts)


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_user_and_a_password_may_have_every_character(username: str, password: str) -> None:
    address = parse(f"redis://{quote(username, safe='')}:{quote(password, safe='')}@cache")
    assert (address.username, address.password) == (username, password)


@given(st.text(st.characters(whitelist_categories=["Lu", "Nd"]), min_size=6))
def test_an_error_quotes_no_password(password: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse(f"redis://:{password}@cache:port")
    assert password not in str(caught.value)


def test_no_secret_is_shown() -> None:
    options = RedisOptions(url="redis://:hidden@cache", password="hidden", sentinel_password="hidden")
    assert "hidden" not in repr(options)
    assert "hidden" not in repr(parse(options.url))


def test_every_setting_has_its_variable() -> None:
    options = RedisOptions.from_env(
        {
            "REDIS_URL": "redis+cluster://a,b",
            "REDIS_USERNAME": "ada",
            "REDIS_PASSWORD": "p",
            "REDIS_POOL_SIZE": "3",
            "REDIS_TIMEOUT_S": "0.5",
            "REDIS_CONNECT_TIMEOUT_S": "2",
            "REDIS_MAX_RETRIES": "0",
            "REDIS_MAX_DELAY": "10",
            "REDIS_TLS_CA": "ca.pem",
            "REDIS_WATCH": "1",
        }
    )
    assert (options.url, options.pool_size, options.max_retries, options.watch) == ("redis+cluster://a,b", 3, 0, True)
    assert (options.timeout_s, options.connect_timeout_s, options.max_delay_ms) == (0.5, 2.0, 10)
