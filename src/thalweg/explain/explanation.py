"""What every explanation gives: a page to be looked at, and its numbers as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from thalweg.errors import SpecError
from thalweg.report import (
    figure_gif,
    figure_svg,
    last_figure,
    moves,
    parts,
    to_html,
    to_markdown,
    to_text,
)

__all__ = ["Explanation"]


@dataclass(frozen=True, eq=False)
class Explanation:
    """A computation that was worked out.

    A notebook shows it as its page.

    Args:
        page: for people.
        data: the numbers in full, for programs: dictionaries, lists and plain values.
    """

    page: parts.Page
    data: Mapping[str, Any] = field(default_factory=dict)

    def text(self, width: int = 80) -> str:
        """As text for a terminal of so many columns."""
        return to_text(self.page, width)

    def markdown(self) -> str:
        """As Markdown, with formulas in LaTeX."""
        return to_markdown(self.page)

    def html(self) -> str:
        """As a page of its own, that needs no network."""
        return to_html(self.page)

    def svg(self) -> str:
        """Its first figure, after the last step where it has steps.

        Raises:
            SpecError: there is none.
        """
        for figure in self._figures():
            return figure_svg(figure)
        raise SpecError(f"there is nothing that can be drawn in {self.page.title!r}")

    def gif(self) -> bytes:
        """Its first figure in which something moves.

        Raises:
            SpecError: nothing moves.
            MissingExtra: cairosvg or Pillow is not installed.
        """
        for figure in self._figures():
            if moves(figure):
                return figure_gif(figure)
        raise SpecError(f"nothing moves in {self.page.title!r}")

    def _figures(self) -> Iterator[parts.Figure]:
        for section in self.page.sections:
            for part in section.parts:
                if isinstance(part, parts.Stepper):
                    yield last_figure(part)
                elif isinstance(part, parts.Figure):
                    yield part

    def _repr_html_(self) -> str:
        return self.html()
