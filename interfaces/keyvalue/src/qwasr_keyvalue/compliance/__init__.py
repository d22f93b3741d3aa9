"""The test class that a keyvalue backend has to pass.

The whole test of a backend is::

    import pytest
    from qwasr_keyvalue.compliance import KeyValueCompliance

    class TestMyBackend(KeyValueCompliance):
        @pytest.fixture
        async def backend(self, tmp_path):
            backend = await MyBackend.connect(MyOptions(path=tmp_path / "store"))
            yield backend
            await backend.close()

It needs pytest and pytest-asyncio with `asyncio_mode = "auto"`; in strict mode the fixture is a
`pytest_asyncio.fixture`. Each test is one rule of `qwasr_keyvalue.protocol` and works in buckets of its own, with names
nobody else has, so a shared service is as good as an empty one. Tests of expiry wait for `resolution_s`, which a
backend whose expiry is coarse sets. What holds while a service is away is in `qwasr_keyvalue.compliance.faults`, what
holds where a backend hears of changes in `qwasr_keyvalue.compliance.changes`, and a model of a store, which needs
Hypothesis, in `qwasr_keyvalue.compliance.model`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

_RULES = ("store", "atomics", "batch", "cancelled", "expiry", "faults", "changes", "_machine")
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in _RULES))

from qwasr_keyvalue.compliance.atomics import AtomicsRules  # noqa: E402 - asserts are rewritten on import
from qwasr_keyvalue.compliance.batch import BatchRules  # noqa: E402
from qwasr_keyvalue.compliance.cancelled import CancelledRules  # noqa: E402
from qwasr_keyvalue.compliance.changes import KeyValueChangesCompliance  # noqa: E402
from qwasr_keyvalue.compliance.expiry import ExpiryRules  # noqa: E402
from qwasr_keyvalue.compliance.faults import KeyValueFaultCompliance  # noqa: E402
from qwasr_keyvalue.compliance.store import ListingRules, StoreRules  # noqa: E402

if TYPE_CHECKING:
    from qwasr_keyvalue.protocol import KeyValue

__all__ = ["KeyValueChangesCompliance", "KeyValueCompliance", "KeyValueFaultCompliance"]


class KeyValueCompliance(StoreRules, ListingRules, AtomicsRules, BatchRules, CancelledRules, ExpiryRules):
    """Every rule for a keyvalue backend; a subclass overrides the fixture `backend`."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def backend(self) -> KeyValue:
        """Return the connected backend; every subclass has its own."""
        msg = f"{type(self).__name__} has to override the fixture `backend`; see qwasr_keyvalue.compliance"
        raise TypeError(msg)
