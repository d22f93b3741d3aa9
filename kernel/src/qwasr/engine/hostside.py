"""What host functions see of a store: the guest's hold on host resources, and an answer that comes late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from qwasr.engine.owned import drop_all
from qwasr.errors import TooManyResources

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from qwasr.engine.hostcalls import Answer
    from qwasr.hosting import HostResource
    from qwasr.values import WitError

__all__ = ["HostSide"]


class HostSide:
    """The part of a store that host functions and handles work with; `Store` makes it whole.

    Attributes:
        failure: what a host function raised; it ends the call as soon as control is back in the driver.
        max_resources: how many host resources the guest may hold at once.
        resources: the host resources that the guest holds, by the library's number.
    """

    __slots__ = (
        "_answer",
        "_answer_error",
        "_answered",
        "_lent",
        "_next_rep",
        "_pending",
        "_ready",
        "_result_slot",
        "failure",
        "max_resources",
        "resources",
    )

    def __init__(self, max_resources: int) -> None:
        self._next_rep = 1
        self._lent: list[int] | None = None
        self._pending: Awaitable[Any] | None = None
        self._ready = False
        self._answer: Any = None
        self._answer_error: WitError | None = None
        self._answered: Answer | None = None
        self._result_slot = 0
        self.failure: BaseException | None = None
        self.max_resources = max_resources
        self.resources: dict[int, HostResource] = {}

    def suspend(self, pending: Awaitable[Any], result_slot: int, answered: Answer) -> None:
        """Let the driver await a host function's answer; `ready` writes it where the library wants it."""
        self._pending = pending
        self._ready = False
        self._answer = self._answer_error = None
        self._result_slot = result_slot
        self._answered = answered

    def ready(self) -> bool:
        """Write a late answer while its continuation lives: only then are the result slots ours to write."""
        if not self._ready or self._answered is None:
            return False
        self._ready = False
        answer, error = self._answer, self._answer_error
        self._answer = self._answer_error = None
        try:
            self._answered.write(self, self._result_slot, answer, error)
        except BaseException as failure:  # noqa: BLE001 - it must not leave through the library's frames
            self.failure = failure
            return False
        return True

    def enter(self, resource: HostResource) -> int:
        """Give a resource to the guest; return its number.

        Raises:
            TooManyResources: the guest holds as many as it may.
        """
        if len(self.resources) >= self.max_resources:
            self.refuse()
        rep = self._next_rep
        self._next_rep = rep + 1
        self.resources[rep] = resource
        return rep

    def take_back(self, first_rep: int, resources: Iterable[HostResource]) -> None:
        """Drop what the guest was to have and will not get.

        Args:
            first_rep: the number of the first of them, if some have been entered already.
            resources: all of them.
        """
        for rep in range(first_rep, self._next_rep):
            self.resources.pop(rep, None)
        drop_all(resources)

    def discard_answer(self) -> None:
        """Drop a late answer that came, and that the guest never asked for again."""
        answer, error = self._answer, self._answer_error
        self._answer = self._answer_error = None
        if self._answered is not None:
            self._answered.discard(answer, error)

    def refuse(self) -> NoReturn:
        """Say that the guest holds as many resources as it may.

        Raises:
            TooManyResources: always.
        """
        msg = f"the guest holds {self.max_resources} host resources and wants another (QWASR_GUEST_RESOURCES)"
        raise TooManyResources(msg)

    def lend(self, resource: HostResource) -> int:
        """Lend a resource to the guest for one call; return its number."""
        rep = self.enter(resource)
        if self._lent is None:
            self._lent = []
        self._lent.append(rep)
        return rep
