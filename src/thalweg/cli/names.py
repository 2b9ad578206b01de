"""The parts there are, found in the source text: completion cannot wait for JAX to be imported."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["parts_by_family"]

PART = re.compile(r'^@part(?:\(name="(\w+)"\))?\nclass ([A-Z]\w*)', re.MULTILINE)

# Where a class name in capitals and small letters is taken apart; as in ``thalweg.part``.
WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def parts_by_family() -> dict[str, list[str]]:
    """Names of all parts in spec files, by family."""
    package = Path(__file__).parent.parent
    places = {"data": package / "data" / "sources"}
    places |= {path.stem: path for path in sorted((package / "catalogue").iterdir())}
    found = {}
    for family, place in places.items():
        files = sorted(place.glob("*.py")) if place.is_dir() else [place]
        parts = [part for file in files if file.suffix == ".py" for part in _parts(file)]
        if parts:
            found[family] = parts
    return found


def _parts(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8")
    return [name or WORDS.sub("_", cls).lower() for name, cls in PART.findall(text)]
