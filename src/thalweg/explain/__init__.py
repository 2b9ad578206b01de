"""Why the numbers of a small computation are what they are, step by step.

``derivations`` are programs that print each line and check it by numbers. Nothing is imported
until it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thalweg.explain.derivations import DERIVATIONS, derivation

__all__ = ["DERIVATIONS", "derivation"]

_WHERE = {
    "DERIVATIONS": "thalweg.explain.derivations",
    "derivation": "thalweg.explain.derivations",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'thalweg.explain' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return __all__
