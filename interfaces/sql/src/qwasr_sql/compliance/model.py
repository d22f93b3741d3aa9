"""The rule that statements and transactions in any order do what a model of a table does: a dictionary."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from qwasr_sql.protocol import Sql

__all__ = ["ModelRules"]


class ModelRules:
    """What holds for statements in any order; hypothesis thinks of them, and of the shortest that go wrong.

    Attributes:
        model_examples: how many orders are tried.
        model_steps: how many statements each of them has at most.
        model_shrinks: whether the shortest that goes wrong is looked for, which may take a minute.
        reads_beside: whether the database is read beside an open transaction, too: it has a second connection.
    """

    model_examples: ClassVar[int] = 25
    model_steps: ClassVar[int] = 30
    model_shrinks: ClassVar[bool] = True
    reads_beside: ClassVar[bool] = False

    async def test_statements_in_any_order_do_what_a_model_does(self, backend: Sql) -> None:
        from qwasr_sql.compliance._machine import run_machine

        await asyncio.to_thread(
            run_machine,
            backend,
            asyncio.get_running_loop(),
            examples=self.model_examples,
            steps=self.model_steps,
            shrink=self.model_shrinks,
            reads_beside=self.reads_beside,
        )
