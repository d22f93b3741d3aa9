"""The worker of examples/messaging: a request publishes a job, whose handler sends a thousand results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qwasr_messaging.errors import Unavailable

if TYPE_CHECKING:
    from qwasr.testing import Guest

EXAMPLE = "messaging"


@pytest.mark.guest(environ={"MESSAGING_TOPICS": "none"})
async def test_a_request_is_answered_when_its_job_is_published(guest: Guest) -> None:
    response = await guest.post("/", body=b"a job")
    assert response.status == 202
    assert [(sent.topic, sent.data) for sent in guest.messaging.published] == [("work", b"a job")]


@pytest.mark.guest(environ={"MESSAGING_TOPICS": "work"})
async def test_a_job_has_a_thousand_numbered_results(guest: Guest) -> None:
    assert (await guest.messaging.deliver("work", b"a job")).acknowledged
    assert {sent.topic for sent in guest.messaging.published} == {"results"}
    assert [sent.metadata["number"] for sent in guest.messaging.published] == [str(n) for n in range(1, 1001)]


@pytest.mark.guest(environ={"MESSAGING_TOPICS": "work"})
async def test_a_job_whose_results_cannot_be_sent_comes_again(guest: Guest) -> None:
    guest.messaging.fail(Unavailable("the broker is unavailable"), on="publish", after=3)
    assert not (await guest.messaging.deliver("work", b"a job")).acknowledged
    guest.messaging.published.clear()
    guest.clock.advance(60)
    await guest.until(lambda: len(guest.messaging.published) == 1000)


@pytest.mark.guest(environ={"MESSAGING_TOPICS": "results"})
async def test_the_last_result_is_told_in_the_log(guest: Guest) -> None:
    for number in (999, 1000):
        metadata = {"number": str(number), "began": str(guest.clock.wall_ns() / 1e9 - 2)}
        assert (await guest.messaging.deliver("results", b"a job", metadata=metadata)).acknowledged
    assert guest.wasi.stdout.startswith("result 1000 handled after 2.0")
