"""What ``adjust`` does, and the keys of ``run``: asking a training under way for other numbers."""

from __future__ import annotations

import math
import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from thalweg.cli import output
from thalweg.errors import RecordError, SpecError
from thalweg.record import requests

__all__ = ["KEYS", "adjust", "keyboard"]

# Seconds after which a request that nobody has taken is withdrawn, and between looks.
PATIENCE, PAUSE = 10.0, 0.05

KEYS = {"-": 0.5, "+": 2.0}


def adjust(project: Path, wanted: str, runs: tuple[str, ...], *, json: bool) -> None:
    """Ask, and wait until a training has taken the request."""
    if not (project / "record.sqlite").exists():
        raise RecordError(f"{project} holds no record; no training is under way there")
    name, value, times = parsed(wanted)
    request = requests.ask(
        project, name, value=value, times=times, runs=runs, origin="thalweg adjust"
    )
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if not requests.is_waiting(project, request):
            break
        time.sleep(PAUSE)
    else:
        if requests.withdraw(project, request):
            raise RecordError(
                f"no run that trains in {project} has a Manual schedule named {name!r}"
                f"{' and such an id' if runs else ''}: the request was withdrawn"
            )
    if json:
        output.emit({"request": request.id, "name": name, "value": value, "times": times})
    else:
        output.note(f"{wanted} holds from the next call on; the record will say so")


def parsed(wanted: str) -> tuple[str, float | None, float]:
    """Name, value and factor of ``learning_rate=0.01`` or ``learning_rate=x0.5``.

    Raises:
        SpecError: it is neither.
    """
    name, equals, text = wanted.partition("=")
    by_factor = text.startswith("x")
    try:
        amount = float(text.removeprefix("x"))
    except ValueError:
        amount = math.nan
    if not (name and equals and amount > 0 and math.isfinite(amount)):
        raise SpecError(
            f"an adjustment must look like learning_rate=0.01 or learning_rate=x0.5, its number "
            f"above 0, got {wanted!r}"
        )
    return (name, None, amount) if by_factor else (name, amount, 1.0)


@contextmanager
def keyboard(project: Path, names: tuple[str, ...]) -> Iterator[Callable[[], None]]:
    """Listen to keys while runs train, if somebody is there and there is something to adjust.

    Args:
        project: where requests are left.
        names: of the manual schedules; a key moves all of them.

    Returns:
        A function to be called now and then, which leaves requests for the keys pressed since.
    """
    if not names or not output.interactive():
        yield lambda: None
        return
    try:
        import termios
        import tty
    except ImportError:  # a system without terminals of this kind: there is still `adjust`
        yield lambda: None
        return

    def listen() -> None:
        while select.select([sys.stdin], [], [], 0)[0]:
            # Not sys.stdin.read, whose buffer select does not see.
            for key in os.read(sys.stdin.fileno(), 64).decode(errors="ignore"):
                for name in names if key in KEYS else ():
                    requests.ask(project, name, times=KEYS[key], origin="keyboard")

    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield listen
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
