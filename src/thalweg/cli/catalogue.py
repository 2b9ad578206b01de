"""What ``list``, ``show``, ``schema`` and ``data`` do; each imports what it needs when it runs."""

from __future__ import annotations

import json as json_
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thalweg.cli import output
from thalweg.cli.names import families
from thalweg.cli.tools import tools, tools_by_name
from thalweg.errors import SpecError

if TYPE_CHECKING:
    from thalweg.data.inventory import Entry

__all__ = ["fetch_data", "list_data", "list_parts", "print_schema", "show_part"]


def list_parts(family: str, *, table: bool = False, json: bool) -> None:
    """Print the families and the tools beside them, or those of one name with their first lines.

    Args:
        family: name of a family, or of a group of tools.
        table: whether to compare what optimizers do and cost.
    """
    known, groups = families(), tools()
    if family and family not in {**known, **groups}:
        from thalweg.part import nearest

        raise SpecError(f"there is no family {family!r}{nearest(family, [*known, *groups])}")
    if table and family != "optimizers":
        raise SpecError("--table is for optimizers: `thalweg list optimizers --table`")
    if family:
        known = {name: held for name, held in known.items() if name == family}
        groups = {name: held for name, held in groups.items() if name == family}
    rows = None
    if table:
        from thalweg.cli.optimizers import compared
        from thalweg.spec.families import FAMILIES, members

        rows = compared(members(FAMILIES[family]))
    if json:
        listed = {name: [part._asdict() for part in held.parts] for name, held in known.items()}
        beside = {name: [tool.listed() for tool in held.tools] for name, held in groups.items()}
        output.emit({"families": listed, "tools": beside, "table": rows})
    elif rows is not None:
        from thalweg.cli.optimizers import table_text

        output.say(table_text(rows, output.width()))
    elif family:
        parts = [(part.name, part.summary) for held in known.values() for part in held.parts]
        parts += [(tool.name, tool.summary) for held in groups.values() for tool in held.tools]
        output.say(output.lines(parts, output.width()))
    else:
        for name, held in known.items():
            _say_names(name, held.meaning, (part.name for part in held.parts))
        output.say()
        output.note("Tools, which no spec names: functions and models to import in Python.")
        for name, held in groups.items():
            _say_names(name, held.meaning, (tool.name for tool in held.tools))


def _say_names(title: str, meaning: str, names: Iterable[str]) -> None:
    titled = f"{title}: {meaning}"
    output.say(titled if len(titled) <= output.width() else title)
    output.say(output.paragraph(", ".join(names), output.width(), "    "))


def show_part(
    name: str, *, svg: Path | None = None, cost: bool = False, json: bool = False
) -> None:
    """Print the card of a part, asked for by its name in spec files or in Python, or of a tool.

    Args:
        svg: where to draw an activation or a schedule.
        cost: whether to measure what it costs.
        json: whether to print data.
    """
    from thalweg.catalogue.card import card, render_text
    from thalweg.cli.wording import toml_of
    from thalweg.spec.families import FAMILIES, members

    known: dict[str, tuple[Any, str]] = {}
    for family in FAMILIES.values():
        for part, cls in members(family).items():
            known[part] = known[cls.__name__] = cls, family.name
    beside = tools_by_name(tools())
    if name not in {**known, **beside}:
        raise SpecError(f"there is no part {name!r}{_alternatives(name, [*known, *beside])}")
    if name not in known and (svg is not None or cost):
        raise SpecError(_undrawn(name))
    if name not in known:
        tool = beside[name]
        output.emit(tool) if json else output.say(tool.page(output.width()))
        return
    found, toml = card(*known[name]), toml_of(*known[name])
    more = None
    if found.family == "activations":
        from thalweg.cli.activations import study

        more = study(found.name, known[name][0](), cost=cost)
    elif found.family == "schedules" and not cost:
        from thalweg.cli.schedules import course

        more = course(found.name, known[name][0]())
    elif svg is not None or cost:
        raise SpecError(_undrawn(name))
    if more and svg is not None:
        drawing = more.drawing()
        with output.writing(svg):
            svg.write_text(drawing, encoding="utf-8")
    if json:
        computed = more.data() if more else {"properties": None, "curve": None, "cost": None}
        output.emit({**output.plain(found), "toml": toml, **computed, "svg": svg})
        return
    output.say(render_text(found, output.width()))
    if toml:
        output.say("In a spec\n" + textwrap.indent(toml, "  "))
    if more:
        output.say(more.text(output.width()))
    if svg is not None:
        output.say(f"\ndrawn in {svg}")


def _undrawn(name: str) -> str:
    return f"--svg is for activations and schedules, --cost for activations; {name} is none"


def _alternatives(name: str, known: Iterable[str]) -> str:
    """The nearest part; naming all of them would help nobody."""
    from thalweg.part import nearest

    tail = nearest(name.lower(), [part for part in known if part.islower()])
    return tail if "did you mean" in tail else "; `thalweg list` names all there are"


def print_schema() -> None:
    """Print the JSON Schema of spec files."""
    from thalweg.spec.schema import json_schema

    output.say(json_.dumps(json_schema(), indent=2, ensure_ascii=False))


def list_data(*, json: bool) -> None:
    """Print every data source with what is known of it."""
    from thalweg.data import inventory

    found = inventory()
    if json:
        output.emit({"data": found})
        return
    output.say(output.entries(((entry.name, _words(entry)) for entry in found), output.width()))


def _words(entry: Entry) -> str:
    facts = [entry.task] if entry.task else []
    if entry.rows is not None:
        facts.append(f"{entry.rows:,} × {entry.features}")
    facts.append(f"licence: {entry.licence}")
    state = "" if entry.available == "yes" else f" Available: {entry.available}."
    return f"{entry.summary} ({'; '.join(facts)}){state}"


def fetch_data(name: str, folder: Path | None, *, json: bool) -> None:
    """Download a data set."""
    from thalweg.data import fetch

    if name != "mnist":
        raise SpecError(f"only mnist can be fetched, got {name!r}; see `thalweg data list`")
    with output.writing((folder or fetch.data_folder() / name) / "any") as file:
        there = fetch.fetch_mnist(file.parent, _shown)
    if json:
        output.emit({"name": name, "folder": there})
    else:
        output.say(f"MNIST is in {there}")


def _shown(name: str, size: int, total: int) -> None:
    """Show how much of a file has come: over and over on a terminal, else once."""
    text = f"{name}  {size / 1e6:.1f} of {total / 1e6:.1f} MB"
    if output.takes_control_codes(sys.stderr):
        print(f"\r{text}", end="\n" if size == total else "", file=sys.stderr, flush=True)
    elif size == total:
        print(text, file=sys.stderr)
