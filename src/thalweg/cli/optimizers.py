"""The optimizers side by side: what each does, keeps and computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thalweg.catalogue.card import card
from thalweg.catalogue.optimizers.cost import Cost, cost
from thalweg.cli.output import entries, paragraph

__all__ = ["Row", "compared", "table_text"]

NOTE = (
    "state: numbers kept for a parameter that is a square matrix of P numbers; √P is one row or "
    "column of it. matrix: whether a step computes with P by P numbers. Gradients, values of the "
    "objective beside them, and products of its second derivative with a direction are counted a "
    "step, for the defaults of every optimizer; a search that stops when it has found enough is "
    "counted on a quadratic bowl of 16 parameters, and elsewhere takes more or less."
)


@dataclass(frozen=True)
class Row:
    """One optimizer; ``products`` is ``"P"`` where there is one for each parameter."""

    name: str
    definition: str
    formula: str
    state: str
    gradients: float
    values: float
    products: float | str
    matrix: bool

    def cells(self) -> tuple[str, ...]:
        """Its numbers in words."""
        counts = (self.gradients, self.values, self.products)
        written = (c if isinstance(c, str) else f"{c:.3g}" for c in counts)
        return self.state, *written, "P × P" if self.matrix else "–"


COLUMNS = ("state", "gradients", "values", "products", "matrix")


def compared(optimizers: Mapping[str, type]) -> list[Row]:
    """A row for each optimizer, computed with the defaults of its numbers.

    Args:
        optimizers: their classes by name.
    """
    return [_row(name, cls, cost(cls())) for name, cls in optimizers.items()]


def _row(name: str, cls: type, found: Cost) -> Row:
    told = card(cls, "optimizers")
    formula = " ".join(told.sections["Formula"].split())
    # With a matrix, products write it out column by column.
    products = "P" if found.matrix and found.products else found.products
    return Row(
        name,
        told.summary,
        formula,
        str(found.state),
        found.gradients,
        found.values,
        products,
        found.matrix,
    )


def table_text(rows: list[Row], width: int) -> str:
    """The rows as text: numbers in columns, what it does and the formula below."""
    names = max(len(row.name) for row in rows)
    widths = [
        max(len(cell) for cell in cells)
        for cells in zip(COLUMNS, *(row.cells() for row in rows), strict=True)
    ]
    note = paragraph(NOTE, width)
    if names + sum(widths) + 2 * len(widths) > width:
        listed = ((row.name, f"{row.definition} {_sentence(row)}; {row.formula}") for row in rows)
        return f"{entries(listed, width)}\n\n{note}"

    def line(name: str, cells: tuple[str, ...]) -> str:
        placed = (f"{cell:>{w}}" for cell, w in zip(cells, widths, strict=True))
        return "  ".join([f"{name:<{names}}", *placed])

    lines = [line("optimizer", COLUMNS)]
    for row in rows:
        below = (paragraph(text, width, "    ") for text in (row.definition, row.formula))
        lines += [line(row.name, row.cells()), *below]
    return "\n".join([*lines, "", note])


def _sentence(row: Row) -> str:
    named = zip(COLUMNS, row.cells(), strict=True)
    return ", ".join(f"{name} {cell}" for name, cell in named)
