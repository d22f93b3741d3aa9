"""The test class that a sql backend has to pass.

The whole test of a backend is::

    import pytest
    from qwasr_sql.compliance import SqlCompliance

    class TestMyBackend(SqlCompliance):
        @pytest.fixture
        async def backend(self, tmp_path):
            backend = await MyBackend.connect(MyOptions(database=tmp_path / "test.db"))
            yield backend
            await backend.close()

It needs pytest and pytest-asyncio with `asyncio_mode = "auto"`; in strict mode the fixture is a
`pytest_asyncio.fixture`. Each test is one rule of `qwasr_sql.protocol` and works in tables of its own, with names
nobody else has, in the database ``default``. What differs between databases are attributes:

- `declared`: for each case of `data-type` the declared type of a column that gives values back in this case; without an
  entry the database has no such type.
- `endless`: a query that takes longer than anybody waits.
- `reads_beside`: whether the database is read beside an open transaction as well: it has a second connection.

One rule runs statements in any order against a model, and needs hypothesis: `pip install 'qwasr-sql[testing]'` brings
all that the kit needs.

What holds while a service is away is in `qwasr_sql.compliance.faults`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

_RULES = ("values", "statements", "transactions", "cancelled", "model", "_machine", "faults")
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in _RULES))

from qwasr_sql.compliance.cancelled import CancelledRules  # noqa: E402 - asserts are rewritten on import
from qwasr_sql.compliance.faults import SqlFaultCompliance  # noqa: E402
from qwasr_sql.compliance.model import ModelRules  # noqa: E402
from qwasr_sql.compliance.statements import StatementRules  # noqa: E402
from qwasr_sql.compliance.transactions import TransactionRules  # noqa: E402
from qwasr_sql.compliance.values import ParameterRules, ValueRules  # noqa: E402

if TYPE_CHECKING:
    from qwasr_sql.protocol import Sql

__all__ = ["SqlCompliance", "SqlFaultCompliance"]


class SqlCompliance(ValueRules, ParameterRules, StatementRules, TransactionRules, CancelledRules, ModelRules):
    """Every rule for a sql backend; a subclass overrides the fixture `backend`."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def backend(self) -> Sql:
        """Return the connected backend; every subclass has its own."""
        msg = f"{type(self).__name__} has to override the fixture `backend`; see qwasr_sql.compliance"
        raise TypeError(msg)
