"""The same parts as HTML, text and Markdown."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import pytest

from thalweg.report import build, to_html, to_markdown, to_text
from thalweg.report.parts import (
    Axis,
    Code,
    Facts,
    Figure,
    HeatCell,
    HeatPanel,
    IntervalPanel,
    IntervalRow,
    Line,
    LinePanel,
    Page,
    Paragraph,
    Section,
    Table,
    Verdict,
)

GOLDEN = Path(__file__).parent / "golden"
VOID = {"meta", "br", "hr", "img", "input", "link", "wbr"}

SMALL = Page(
    "Which is best?",
    (
        Section(
            "Verdict",
            (
                Verdict("adam is better than sgd by 0.01. sgd diverged once.", "better"),
                Paragraph("2 levels of optimizer."),
                Paragraph("Budgets differ.", "warning"),
            ),
        ),
        Section(
            "Ranking",
            (
                Figure(
                    "Ranking",
                    "Mean and interval.",
                    (
                        IntervalPanel(
                            "",
                            Axis("test.accuracy"),
                            (
                                IntervalRow("adam", 0.97, 0.96, 0.98, (0.95, 0.97, 0.99), 0.97),
                                IntervalRow("sgd", 0.95, 0.94, 0.96, (0.93, 0.96), 0.95),
                            ),
                        ),
                    ),
                ),
                Table(("", "optimizer", "mean"), (("1", "adam", "0.970"), ("2", "sgd", "0.950")),
                      "rlr", "Best first"),
            ),
        ),
        Section(
            "Curves",
            (
                Figure(
                    "Loss",
                    "Falls.",
                    (
                        LinePanel(
                            "Train loss",
                            Axis("steps"),
                            Axis(),
                            (
                                Line("adam", (0.0, 10.0), (1.0, 0.5), (0.9, 0.4), (1.1, 0.6)),
                                Line("s<g>d", (0.0, 10.0), (1.0, 0.7), crosses=((5.0, 2.0),)),
                            ),
                        ),
                    ),
                ),
                Figure(
                    "Heat",
                    "Bright is good.",
                    (
                        HeatPanel(
                            "",
                            ("adam", "sgd"),
                            ("0.1", "1"),
                            ((HeatCell(0.9, 3, 0, True), None), (HeatCell(0.8, 3, 1), None)),
                            "optimizer",
                            "learning rate",
                            "median accuracy",
                        ),
                    ),
                ),
            ),
        ),
        Section(
            "Reproduce it",
            (Facts((("device", "cpu"), ("cores", "2"))), Code("[data]\nmoons = {}", "toml")),
            folded=True,
        ),
    ),
    "experiment 0123",
)  # fmt: skip


class Balanced(HTMLParser):
    """Fails on a tag that closes what is not open; remembers ids, addresses and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.counts: dict[str, int] = {}

    def handle_starttag(self, tag, attrs) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src", "xlink:href", "action"):
                self.addresses.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag


def parsed(html: str) -> Balanced:
    reader = Balanced()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


@pytest.mark.parametrize(("render", "name"), [(to_text, "small.txt"), (to_markdown, "small.md")])
def test_golden(render, name: str) -> None:
    assert render(SMALL) == (GOLDEN / name).read_text("utf-8")


def test_golden_of_a_built_page(make) -> None:
    page = build(*make(["adam", "momentum", "sgd"], 12, diverged=lambda r, s: r == 2 and s < 2))
    assert to_text(page) == (GOLDEN / "built.txt").read_text("utf-8")


# ------------------------------------------------------------------------------------------- HTML


def test_html_is_balanced_and_fetches_nothing(page) -> None:
    html = to_html(page)
    reader = parsed(html)
    assert len(set(reader.ids)) == len(reader.ids)
    assert reader.counts["h1"] == 1
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in reader.addresses)
    assert {a[1:] for a in reader.addresses if a[0] == "#"} <= set(reader.ids)
    assert set(re.findall(r"https?://[\w./]+", html)) == {"http://www.w3.org/2000/svg"}
    assert "@import" not in html
    assert "url(" not in html
    assert len(html) < 1_500_000


def test_every_drawing_in_the_page_is_xml_with_a_name(page) -> None:
    html = to_html(page)
    drawings = re.findall(r'<svg class="(?:lines|cells).*?</svg>(?=</div>|<svg class)', html, re.S)
    assert len(drawings) > 40
    for drawing in drawings:
        root = ElementTree.fromstring(drawing)
        assert root.get("role") == "img"
        assert root.get("aria-label")
        assert root.find("desc").text


def test_the_data_in_the_page_are_those_of_the_figures(page) -> None:
    html = to_html(page)
    text = re.search(r'id="data">(.*?)</script>', html, re.S)[1]

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    data = json.loads(text, parse_constant=refuse)
    figures = [p for s in page.sections for p in s.parts if isinstance(p, Figure)]
    assert [d["title"] for d in data] == [f.title for f in figures]
    index = next(i for i, f in enumerate(figures) if f.title == "Learning curves")
    line = figures[index].panels[0].lines[0]
    assert data[index]["panels"][0]["lines"][0]["y"] == list(line.y)
    for address in set(re.findall(r'data-panel="(\d+)\.(\d+)"', html)):
        assert data[int(address[0])]["panels"][int(address[1])]["lines"]


def test_a_panel_is_drawn_once_for_each_width(page) -> None:
    html = to_html(page)
    assert len(re.findall('class="cells of-3 v[012]"', html)) == 9  # contexts, ranking, heat
    assert 'class="lines of-1 v0"' in html  # small multiples need no second drawing


def test_both_themes_define_every_colour_that_is_used(page) -> None:
    html = to_html(page)
    style = re.search("<style>(.*?)</style>", html, re.S)[1]
    used = set(re.findall(r"var\((--[\w-]+)\)", html))
    for theme in ("dark", "light"):
        block = re.search(rf":root\[data-theme={theme}\]{{(.*?)}}", style)[1]
        assert used <= set(re.findall(r"(--[\w-]+):", block))
    assert "prefers-color-scheme:dark" in style
    assert "@media print" in style


def test_the_first_sentence_of_a_verdict_is_the_large_one() -> None:
    html = to_html(SMALL)
    assert '<p class="sentence">adam is better than sgd by 0.01.</p>' in html
    assert '<p class="more">sgd diverged once.</p>' in html
    assert "<strong>Ranking</strong>" not in html  # the heading says it already
    assert "<strong>Loss</strong>" in html
    parsed(html)


def test_a_folded_section_is_folded() -> None:
    assert "<details><summary><h2>Reproduce it</h2></summary>" in to_html(SMALL)


# ------------------------------------------------------------------------------- text and Markdown


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_text_keeps_its_width(page, width: int) -> None:
    lines = to_text(page, width).split("Reproduce it")[0].splitlines()
    # A single word may be longer than the line.
    assert max(len(line) for line in lines if " " in line.strip()) <= width
    assert not any(line != line.rstrip() for line in lines)
    assert "\xa0" not in "".join(lines)


def test_text_says_all_that_the_tables_say(page) -> None:
    wide = to_text(page, 200)
    for section in page.sections:
        for part in section.parts:
            if isinstance(part, Table):
                for row in part.rows:
                    assert all(cell.replace("\xa0", " ") in wide for cell in row)


def test_markdown_tables_have_equal_rows(page) -> None:
    for block in to_markdown(page).split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        counts = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
        assert len(counts) <= 1


def test_code_may_contain_fences() -> None:
    code = Code("```\nx\n```")
    text = to_markdown(Page("t", (Section("s", (code,)),)))
    assert "````\n```\nx\n```\n````" in text


def test_a_table_refuses_rows_of_another_length() -> None:
    with pytest.raises(ValueError, match="2 cells per row"):
        Table(("a", "b"), (("1",),))


def test_marks_upon_letters_take_no_room_and_columns_may_be_empty() -> None:
    table = Table(("", "x", ""), (("m̂", "1", ""), ("v", "2", "")), "lrl")
    lines = to_text(Page("Marks", (Section("One", (table,)),))).splitlines()
    first, second = lines[-2:]
    assert (first, second) == ("m̂   1", "v   2")
