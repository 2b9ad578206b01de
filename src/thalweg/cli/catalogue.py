"""What ``list``, ``show``, ``schema`` and ``data`` do."""

from __future__ import annotations

import inspect
import json as json_
import sys
from pathlib import Path
from typing import Any

from thalweg.cli import optimizers, output
from thalweg.data import inventory
from thalweg.data.inventory import Entry
from thalweg.errors import SpecError
from thalweg.part import nearest
from thalweg.spec.families import FAMILIES, members

__all__ = ["fetch_data", "list_data", "list_parts", "print_schema", "show_part"]


def list_parts(family: str, *, table: bool = False, json: bool) -> None:
    """Print the families, or the parts of one with their first lines.

    Args:
        table: whether to compare what optimizers do and cost.
    """
    if family and family not in FAMILIES:
        raise SpecError(f"there is no family {family!r}{nearest(family, FAMILIES)}")
    if table and family != "optimizers":
        raise SpecError("--table is for optimizers: `thalweg list optimizers --table`")
    chosen = {family: FAMILIES[family]} if family else FAMILIES
    listed = {
        name: [
            {"name": part, "class_name": cls.__name__, "summary": _summary(cls)}
            for part, cls in members(found).items()
        ]
        for name, found in chosen.items()
    }
    rows = optimizers.table(members(FAMILIES[family])) if table else None
    if json:
        output.emit({"families": listed, "table": rows})
    elif rows is not None:
        output.say(optimizers.table_text(rows, output.width()))
    elif family:
        parts = ((part["name"], part["summary"]) for part in listed[family])
        output.say(output.entries(parts, output.width()))
    else:
        names = ((n, ", ".join(part["name"] for part in parts)) for n, parts in listed.items())
        output.say(output.entries(names, output.width()))


def _summary(cls: type) -> str:
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def show_part(
    name: str, *, svg: Path | None = None, cost: bool = False, json: bool = False
) -> None:
    """Print the card of a part, asked for by its name in spec files or in Python.

    Args:
        svg: where to draw an activation.
        cost: whether to measure what it costs.
        json: whether to print data.
    """
    from thalweg.catalogue.card import card, render_text

    known: dict[str, tuple[Any, str]] = {}
    for family in FAMILIES.values():
        for part, cls in members(family).items():
            known[part] = known[cls.__name__] = cls, family.name
    if name not in known:
        raise SpecError(f"there is no part {name!r}{_alternatives(name, known)}")
    found = card(*known[name])
    if found.family == "activations":
        from thalweg.cli.activations import study

        more = study(found.name, known[name][0](), svg, cost=cost)
    elif svg is not None or cost:
        raise SpecError(f"--svg and --cost are for activations; {found.name} is none")
    else:
        more = None
    if json:
        nothing = {"properties": None, "curve": None, "cost": None, "svg": None}
        output.emit({**output.plain(found), **(more.data() if more else nothing)})
    else:
        output.say(render_text(found, output.width()).rstrip("\n"))
        if more:
            output.say(more.text(output.width()))


def _alternatives(name: str, known: dict[str, Any]) -> str:
    """The nearest part; naming all of them would help nobody."""
    tail = nearest(name.lower(), [part for part in known if part.islower()])
    return tail if "did you mean" in tail else "; `thalweg list` names all there are"


def print_schema() -> None:
    """Print the JSON Schema of spec files."""
    from thalweg.spec.schema import json_schema

    output.say(json_.dumps(json_schema(), indent=2, ensure_ascii=False))


def list_data(*, json: bool) -> None:
    """Print every data source with what is known of it."""
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
