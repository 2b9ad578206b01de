"""Lines of mathematics: as MathML, Markdown and text, and what cannot be shown refused."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from thalweg.report import to_html, to_markdown, to_text
from thalweg.report.formulas import mathml
from thalweg.report.parts import Formula, Page, Section

RIGHT = Formula(
    r"\frac{\partial f}{\partial w} = 2w\cos(w^2)",
    "∂f/∂w = 2w cos(w²)",
    "The chain rule.",
    "largest difference 2e-16 at 20 points",
)
WRONG = Formula(r"\hat m < w_i", "m̂ < wᵢ", "As <the source> has it.", "differs by 3", wrong=True)
PAGE = Page("Derivation", (Section("Lines", (Formula("f(w)", "f(w)"), RIGHT, WRONG)),))


def test_latex_becomes_mathml() -> None:
    root = ElementTree.fromstring(mathml(RIGHT.latex))
    assert root.tag == "math"
    assert root.get("display") == "block"
    assert [element.tag for element in root.iter()].count("mfrac") == 1
    assert "".join(root.itertext()) == "∂f∂w=2wcos(w2)"


@pytest.mark.parametrize(
    "latex",
    [
        r"\frac{a",
        r"\left( x",
        "x^",
        "",
        "x_a_b",
        r"\unknowncommand x",
        "a & b",
        r"\begin{bmatrix}1",
        r"\color%$\limits\sum\frac'",
        r"1\begin{bmatrix}\end{bmatrix}\hspace{}",
        r"\sqrt^\begin",
        r"\text{<b>bold</b>}",
        r"\text{<script>alert(1)</script>}",
        "\\text{<mi\tonclick='alert(1)'>x</mi>}",
        "\\text{<mi\thref='javascript:alert(1)'>x</mi>}",
    ],
)
def test_what_is_no_mathematics_is_refused_in_a_sentence(latex: str) -> None:
    with pytest.raises(ValueError, match="this is no LaTeX that can be shown: "):
        mathml(latex)


def test_a_page_says_what_holds_why_and_what_does_not() -> None:
    html = to_html(PAGE)
    assert html.count('<math display="block">') == 3
    assert "<p>The chain rule.</p>" in html
    assert "✓ largest difference 2e-16 at 20 points" in html
    before, after = html.split('<div class="formula wrong">')
    assert "does not hold" not in before
    assert "✗ does not hold" in after
    assert "As &lt;the source&gt; has it." in after
    assert "✓" not in after


def test_markdown_has_mathematics_of_its_own() -> None:
    text = to_markdown(PAGE)
    assert f"$$\n{RIGHT.latex}\n$$\n\n*The chain rule; checked: largest difference" in text
    assert "*does not hold; As <the source> has it; checked: differs by 3*" in text


def test_text_marks_what_does_not_hold() -> None:
    assert to_text(PAGE, 40).split("─────\n\n")[1] == (
        "  f(w)\n"
        "\n"
        "  ∂f/∂w = 2w cos(w²)\n"
        "      The chain rule; checked: largest\n"
        "      difference 2e-16 at 20 points\n"
        "\n"
        "✗ m̂ < wᵢ\n"
        "      does not hold; As <the source> has\n"
        "      it; checked: differs by 3\n"
    )
