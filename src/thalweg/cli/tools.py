"""The tools there are, found in the source text as parts are, and the page of each.

A *tool* is a public function or class of a module in ``thalweg.catalogue.tools.TOOLS``. Its page is
its signature and its docstring; of a class also its public methods with their first lines.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from thalweg.catalogue.tools import TOOLS
from thalweg.cli.names import MEANING, PACKAGE

__all__ = ["Tool", "Tools", "broken", "pieces", "tools", "tools_by_name"]

HEADINGS = ("Args:", "Returns:", "Raises:")
EXAMPLE = re.compile(r"^(?:Example:\n|(?=>>> ))", re.MULTILINE)


@dataclass(frozen=True)
class Tool:
    """One function or class.

    Args:
        name: in Python.
        group: name of its group.
        module: where it is imported from.
        signature: its name with its arguments.
        summary: what it gives, in one line.
        text: the rest of its docstring, but the example.
        example: lines of Python; empty where there is none.
        methods: of a class, signatures and first lines.
    """

    name: str
    group: str
    module: str
    signature: str
    summary: str
    text: str
    example: str
    methods: tuple[tuple[str, str], ...]

    def listed(self) -> dict[str, str]:
        """As it is listed in JSON."""
        return {"name": self.name, "signature": self.signature, "summary": self.summary}

    def page(self, width: int) -> str:
        """As a page of text."""
        text = "\n".join(_wrapped(self.text.replace("``", "`"), width)).rstrip()
        methods = [_entry(*method, width) for method in self.methods]
        example = textwrap.indent(self.example, "  ")
        blocks = [
            f"{self.name} · {self.group}",
            textwrap.fill(self.summary.replace("``", "`"), width),
            self._call(width - 2),
            text,
            "\n".join(["Methods", *methods]) if methods else "",
            f"Example\n{example}" if example else "",
        ]
        return "\n\n".join(block for block in blocks if block) + "\n"

    def _call(self, width: int) -> str:
        path = f"from {self.module} import {self.name}"
        return "\n".join(map(_indented, (path, "", *broken(self.signature, width))))


@dataclass(frozen=True)
class Tools:
    """What the tools of a group are, in a few words, and the tools in their order."""

    meaning: str
    tools: tuple[Tool, ...]


def tools() -> dict[str, Tools]:
    """All groups and their tools."""
    return {group: _group(group, module) for group, module in TOOLS.items()}


def tools_by_name(groups: dict[str, Tools]) -> dict[str, Tool]:
    """Every tool by its name, and by that of its group with it, which is never a part's too."""
    found = [tool for held in groups.values() for tool in held.tools]
    return {
        **{tool.name: tool for tool in reversed(found)},
        **{f"{tool.group}.{tool.name}": tool for tool in found},
    }


def broken(signature: str, width: int) -> list[str]:
    """A signature in lines, one for each argument where one line is too short."""
    if len(signature) <= width:
        return [signature]
    start = signature.index("(")
    end = signature.rindex(")", 0, signature.rindex(" -> ") if " -> " in signature else None)
    return [
        signature[: start + 1],
        *(f"    {argument}," for argument in _split(signature[start + 1 : end])),
        signature[end:],
    ]


def _split(arguments: str) -> Iterator[str]:
    """Arguments apart, at commas outside brackets."""
    depth, start = 0, 0
    for place, letter in enumerate(arguments):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            yield arguments[start:place].strip()
            start = place + 1
    yield arguments[start:].strip()


# ------------------------------------------------------------------------------------------ source


def _group(group: str, module: str) -> Tools:
    place = PACKAGE.joinpath(*module.split(".")[1:])
    files = sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    texts = [file.read_text(encoding="utf-8") for file in files]
    trees = [ast.parse(text) for text in texts]
    meaning = MEANING.match(texts[0])
    defined = {
        node.name: node
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    listed = [name for name in _listed(trees[0]) if name in defined]
    found = (_tool(defined[name], group, module) for name in listed)
    return Tools(" ".join(meaning[1].split()) if meaning else "", tuple(found))


def _listed(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    raise LookupError("a module of tools lists them in __all__")


def _tool(node: ast.FunctionDef | ast.ClassDef, group: str, module: str) -> Tool:
    summary, _, rest = (ast.get_docstring(node) or "").partition("\n")
    text, *example = EXAMPLE.split(rest, maxsplit=1)
    methods: tuple[tuple[str, str], ...] = ()
    if isinstance(node, ast.ClassDef):
        public = (held for held in node.body if isinstance(held, ast.FunctionDef))
        methods = tuple(
            (_signature(held), (ast.get_docstring(held) or "").partition("\n")[0])
            for held in public
            if not held.name.startswith("_")
        )
    return Tool(
        node.name,
        group,
        module,
        _signature(node),
        summary,
        text.strip(),
        inspect.cleandoc("\n" + example[0]) if example else "",
        methods,
    )


def _signature(node: ast.FunctionDef | ast.ClassDef) -> str:
    if isinstance(node, ast.ClassDef):
        fields = (held for held in node.body if isinstance(held, ast.AnnAssign))
        return f"{node.name}({', '.join(map(ast.unparse, fields))})"
    inside = ast.unparse(node.args)
    if any(ast.unparse(mark) == "property" for mark in node.decorator_list):
        return node.name
    inside = re.sub(r"^(?:self|cls)(?:, )?", "", inside)
    inside = re.sub(r"(?<=[\w\]])=", " = ", inside)
    given = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({inside}){given}"


# -------------------------------------------------------------------------------------------- text


def _indented(line: str) -> str:
    return f"  {line}".rstrip()


def _entry(name: str, text: str, width: int) -> str:
    lines = textwrap.wrap(text.replace("``", "`"), width - 4)
    return "\n".join([*map(_indented, broken(name, width - 2)), *(f"    {it}" for it in lines)])


def _wrapped(text: str, width: int) -> Iterator[str]:
    """A docstring's text in lines: prose filled again, formulas as they stand."""
    for kind, held in pieces(text):
        if kind == "formula":
            yield textwrap.indent(held, "  ") + "\n"
            continue
        margin = "  " * (kind == "entry")
        yield from textwrap.wrap(
            held,
            width,
            initial_indent=margin,
            subsequent_indent=margin * 2,
            break_on_hyphens=False,
            break_long_words=False,
        )
        if kind == "end":
            yield ""


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """A docstring's text taken apart: prose, formulas (after ``::``), headings and entries."""
    formula = False
    for block in text.split("\n\n") if text else ():
        formula = formula and block.startswith(" ")
        if formula:
            yield "formula", textwrap.dedent(block)
        else:
            for lines in _items(block):
                entry = "entry" if lines[0].startswith(" ") else "prose"
                kind = "heading" if lines[0] in HEADINGS else entry
                yield kind, " ".join(line.strip() for line in lines).replace("::", ":")
            yield "end", ""
        formula = formula or block.endswith("::")


def _items(block: str) -> Iterator[list[str]]:
    """Lines that are filled together: a paragraph, a heading, or one entry below a heading."""
    held: list[str] = []
    for line in block.splitlines():
        if held and (held[0] in HEADINGS or re.match(r" {4}[\w, *]+: ", line)):
            yield held
            held = []
        held.append(line)
    yield held
