"""The test class that a blobstore backend has to pass.

The whole test of a backend is::

    import pytest
    from qwasr_blobstore.compliance import BlobstoreCompliance

    class TestMyBackend(BlobstoreCompliance):
        @pytest.fixture
        async def backend(self, tmp_path):
            backend = await MyBackend.connect(MyOptions(path=tmp_path / "store"))
            yield backend
            await backend.close()

It needs hypothesis, pytest, and pytest-asyncio with `asyncio_mode = "auto"`; in strict mode the fixture is a
`pytest_asyncio.fixture`. Each test is one rule of `qwasr_blobstore.protocol` and works in containers of its own, with
names nobody else has, so a shared service is as good as an empty one; it deletes none of them but where that is the
rule.

The rules for a store that is full need a second fixture, `cramped`, and are left out without it. A store whose objects
are this process's memory sets `times_in_memory = 1`. What holds while a service is away is in
`qwasr_blobstore.compliance.faults`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

_RULES = (
    "_machine",
    "_stored",
    "cancelled",
    "containers",
    "faults",
    "flat",
    "listing",
    "moving",
    "names",
    "objects",
    "ranges",
    "space",
)
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in _RULES))

from qwasr_blobstore.compliance.cancelled import CancelledRules  # noqa: E402 - asserts are rewritten on import
from qwasr_blobstore.compliance.containers import ContainerRules  # noqa: E402
from qwasr_blobstore.compliance.faults import BlobstoreFaultCompliance  # noqa: E402
from qwasr_blobstore.compliance.flat import FlatRules  # noqa: E402
from qwasr_blobstore.compliance.listing import ListingRules  # noqa: E402
from qwasr_blobstore.compliance.model import ModelRules  # noqa: E402
from qwasr_blobstore.compliance.moving import MovingRules  # noqa: E402
from qwasr_blobstore.compliance.names import NameRules  # noqa: E402
from qwasr_blobstore.compliance.objects import ObjectRules  # noqa: E402
from qwasr_blobstore.compliance.ranges import RangeRules  # noqa: E402
from qwasr_blobstore.compliance.space import SpaceRules  # noqa: E402

if TYPE_CHECKING:
    from qwasr_blobstore.protocol import Blobstore

__all__ = ["BlobstoreCompliance", "BlobstoreFaultCompliance"]


class BlobstoreCompliance(
    ContainerRules,
    ObjectRules,
    NameRules,
    RangeRules,
    ListingRules,
    MovingRules,
    CancelledRules,
    FlatRules,
    SpaceRules,
    ModelRules,
):
    """Every rule for a blobstore backend; a subclass overrides the fixture `backend`, and `cramped` where it can."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def backend(self) -> Blobstore:
        """Return the connected backend; every subclass has its own."""
        msg = f"{type(self).__name__} has to override the fixture `backend`; see qwasr_blobstore.compliance"
        raise TypeError(msg)
