"""Tables of figures: as Markdown for people, as plain data for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

Cell = str | float | None
"""A text, a figure, or nothing to say."""


@dataclass(slots=True)
class Table:
    """The figures of one section.

    Attributes:
        title: the section's heading.
        columns: their names, with the unit of what is in them.
        rows: one cell for each column.
        notes: sentences below the table: how it was measured, what was missing.
    """

    title: str
    columns: list[str]
    rows: list[list[Cell]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """Return the table as aligned Markdown."""
        cells = [self.columns, *([show(cell) for cell in row] for row in self.rows)]
        widths = [max(len(row[n]) for row in cells) for n in range(len(self.columns))]
        left = [any(isinstance(row[n], str) for row in self.rows) for n in range(len(self.columns))]

        def line(row: list[str]) -> str:
            padded = (
                cell.ljust(width) if text else cell.rjust(width)
                for cell, width, text in zip(row, widths, left, strict=True)
            )
            return f"| {' | '.join(padded)} |"

        rule = "|".join(
            f" {'-' * width} " if text else f" {'-' * (width - 1)}: " for width, text in zip(widths, left, strict=True)
        )
        lines = [f"## {self.title}", "", line(cells[0]), f"|{rule}|", *map(line, cells[1:])]
        if self.notes:
            lines += ["", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines)

    def data(self) -> dict[str, Any]:
        """Return the table as plain data."""
        return asdict(self)


def show(cell: Cell) -> str:
    """Return a cell as text; a figure with three digits that count."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if abs(cell) >= 100:
        return f"{cell:,.0f}"
    return f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.2f}"


def ratio(figure: float | None, other: float | None) -> float | None:
    """Return one figure by another, or nothing when one of them is missing."""
    return figure / other if figure and other else None
