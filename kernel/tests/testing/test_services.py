"""The parts of the rules about faults: each notices what it is there for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from qwasr.testing.services import FakeService, Faults

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class AwayError(Exception):
    """The service is away."""


class Rules(Faults):
    unavailable = AwayError
    fails_in_s = 1.0
    back_in_s = 1.0


class Remote(FakeService):
    unavailable = AwayError
    patience_s = 0.01

    def __init__(self) -> None:
        self.count = 0

    async def add(self) -> int:
        self.count += 1
        return self.count

    async def use(self, *_numbers: int) -> int:
        number: int = await self.answer(self, "add")
        return number


async def _raises(error: Exception) -> None:
    raise error


async def _returns_late() -> None:
    await asyncio.sleep(1.2)
    raise AwayError("unavailable")


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: asyncio.sleep(0, b"secret"), "get does not raise Unavailable: it returns bytes"),
        (lambda: _raises(ValueError("no")), r"get does not raise Unavailable: ValueError\('no'\)"),
        (lambda: _raises(AwayError("no")), "get does not say so: no"),
        (_returns_late, r"the calls took \d+\.\d s to fail"),
    ],
    ids=["returns", "another error", "says nothing", "late"],
)
async def test_a_call_that_does_not_fail_as_it_should_is_noticed(
    call: Callable[[], Awaitable[object]], complaint: str
) -> None:
    with pytest.raises(AssertionError, match=complaint):
        await Rules().all_fail({"set": _raises(AwayError("unavailable")), "get": call()})


async def test_calls_that_fail_as_they_should_are_right() -> None:
    remote = Remote()
    remote.kill()
    await Rules().all_fail({"set": remote.use(), "get": remote.use()})


async def test_a_service_that_is_never_used_again_is_noticed() -> None:
    with pytest.raises(AssertionError, match="the service is back and not used"):
        await Rules().back(lambda: _raises(AwayError("unavailable")))


async def test_another_error_than_that_it_is_away_is_no_reason_to_wait() -> None:
    with pytest.raises(ValueError, match="no"):
        await Rules().back(lambda: _raises(ValueError("no")))


async def test_calls_are_made_until_the_harm_is_done() -> None:
    remote = Remote()
    acknowledged, failed = await Rules().during(Rules().stand_still(remote), remote.use, at_once=4)
    assert sorted(acknowledged) == list(range(1, remote.count + 1))
    assert failed
    assert remote.running
    assert remote.moving


async def test_an_error_that_is_not_expected_is_not_counted() -> None:
    async def call(_worker: int, _number: int) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await Rules().during(Rules().start_again(Remote(), step_s=0), call, at_once=1)
    _, failed = await Rules().during(Rules().start_again(Remote(), step_s=0), call, at_once=1, error=ValueError)
    assert failed


async def test_a_service_goes_on_when_the_rule_fails() -> None:
    remote = Remote()
    with pytest.raises(AssertionError):
        async with Rules().standing_still(remote):
            assert remote.moving
    assert remote.moving


async def test_a_rule_that_the_service_cannot_keep_is_left_out() -> None:
    class Fixed(Rules):
        pauses = False

    with pytest.raises(pytest.skip.Exception, match="stand still"):
        async with Fixed().standing_still(Remote()):
            pass
    with pytest.raises(pytest.skip.Exception, match="keeps nothing"):
        Fixed().need_lasting()


class TestWithoutFixtures(Rules):
    @pytest.mark.parametrize("name", ["service", "backend"])
    def test_a_kit_without_its_fixtures_says_what_is_missing(self, request: pytest.FixtureRequest, name: str) -> None:
        with pytest.raises(TypeError, match=rf"TestWithoutFixtures has to override .*; see {__name__}"):
            request.getfixturevalue(name)


async def test_a_service_that_was_away_may_be_one_that_is_never_used_again() -> None:
    class Gone(Remote):
        comes_back = False

    remote = Gone()
    assert await remote.use() == 1
    remote.pause()
    with pytest.raises(AwayError):
        await remote.use()
    remote.resume()
    with pytest.raises(AwayError):
        await remote.use()
