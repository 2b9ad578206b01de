"""A page as one HTML file: text, tables, its own SVG, its data, a little script; nothing fetched.

A panel is drawn at up to three widths and the style sheet shows the one that fits, so text is of
the same size on a telephone and on a wide screen. Colours are custom properties, set by the theme
the reader prefers, or by ``data-theme`` on the root element.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from importlib import resources

from thalweg.report.colours import Theme, style_variables
from thalweg.report.data import figure_data
from thalweg.report.fallback import figure_tables
from thalweg.report.figure import Key, draw, draw_key, legend
from thalweg.report.formulas import formula_html
from thalweg.report.graphs import draw_graph
from thalweg.report.parts import (
    VERDICTS,
    Code,
    Facts,
    Figure,
    Formula,
    LinePanel,
    Page,
    Panel,
    Paragraph,
    Part,
    Section,
    Stepper,
    Table,
    Verdict,
)
from thalweg.report.steppers import last_figure, last_state, room_of, stepper_html
from thalweg.report.svg import Drawing, element

__all__ = ["to_html"]

_PAGE = Theme("page")
# Widths at which panels are drawn, by how many stand side by side on a wide screen.
_WIDTHS = {1: (340, 620, 960), 2: (340, 466), 3: (302,)}
# A sentence longer than this is set smaller, so that it stays one glance.
_LONG = 200


def to_html(page: Page) -> str:
    """A page as the text of one HTML file that needs nothing else."""
    figures = [p for section in page.sections for p in section.parts if isinstance(p, Figure)]
    numbers = {id(figure): index for index, figure in enumerate(figures)}
    sections = [_section(*pair, numbers) for pair in enumerate(page.sections)]
    # A verdict is read first; all else can be chosen among.
    ahead = int(any(isinstance(part, Verdict) for part in page.sections[0].parts))
    body = "".join([*sections[:ahead], _contents(page.sections, ahead), *sections[ahead:]])
    # What moves graphs is left out where there are none to be moved.
    steps = any(isinstance(p, Stepper) for section in page.sections for p in section.parts)
    style = _style() + (_asset("stepper.css") if steps else "")
    script = _asset("page.js") + (_asset("stepper.js") if steps else "")
    data = json.dumps([figure_data(figure) for figure in figures], separators=(",", ":"))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(page.title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
        f'<header><p class="subtitle">{escape(page.subtitle)}</p>'
        f"<h1>{escape(page.title)}</h1></header>\n{body}</main>\n"
        # "<" would let data end the script early.
        f'<script type="application/json" id="data">{data.replace("<", chr(92) + "u003c")}</script>'
        f"\n<script>{script}</script>\n</body>\n</html>\n"
    )


def _asset(name: str) -> str:
    return resources.files("thalweg.report").joinpath(name).read_text("utf-8")


def _style() -> str:
    light = f"{{{style_variables('light')}color-scheme:light}}"
    dark = f"{{{style_variables('dark')}color-scheme:dark}}"
    return (
        f":root{light}@media (prefers-color-scheme:dark){{:root{dark}}}"
        f":root[data-theme=dark]{dark}:root[data-theme=light]{light}"
        f"@media print{{:root,:root[data-theme]{light}}}\n{_asset('page.css')}"
    )


def _contents(sections: Sequence[Section], ahead: int) -> str:
    """Links to all sections but those that stand ahead of them."""
    if len(sections) < 4:
        return ""
    links = "".join(
        f'<li><a href="#{_anchor(section, index)}">{escape(section.heading)}</a></li>'
        for index, section in enumerate(sections)
        if index >= ahead
    )
    return f'<nav aria-label="Contents"><ul>{links}</ul></nav>\n'


def _anchor(section: Section, index: int) -> str:
    return re.sub(r"[^a-z0-9]+", "-", section.heading.lower()).strip("-") or f"section-{index}"


# ------------------------------------------------------------------------------------------- parts


def _section(index: int, section: Section, numbers: dict[int, int]) -> str:
    content = "\n".join(_part(part, section, numbers) for part in section.parts)
    anchor, heading = _anchor(section, index), escape(section.heading)
    if section.folded:
        return (
            f'<section id="{anchor}"><details><summary><h2>{heading}</h2></summary>\n{content}\n'
            "</details></section>\n"
        )
    return f'<section id="{anchor}"><h2>{heading}</h2>\n{content}\n</section>\n'


def _part(part: Part, section: Section, numbers: dict[int, int]) -> str:
    match part:
        case Verdict():
            return _verdict(part)
        case Paragraph():
            return f'<p class="{part.tone}">{escape(part.text)}</p>'
        case Table():
            return _table(part)
        case Figure():
            return _figure(part, numbers[id(part)], part.title == section.heading)
        case Code():
            return f"<pre><code>{escape(part.text)}</code></pre>"
        case Facts():
            rows = "".join(
                f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
                for name, value in part.items
            )
            return f"<dl>{rows}</dl>"
        case Formula():
            return formula_html(part)
        case Stepper():
            return _stepper(part)


def _verdict(part: Verdict) -> str:
    """The first sentence large, what follows it in the size of text."""
    first, _, rest = part.sentence.partition(". ")
    lead = f"{first}." if rest else first
    size = "sentence long" if len(lead) > _LONG else "sentence"
    more = f'<p class="more">{escape(rest)}</p>' if rest else ""
    return (
        f'<div class="verdict {part.kind}"><p class="badge">{VERDICTS[part.kind]}</p>'
        f'<p class="{size}">{escape(lead)}</p>{more}</div>'
    )


def _table(table: Table) -> str:
    head = "".join(
        f'<th scope="col" class="{side}">{escape(name)}</th>'
        for name, side in zip(table.columns, table.sides, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td class="{side}">{_breakable(cell) if side == "l" else escape(cell)}</td>'
            for cell, side in zip(row, table.sides, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    # Outside the table, so that it does not scroll away with a wide one.
    caption = f'<p class="caption">{escape(table.caption)}</p>' if table.caption else ""
    return (
        f'{caption}<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _breakable(cell: str) -> str:
    """A cell whose long words may be broken where ``_`` or ``=`` joins them."""
    words = escape(cell).split(" ")
    return " ".join(re.sub(r"(?<=[_=])(?=\w)", "<wbr>", w) if len(w) > 20 else w for w in words)


# ----------------------------------------------------------------------------------------- figures


def _figure(figure: Figure, number: int, titled: bool) -> str:
    """Caption, legend, panels, and the numbers for those who read them instead."""
    title = "" if titled else f"<strong>{escape(figure.title)}</strong> "
    # A panel alone takes half the page unless it asked for all of it.
    columns = min(figure.columns, max(len(figure.panels), 2), 3)
    panels = "".join(
        f'<div class="panel">{_panel(panel, figure, number, index, columns)}</div>'
        for index, panel in enumerate(figure.panels)
    )
    tables = "".join(map(_table, figure_tables(figure)))
    numbers = (
        f"<details class=numbers><summary>Numbers of this figure</summary>{tables}</details>"
        if tables
        else ""
    )
    return (
        f"<figure><figcaption>{title}{escape(figure.caption)}</figcaption>{_legend(figure)}"
        f'<div class="panels columns-{columns}">{panels}</div>{numbers}</figure>'
    )


def _legend(figure: Figure) -> str:
    entries = "".join(map(_legend_entry, legend(figure)))
    return f'<ul class="legend">{entries}</ul>' if entries else ""


def _legend_entry(key: Key) -> str:
    mark = element(
        "svg",
        draw_key(key, 0, 6, _PAGE),
        width=22,
        height=12,
        viewBox="0 0 22 12",
        aria_hidden="true",
    )
    note = f" <small>{escape(key.note)}</small>" if key.note else ""
    return f'<li data-line="{escape(key.name)}">{mark} <span>{escape(key.name)}{note}</span></li>'


def _panel(panel: Panel, figure: Figure, number: int, index: int, columns: int) -> str:
    widths = _WIDTHS[columns]
    return "".join(
        _svg(draw(panel, width, _PAGE), panel, figure, (number, index), place, len(widths), width)
        for place, width in enumerate(widths)
    )


def _stepper(stepper: Stepper) -> str:
    """A graph that moves; drawn as it is in the end, for paper and where no script runs."""
    figure, widths = last_figure(stepper), _WIDTHS[1]
    last, room = last_state(stepper), room_of(stepper)
    drawings = (
        _svg(draw_graph(last, width, _PAGE, room), last, figure, (0, 0), place, len(widths), width)
        for place, width in enumerate(widths)
    )
    return stepper_html(stepper, "".join(drawings))


def _svg(
    drawing: Drawing,
    panel: Panel,
    figure: Figure,
    address: tuple[int, int],
    place: int,
    variants: int,
    asked: float,
) -> str:
    kind = "lines" if isinstance(panel, LinePanel) else "cells"
    least = f"min-width:{drawing.width:.0f}px;" if drawing.width > asked + 1 else ""
    # Drawn once for many widths, a drawing may be stretched a little, but not until it shouts.
    most = f"max-width:{1.3 * drawing.width:.0f}px"
    read = {}
    if drawing.x and drawing.y and drawing.box:
        read = {
            "data_panel": "{}.{}".format(*address),
            "data_box": " ".join(f"{edge:.1f}" for edge in drawing.box),
            "data_x": " ".join(map(str, drawing.x)),
            "data_y": " ".join(map(str, drawing.y)),
        }
    return element(
        "svg",
        f"<desc>{escape(figure.caption)}</desc>{drawing.body}",
        class_=f"{kind} of-{variants} v{place}",
        role="img",
        # A title element would pop up over the read-outs; a label is heard and not seen.
        aria_label=f"{figure.title}: {panel.title}" if panel.title else figure.title,
        viewBox=f"0 0 {drawing.width:.1f} {drawing.height:.1f}",
        style=f"{least}{most}",
        **read,
    )
