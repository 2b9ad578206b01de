"""The worked examples of the documentation: every one is there, and comes out as its page says."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from thalweg.cli.app import app

WORKED = Path(__file__).parents[2] / "docs" / "worked"
PAGES = sorted(path for path in WORKED.glob("*.md") if path.name != "README.md")
EXAMPLES = 97
HEADING = re.compile(r"^## (\d+)\. (.+)\n\n\*\*(.+?)\.\*\*", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_computes(page: Path) -> None:
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert (failed, tried > 5) == (0, True)


def commands() -> list:
    return [
        pytest.param(line, id=f"{page.stem}-{number}")
        for page in PAGES
        for number, line in enumerate(re.findall(r"^thalweg .+$", page.read_text("utf-8"), re.M))
    ]


@pytest.mark.parametrize("line", commands())
def test_commands(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, shlex.split(line)[1:])
    assert result.exit_code == 0, result.output
    assert len(result.stdout) > 200


def anchor(heading: str) -> str:
    """What GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_list_names_every_example_and_its_verdict() -> None:
    listed = re.findall(
        r"^\| (\d+) \| \[(.+)\]\((.+\.md)#(.+)\) \| (.+) \|$",
        (WORKED / "README.md").read_text("utf-8"),
        re.MULTILINE,
    )
    found = [
        (number, title, page.name, anchor(f"{number}. {title}"), verdict)
        for page in PAGES
        for number, title, verdict in HEADING.findall(page.read_text("utf-8"))
    ]
    assert listed == sorted(found, key=lambda row: int(row[0]))
    assert [int(number) for number, *_ in listed] == list(range(1, EXAMPLES + 1))
