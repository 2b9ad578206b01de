"""Text and JSON on the standard streams."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from thalweg.errors import ThalwegError

__all__ = [
    "emit",
    "entries",
    "interactive",
    "lines",
    "note",
    "paragraph",
    "plain",
    "roughly",
    "say",
    "takes_control_codes",
    "width",
    "writing",
]

# Lines longer than this are hard to read, however wide the terminal is.
WIDEST = 100


def say(text: str = "") -> None:
    """Print a result at once, so that a reader that has gone away is noticed here."""
    print(text, flush=True)


def note(text: str) -> None:
    """Print a sentence as a paragraph."""
    say(textwrap.fill(text, width(), break_on_hyphens=False, break_long_words=False))


def paragraph(text: str, width: int, margin: str = "") -> str:
    """A text in lines that begin with a margin."""
    return "\n".join(_wrapped(text, width, margin, margin))


def roughly(seconds: float) -> str:
    """A duration that is a guess: ``24 s``, ``4 min``, ``3 h 25 min``."""
    if seconds < 100:
        return f"{max(seconds, 1):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60:,} h {minutes % 60} min"


def emit(value: Any) -> None:
    """Print a result as one JSON object."""
    say(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def plain(value: Any) -> Any:
    """A value as JSON data; numbers that are not finite become null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def width() -> int:
    """Columns to print in."""
    return max(20, min(shutil.get_terminal_size().columns, WIDEST))


def entries(items: Iterable[tuple[str, str]], width: int) -> str:
    """Names with texts beside them, or below them where there is little room."""
    items = tuple(items)
    margin = max((len(name) for name, _ in items), default=0) + 2
    lines = []
    for name, text in items:
        longest = max(map(len, text.split()), default=0)
        if margin > width / 2 or margin + longest > width:
            lines += [name, *_wrapped(text, width, "    ", "    ")]
        else:
            lines += _wrapped(text, width, f"{name:<{margin}}", " " * margin)
    return "\n".join(lines)


def lines(items: Iterable[tuple[str, str]], width: int) -> str:
    """Names with texts beside them, one line each; texts are cut where there is no room."""
    items = tuple(items)
    # One long name must not cost all others their room.
    margin = min(max((len(name) for name, _ in items), default=0), 21) + 2
    if margin > width / 2:
        return entries(items, width)
    starts = [(f"{name:<{margin - 2}}  ", text) for name, text in items]
    return "\n".join(
        start
        + textwrap.shorten(
            text, max(width - len(start), 1), placeholder="…", break_on_hyphens=False
        )
        for start, text in starts
    )


def _wrapped(text: str, width: int, first: str, others: str) -> list[str]:
    wrapped = textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=others, break_on_hyphens=False
    )
    return wrapped or [first.rstrip()]


def takes_control_codes(stream: TextIO) -> bool:
    """Whether a stream is a terminal on which lines can be redrawn, and may be."""
    return (
        stream.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
    )


def interactive() -> bool:
    """Whether somebody is there to answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Make the folder of a file that is about to be written; failures become sentences.

    Raises:
        ThalwegError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path
    except OSError as error:
        place, reason = error.filename or path, error.strerror or error
        if isinstance(error, FileExistsError | NotADirectoryError):
            reason = "a file is where a folder should be"
        raise ThalwegError(f"{place} cannot be written: {reason}") from error
