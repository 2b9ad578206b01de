"""Lines of mathematics: as MathML, which browsers show by themselves, as Markdown, and as text."""

from __future__ import annotations

import textwrap
import xml.etree.ElementTree as ElementTree
from html import escape

from thalweg.report.parts import Formula

__all__ = ["formula_html", "formula_lines", "formula_markdown", "mathml"]

_XMLNS = "http://www.w3.org/1998/Math/MathML"
_WRONG = "does not hold"
# How many parts an element has to have.
_PARTS = {"mfrac": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "msubsup": 3, "munderover": 3}


def mathml(latex: str) -> str:
    """LaTeX as a MathML element.

    Raises:
        ValueError: if it is no LaTeX, or more than mathematics.
    """
    # Imported where a page has formulas: few have.
    from latex2mathml import converter, exceptions

    refusals: list[type[Exception]] = [
        ElementTree.ParseError,
        LookupError,
        StopIteration,
        ValueError,
    ]
    refusals += [kind for kind in vars(exceptions).values() if isinstance(kind, type)]
    try:
        found = converter.convert(latex, display="block")
        root = ElementTree.fromstring(found)
    except tuple(refusals) as error:
        raise ValueError(f"this is no LaTeX that can be shown: {latex}") from error
    # What is not known is passed through: commands as their names, elements in text as elements.
    if "\\" in found or not all(_is_mathematics(element) for element in root.iter()):
        raise ValueError(f"this is no LaTeX that can be shown: {latex}")
    return found.replace(f' xmlns="{_XMLNS}"', "")


def _is_mathematics(element: ElementTree.Element) -> bool:
    """Whether an element is one of mathematics, whole, and does nothing but stand there."""
    name = element.tag.removeprefix(f"{{{_XMLNS}}}")
    whole = len(element) == _PARTS.get(name, len(element))
    return (
        name[0] == "m" and whole and not any(k == "href" or k[:2] == "on" for k in element.attrib)
    )


def formula_html(formula: Formula) -> str:
    """A line with what follows from what beside it."""
    said = [f'<p class="verdict-of">✗ {_WRONG}</p>'] if formula.wrong else []
    if formula.reason:
        said.append(f"<p>{escape(formula.reason)}</p>")
    if formula.checked:
        mark = "" if formula.wrong else "✓ "
        said.append(f'<p class="checked">{mark}{escape(formula.checked)}</p>')
    kind = "formula wrong" if formula.wrong else "formula"
    return f'<div class="{kind}">{mathml(formula.latex)}<div>{"".join(said)}</div></div>'


def formula_markdown(formula: Formula) -> str:
    """A line as mathematics of GitHub Markdown, and what is said of it."""
    said = _said(formula)
    return "\n\n".join([f"$$\n{formula.latex}\n$$", *([f"*{said}*"] if said else [])])


def formula_lines(formula: Formula, width: int) -> str:
    """A line in Unicode, and under it what is said of it."""
    mark = "✗ " if formula.wrong else "  "
    lines = textwrap.wrap(formula.text, width, initial_indent=mark, subsequent_indent="      ")
    indent = " " * 6
    said = textwrap.wrap(_said(formula), width, initial_indent=indent, subsequent_indent=indent)
    return "\n".join([*lines, *said])


def _said(formula: Formula) -> str:
    """What is said of a formula, in one line."""
    checked = formula.checked and f"checked: {formula.checked}"
    said = _WRONG * formula.wrong, formula.reason.removesuffix("."), checked
    return "; ".join(filter(None, said))
