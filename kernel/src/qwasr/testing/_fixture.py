"""The fixture `guest`, for pytest-asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest_asyncio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qwasr.testing.guest import Engines, Guest


@pytest_asyncio.fixture
async def guest(guest_settings: dict[str, Any], guest_engines: Engines) -> AsyncIterator[Guest]:
    """The component of the test, in this process, on fakes."""
    from qwasr.testing.guest import Guest

    async with Guest(**guest_settings, engines=guest_engines) as ready:
        yield ready
