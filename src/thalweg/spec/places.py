"""Where in a spec file a key stands, so that errors can name the line.

``tomllib`` forgets lines, and no well-kept TOML library hands them out, so this finds the line of
every table header and key by reading the text once. It never decides what the file means.
"""

from __future__ import annotations

import re
import tomllib

__all__ = ["Places"]

_HEADER = re.compile(r"^\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
_NAME = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_KEY = re.compile(rf"^\s*({_NAME}(?:\s*\.\s*{_NAME})*)\s*=")


class Places:
    """Lines of the keys of one file.

    Args:
        name: name of the file, for messages.
        text: its text.
    """

    def __init__(self, name: str, text: str = "") -> None:
        self.name = name
        self.lines: dict[tuple[str | int, ...], int] = {}
        counts: dict[tuple[str | int, ...], int] = {}
        table: tuple[str | int, ...] = ()
        for line_number, line in enumerate(text.splitlines(), start=1):
            if header := _HEADER.match(line):
                table = self._numbered(_parts(header[2]), counts, array=header[1] == "[[")
                self.lines.setdefault(table, line_number)
            elif key := _KEY.match(line):
                path = table
                for name_ in _parts(key[1]):
                    path = (*path, name_)
                    self.lines.setdefault(path, line_number)
                self._inline(path, line, line_number)

    def _numbered(
        self, names: list[str], counts: dict[tuple[str | int, ...], int], array: bool
    ) -> tuple[str | int, ...]:
        """The path of a header, with the position of every array of tables it runs through."""
        path: tuple[str | int, ...] = ()
        for depth, name in enumerate(names):
            path = (*path, name)
            last = depth == len(names) - 1
            if array and last:
                counts[path] = counts.get(path, -1) + 1
            if path in counts:
                path = (*path, counts[path])
        return path

    def _inline(self, path: tuple[str | int, ...], line: str, line_number: int) -> None:
        """Keys of inline tables stand on the line of the key that holds them."""
        for match in re.finditer(r"[{,]\s*([A-Za-z0-9_-]+)\s*=", line):
            self.lines.setdefault((*path, match[1]), line_number)

    def of(self, path: tuple[str | int, ...]) -> str:
        """``file:line: `` of a path, or of the closest path around it that has a line."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return f"{self.name}:{self.lines[path[:end]]}: "
        return f"{self.name}: " if self.name else ""


def _parts(dotted: str) -> list[str]:
    """The names of a dotted key, quotes removed; the TOML reader itself splits them."""
    names, table = [], tomllib.loads(f"{dotted} = 0")
    while isinstance(table, dict):
        ((name, table),) = table.items()
        names.append(name)
    return names
