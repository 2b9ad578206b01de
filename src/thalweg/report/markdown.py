"""A page as GitHub Markdown: headings, tables, and figures as tables or drawn with characters."""

from __future__ import annotations

import re

from thalweg.report.contours import plane_rows
from thalweg.report.fallback import figure_tables
from thalweg.report.formulas import formula_markdown
from thalweg.report.parts import (
    VERDICTS,
    Code,
    ContourPanel,
    Facts,
    Figure,
    Formula,
    IntervalPanel,
    Page,
    Paragraph,
    Part,
    Section,
    Stepper,
    Table,
    Verdict,
)
from thalweg.report.steppers import changes, last_figure
from thalweg.report.text import interval_rows

__all__ = ["to_markdown"]


def to_markdown(page: Page) -> str:
    """A page as GitHub Markdown."""
    blocks = [f"# {_escaped(page.title)}"]
    if page.subtitle:
        blocks.append(f"*{_escaped(page.subtitle)}*")
    for section in page.sections:
        blocks.append(f"## {_escaped(section.heading)}")
        blocks += filter(None, (_part(part, section) for part in section.parts))
    return "\n\n".join(blocks).replace("\xa0", " ") + "\n"


def _part(part: Part, section: Section) -> str:
    match part:
        case Verdict():
            return f"> **{VERDICTS[part.kind]}.** {_escaped(part.sentence)}"
        case Paragraph():
            start = "**Note.** " if part.tone == "warning" else ""
            return start + _escaped(part.text)
        case Table():
            return _table(part)
        case Figure():
            return _figure(part, part.title == section.heading)
        case Code():
            # A fence longer than any in the text cannot be closed by it.
            ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", part.text)), default=0))
            return f"{ticks}{part.language}\n{part.text}\n{ticks}"
        case Facts():
            return "\n".join(f"- {_escaped(name)}: {_escaped(value)}" for name, value in part.items)
        case Formula():
            return formula_markdown(part)
        case Stepper():
            return _stepper(part, part.title == section.heading)


def _figure(figure: Figure, titled: bool) -> str:
    caption = _escaped(figure.caption)
    blocks = [caption if titled else f"**{_escaped(figure.title)}.** {caption}"]
    for panel in figure.panels:
        if isinstance(panel, IntervalPanel):
            rows = interval_rows(panel, 80)
            blocks.append("\n".join(["```text", *rows, "```"]))
        elif isinstance(panel, ContourPanel) and panel.seen_from == "above":
            blocks.append("\n".join(["```text", *plane_rows(panel, 80), "```"]))
    if not any(isinstance(panel, IntervalPanel) for panel in figure.panels):
        blocks += map(_table, figure_tables(figure))
    return "\n\n".join(blocks)


def _stepper(stepper: Stepper, titled: bool) -> str:
    """The graph after the last step, and what each changes."""
    lines: list[str] = []
    for number, step in enumerate(stepper.steps, 1):
        lines.append(f"{number}. {_escaped(step.text)}")
        lines += [f"   - {_escaped(said)}" for said in changes(stepper.graph, step)]
    return "\n\n".join([_figure(last_figure(stepper), titled), "\n".join(lines)])


def _table(table: Table) -> str:
    lines = [
        _row(table.columns),
        _row("--:" if side == "r" else ":--" for side in table.sides),
        *map(_row_escaped, table.rows),
    ]
    caption = [f"*{_escaped(table.caption)}*", ""] if table.caption else []
    return "\n".join([*caption, *lines])


def _row(cells) -> str:
    return f"| {' | '.join(cells)} |"


def _row_escaped(cells: tuple[str, ...]) -> str:
    return _row(_escaped(cell) for cell in cells)


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is; underscores inside words are safe already."""
    text = re.sub(r"([\\`*|<>])", r"\\\1", text)
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text).replace("\n", " ")
