"""A runtime of the test guest, and what it is told to do."""

from __future__ import annotations

from typing import Any

import pytest

from interfaces.blobstore.tests.guest_text import text
from qwasr.runtime import Runtime
from qwasr.values import WitError
from qwasr_blobstore import plugin

FIRST, AFTER, NEVER_FINISHED, NO_OBJECT, TWICE, ANYWAY = range(6)


def runtime_on(backend: Any, **environ: str) -> Runtime:
    return Runtime(text(), backends={"blobstore": backend}, environ=environ, plugins=[plugin])


async def error_of(call: Any) -> str:
    with pytest.raises(WitError) as caught:
        await call
    assert isinstance(caught.value.value, str)
    return caught.value.value
