"""Where a wave's results go: the record, or what brings them to it from another machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

__all__ = ["Recorder"]


class Recorder(Protocol):
    """What a wave asks of a record.

    ``write`` is called as ``Record.write``; ``project`` and ``answered`` only where runs have
    manual schedules.
    """

    @property
    def project(self) -> Path: ...

    @property
    def write(self) -> Callable[..., None]: ...

    def answered(self) -> set[str]: ...
