"""Where in a spec file a key stands, so that errors can name the line.

``tomllib`` forgets lines, and no well-kept TOML library hands them out, so this finds them by
reading the text a second time. It is asked only about valid TOML and never decides what it means.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import TypeAlias

__all__ = ["Path_", "Places", "parts_of_key"]

# From the top of a spec to a value: names of keys, and positions in lists.
Path_: TypeAlias = tuple[str | int, ...]

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'  # texts over several lines may end in quotes of their own
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'"
    r"|\#[^\n]*"
    r"|\n|\[\[|\]\]|[\[\]{},=]"
    r"|[^\s\[\]{},=\#\"']+",
    re.DOTALL,
)


class Places:
    """The places of the keys of one file.

    Args:
        name: name of the file, for messages; empty where the data come from none.
        text: its text, valid TOML.
    """

    def __init__(self, name: str, text: str = "") -> None:
        self.name = name
        self._at = {path: f"{name}:{line}: " for path, line in _Scan(text).lines.items()}
        # What was laid over the file later, by the path it was given for.
        self._laid: list[tuple[Path_, str]] = []

    def of(self, path: Path_) -> str:
        """``file:line: `` of a path, or of the closest path around it that has a line."""
        fitting = [(len(laid), place) for laid, place in self._laid if _leads_to(laid, path)]
        if fitting:
            return max(fitting, key=lambda found: found[0])[1]
        for end in range(len(path), 0, -1):
            if path[:end] in self._at:
                return self._at[path[:end]]
        return f"{self.name}: " if self.name else ""

    def override(self, path: Path_, place: str) -> None:
        """Name the place of what was laid over a path."""
        self._laid.append((path, f"{place}: "))

    def under(self, prefix: Path_) -> Places:
        """The places for a spec over which the table at ``prefix`` was laid."""
        made = Places(self.name)
        made._at, made._laid = self._at, list(self._laid)
        whole = self.of(prefix) if self.name else f"{prefix[0]} {int(prefix[1]) + 1}: "
        made._laid.append(((), whole))
        inner = ((p[len(prefix) :], at) for p, at in self._at.items() if p[: len(prefix)] == prefix)
        made._laid.extend((path, at) for path, at in inner if path)
        return made


def parts_of_key(dotted: str) -> list[str]:
    """The names of a dotted key, quotes removed; the TOML reader itself splits them."""
    names, table = [], tomllib.loads(f"{dotted} = 0")
    while isinstance(table, dict):
        ((name, table),) = table.items()
        names.append(name)
    return names


def _leads_to(laid: Path_, path: Path_) -> bool:
    """Whether a path, written without the names of parts in between, leads to another or by it."""
    steps = iter(path)
    return all(any(step == other for other in steps) for step in laid)


class _Scan:
    """One pass over the tokens of a valid TOML text; ``lines`` is what it finds."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path_, int] = {}
        self._counts: dict[Path_, int] = {}
        self._tokens = _tokens(text)
        self._advance()
        table: Path_ = ()
        while self._token:
            if self._token in ("[", "[["):
                array, line = self._token == "[[", self._line
                self._advance()
                table = self._numbered(parts_of_key(self._until("]", "]]")), array)
                for end in range(1, len(table) + 1):
                    self.lines.setdefault(table[:end], line)
                self._advance()
            elif self._token == "\n":
                self._advance()
            else:
                self._pair(table)

    def _advance(self) -> None:
        self._token, self._line = next(self._tokens, ("", 0))

    def _until(self, *ends: str) -> str:
        taken = []
        while self._token and self._token not in ends:
            taken.append(self._token)
            self._advance()
        return " ".join(taken)

    def _pair(self, path: Path_) -> None:
        line = self._line
        for name in parts_of_key(self._until("=")):
            path = (*path, name)
            self.lines.setdefault(path, line)
        self._advance()
        self._value(path)

    def _value(self, path: Path_) -> None:
        if self._token in ("[", "[["):
            self._list(path)
        elif self._token == "{":
            self._advance()
            while self._token != "}":
                if self._token in (",", "\n"):
                    self._advance()
                else:
                    self._pair(path)
            self._advance()
        else:
            self._until(",", "]", "]]", "}", "\n")

    def _list(self, path: Path_) -> None:
        """A list; the tokens ``[[`` and ``]]`` are two brackets here."""
        self._open_or_close("[")
        position = 0
        while self._token not in ("]", "]]"):
            if self._token in (",", "\n"):
                self._advance()
                continue
            self.lines.setdefault((*path, position), self._line)
            self._value((*path, position))
            position += 1
        self._open_or_close("]")

    def _open_or_close(self, bracket: str) -> None:
        if self._token == bracket * 2:
            self._token = bracket
        else:
            self._advance()

    def _numbered(self, names: list[str], array: bool) -> Path_:
        """The path of a header, with the position in every list of tables it runs through."""
        path: Path_ = ()
        for depth, name in enumerate(names, start=1):
            path = (*path, name)
            if array and depth == len(names):
                self._counts[path] = self._counts.get(path, -1) + 1
            if path in self._counts:
                path = (*path, self._counts[path])
        return path


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """Tokens with the lines they begin on; comments are left out."""
    line = 1
    for match in _TOKEN.finditer(text):
        if not match[0].startswith("#"):
            yield match[0], line
        line += match[0].count("\n")
