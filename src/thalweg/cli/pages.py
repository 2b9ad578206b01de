"""The pages of ``docs/catalogue``, made from the cards: ``python -m thalweg.cli.pages FOLDER``.

``pages`` is what the folder should hold, by path: one page per family, the pictures of the
activations and schedules, one page per group of tools, and an index.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from thalweg.catalogue.card import Card, CardField, card, short_number
from thalweg.cli.activations import COLUMNS, Study, study
from thalweg.cli.names import families
from thalweg.cli.schedules import course
from thalweg.cli.tools import Tools, broken, pieces, tools
from thalweg.cli.wording import toml_of
from thalweg.spec.families import FAMILIES, Family, members

__all__ = ["pages", "write"]

INTRODUCTION = """\
# The catalogue

One page per family of parts, made from what the parts say of themselves; `thalweg show PART`
prints the same. Numbers may differ between the runs of one compiled program, and may be lists or
ranges in a spec; choices change the program.

"""

TOOLS_INTRODUCTION = """
## Tools

Functions and models that no spec names, to look and compare with in Python.

"""


def pages() -> dict[str, str]:
    """Texts by path, relative to the folder of the catalogue."""
    listed = families()
    made = {"README.md": INTRODUCTION}
    for name, family in FAMILIES.items():
        meaning = listed[name].meaning
        made["README.md"] += f"- [{_title(name)}]({name}.md): {meaning}\n"
        parts = dict(sorted(members(family).items()))
        studies: dict[str, Study] = {}
        courses = {part: course(part, cls()) for part, cls in parts.items() if name == "schedules"}
        made |= {f"pictures/{part}.svg": f"{held.drawing()}\n" for part, held in courses.items()}
        if name == "activations":
            studies = {part: study(part, cls(), cost=False) for part, cls in parts.items()}
            alone = {part: found for part, found in studies.items() if found.curve}
            made |= {
                f"pictures/{part}.svg": f"{found.drawing()}\n" for part, found in alone.items()
            }
        drawn = {part: f"{part} and its derivative" for part, held in studies.items() if held.curve}
        drawn |= {part: f"{part}, step by step" for part in courses}
        made[f"{name}.md"] = _page(name, family, parts, meaning, studies, drawn)
    made["README.md"] += TOOLS_INTRODUCTION
    for name, group in tools().items():
        made["README.md"] += f"- [{_title(name)}]({name}.md): {group.meaning}\n"
        made[f"{name}.md"] = _tools_page(name, group)
    return made


def write(folder: Path) -> None:
    """Bring a folder to what ``pages`` says; pages of what is gone are removed."""
    made = pages()
    for path in [*folder.glob("*.md"), *folder.glob("pictures/*.svg")]:
        if path.relative_to(folder).as_posix() not in made:
            path.unlink()
    for path, text in made.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


# ------------------------------------------------------------------------------------------- pages


def _page(
    name: str,
    family: Family,
    parts: dict[str, type],
    meaning: str,
    studies: dict[str, Study],
    drawn: dict[str, str],
) -> str:
    cards = {part: card(cls, name) for part, cls in parts.items()}
    protocol = inspect.getdoc(family.protocol) or ""
    rows = ((f"[`{part}`](#{part})", _prose(found.summary)) for part, found in cards.items())
    blocks = [
        f"# {_title(name)}",
        f"{meaning[0].upper()}{meaning[1:]}.",
        "## What all of them keep",
        _prose(protocol),
        "## Parts",
        _table(("part", "what it does"), rows),
    ]
    if studies:
        rows = (
            [f"[`{part}`](#{part})", *map(_cell, found.row())]
            for part, found in studies.items()
            if found.properties
        )
        blocks += ["Computed of each, for the defaults of its numbers:", _table(COLUMNS, rows)]
    for part, cls in parts.items():
        blocks += _entry(cards[part], toml_of(cls, name), drawn.get(part, ""))
    return "\n\n".join(blocks) + "\n"


def _entry(card: Card, toml: str, picture: str) -> Iterator[str]:
    """The blocks of one part."""
    yield f"## {card.name}"
    yield f"`{card.class_name}`. {_prose(card.summary)}"
    if picture:
        yield f"![{picture}](pictures/{card.name}.svg)"
    if "Formula" in card.sections:
        yield _code("text", card.sections["Formula"])
    if card.fields:
        columns = ("field", "", "meaning", "allowed", "default", "searched in")
        yield _table(columns, map(_field, card.fields))
    for heading in ("Shapes", "Watch for", "Source"):
        if heading in card.sections:
            yield f"**{heading}.** {_prose(card.sections[heading])}"
    if "Example" in card.sections:
        yield _code("python", card.sections["Example"])
    if toml:
        yield _code("toml", toml)


def _tools_page(name: str, group: Tools) -> str:
    rows = ((f"[`{tool.name}`](#{tool.name})", _cell(_prose(tool.summary))) for tool in group.tools)
    blocks = [
        f"# {_title(name)}",
        f"{group.meaning[0].upper()}{group.meaning[1:]}.",
        _table(("tool", "what it gives"), rows),
    ]
    for tool in group.tools:
        call = "\n".join(broken(tool.signature, 88))
        blocks += [
            f"## {tool.name}",
            _prose(tool.summary),
            _code("python", f"from {tool.module} import {tool.name}\n\n{call}"),
            *_text(tool.text),
        ]
        if tool.methods:
            told = (f"- `{signature}`: {_prose(says)}" for signature, says in tool.methods)
            blocks += ["**Methods.**", "\n".join(told)]
        if tool.example:
            blocks.append(_code("python", tool.example))
    return "\n\n".join(blocks) + "\n"


def _text(text: str) -> Iterator[str]:
    """The blocks of a docstring: formulas as code, arguments as a list."""
    entries: list[str] = []
    for kind, held in pieces(text):
        if kind == "entry":
            entries.append(f"- {_prose(held)}")
            continue
        if entries:
            yield "\n".join(entries)
            entries = []
        if kind == "formula":
            yield _code("text", held)
        elif kind != "end":
            yield f"**{held[:-1]}.**" if kind == "heading" else _prose(held)


def _field(field: CardField) -> tuple[str, ...]:
    search = ""
    if field.search is not None:
        low, high = map(short_number, field.search)
        search = f"{low}..{high} {field.scale}"
    unit = f", in {field.unit}" if field.unit else ""
    default = "required" if field.default is None else f"`{field.default}`"
    return (
        f"`{field.name}`",
        field.kind,
        _cell(_prose(field.meaning)),
        _cell(f"{field.allowed}{unit}"),
        _cell(default),
        search,
    )


# ---------------------------------------------------------------------------------------- Markdown


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _prose(text: str) -> str:
    """A text of a docstring as Markdown: code in single quotes, everything else as it stands."""
    pieces = re.split(r"``(.+?)``", text)
    plain = [re.sub(r"([*_<|])", r"\\\1", piece) for piece in pieces[::2]]
    code = [f"`{piece}`" for piece in pieces[1::2]]
    return "".join(piece for pair in zip(plain, [*code, ""], strict=True) for piece in pair)


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", text)


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = tuple(columns)
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
