"""Every error Thalweg raises on purpose, on one screen.

ThalwegError
├── SpecError      the specification asks for something that cannot be
├── DataError      bytes from outside are not what they should be
├── RecordError    the record cannot be read or written
├── ClusterError   a cluster cannot be reached, or loses its workers
├── DeviceError    a processor or accelerator fails, or runs out of memory
└── MissingExtra   an optional dependency is not installed

A run that diverges is not an error: it is an outcome, in a column of the record.
"""

from __future__ import annotations

__all__ = [
    "ClusterError",
    "DataError",
    "DeviceError",
    "MissingExtra",
    "RecordError",
    "SpecError",
    "ThalwegError",
]


class ThalwegError(Exception):
    """An error with a sentence for the user; the command line prints it without a traceback."""


class SpecError(ThalwegError):
    """One or more things wrong with a specification, all reported at once.

    Args:
        problems: one sentence each, with the place (file and line) in front where it is known.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class DataError(ThalwegError):
    """Data are missing, malformed or unsuitable for the task."""


class RecordError(ThalwegError):
    """The record is unreadable, locked, full or of a newer format."""


class ClusterError(ThalwegError):
    """A cluster cannot be reached, is too small, or loses every worker that is given some runs."""


class DeviceError(ThalwegError):
    """What JAX computes on has failed, or has run out of memory."""


class MissingExtra(ThalwegError):
    """An optional dependency is needed; the message names the extra that installs it."""
