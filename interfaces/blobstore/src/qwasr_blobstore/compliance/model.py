"""The rule that all operations together, in any order, do what a model of a blobstore does: dictionaries."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from qwasr_blobstore.protocol import Blobstore

__all__ = ["ModelRules"]


class ModelRules:
    """What holds for any operations in any order; hypothesis thinks of them, and of the shortest that go wrong.

    Attributes:
        model_examples: how many orders are tried.
        model_steps: how many operations each of them has at most.
        model_shrinks: whether the shortest that goes wrong is looked for, which may take a minute.
    """

    model_examples: ClassVar[int] = 25
    model_steps: ClassVar[int] = 30
    model_shrinks: ClassVar[bool] = True

    async def test_operations_in_any_order_do_what_a_model_does(self, backend: Blobstore) -> None:
        from qwasr_blobstore.compliance._machine import run_machine

        await asyncio.to_thread(
            run_machine,
            backend,
            asyncio.get_running_loop(),
            examples=self.model_examples,
            steps=self.model_steps,
            shrink=self.model_shrinks,
        )
