"""What is looked at: a page made from a record, as HTML, text or Markdown, and its figures alone.

``parts`` says what a page is made of. ``build`` makes one from an experiment, its comparison and
its curves (``groups`` finds the runs, ``aggregate`` makes one curve of many; ``findings``,
``contexts``, ``contrasts``, ``training``, ``sweep``, ``decisions`` and ``accounts`` make the
sections).
``html``, ``markdown`` and ``text`` render a page. ``figure`` draws: ``svg``, ``colours`` and
``scales`` below it, one module per kind of panel (``plots``, ``intervals``, ``heat``,
``boundaries``, ``contours``, ``surfaces``, ``graphs``) between; ``layout`` says where the nodes of
a graph stand. In a terminal ``braille`` draws curves and ``diagrams`` graphs. ``formulas`` are
lines of mathematics, ``steppers`` graphs that are gone through step by step, ``animation`` makes
files in which something moves. ``data`` is a page for programs.
"""

from __future__ import annotations

from thalweg.report.animation import figure_gif, moves
from thalweg.report.build import Curves, build
from thalweg.report.data import to_data
from thalweg.report.figure import figure_png, figure_svg
from thalweg.report.html import to_html
from thalweg.report.markdown import to_markdown
from thalweg.report.steppers import last_figure
from thalweg.report.text import to_text

__all__ = [
    "Curves",
    "build",
    "figure_gif",
    "figure_png",
    "figure_svg",
    "last_figure",
    "moves",
    "to_data",
    "to_html",
    "to_markdown",
    "to_text",
]
