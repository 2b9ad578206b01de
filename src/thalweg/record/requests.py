"""What is asked of a training under way, by a person at the keyboard or in another terminal.

A record has one writer, so who asks does not write to it: each request is a file of its own in the
folder ``requests`` of the project. It appears whole, by renaming. The training *takes* a request
by renaming it again, which succeeds for one process only, and deletes the file once what came of
it is recorded: a training that is killed in between finds it again.
"""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from thalweg.errors import RecordError

__all__ = ["Request", "ask", "forget", "is_waiting", "pending", "take", "withdraw"]

WAITING, TAKEN = ".json", ".taken"


@dataclass(frozen=True)
class Request:
    """A change of a number that runs are trained with.

    Args:
        id: its own.
        name: of the number, as its ``Manual`` schedule has it.
        value: what it shall be; None where it is multiplied instead.
        times: what it is multiplied by; 1 where it is set.
        runs: beginnings of the ids of the runs that are meant; all that train where empty.
        origin: who asks: ``keyboard``, or a command.
        time: ISO 8601, UTC.
    """

    id: str
    name: str
    value: float | None
    times: float
    runs: tuple[str, ...]
    origin: str
    time: str


def _folder(project: Path) -> Path:
    return project / "requests"


def ask(
    project: Path,
    name: str,
    *,
    value: float | None = None,
    times: float = 1.0,
    runs: tuple[str, ...] = (),
    origin: str,
) -> Request:
    """Leave a request in a project.

    Raises:
        RecordError: the project cannot be written to.
    """
    now = datetime.now(UTC)
    # Named by the moment, so that requests are taken in the order in which they were made.
    identity = f"{now:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}"
    time = now.isoformat(timespec="seconds")
    request = Request(identity, name, value, times, runs, origin, time)
    folder = _folder(project)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f"{identity}.part"
        unfinished.write_text(json.dumps(asdict(request)), encoding="utf-8")
        unfinished.rename(folder / f"{identity}{WAITING}")
    except OSError as error:
        raise RecordError(f"{folder} cannot be written to ({error.strerror})") from error
    return request


def pending(project: Path) -> list[Request]:
    """Requests that are waiting, and those that a training took before it was cut off."""
    try:
        with os.scandir(_folder(project)) as entries:
            paths = sorted(e.path for e in entries if e.name.endswith((WAITING, TAKEN)))
    except FileNotFoundError:
        return []
    return [request for path in paths if (request := _read(Path(path))) is not None]


def _read(path: Path) -> Request | None:
    """A request; None where it was withdrawn meanwhile, or torn by a loss of power."""
    try:
        held = json.loads(path.read_bytes())
        return Request(**{**held, "runs": tuple(held["runs"])})
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def is_waiting(project: Path, request: Request) -> bool:
    """Whether nobody has taken a request yet."""
    return (_folder(project) / (request.id + WAITING)).exists()


def take(project: Path, request: Request) -> bool:
    """Take a request; False where it was withdrawn."""
    place = _folder(project) / request.id
    try:
        place.with_name(request.id + WAITING).rename(place.with_name(request.id + TAKEN))
    except FileNotFoundError:
        return place.with_name(request.id + TAKEN).exists()
    return True


def forget(project: Path, request: str) -> None:
    """Delete a request that was taken, what came of it being recorded."""
    (_folder(project) / (request + TAKEN)).unlink(missing_ok=True)


def withdraw(project: Path, request: Request) -> bool:
    """Delete a request that nobody took; False where a training was faster."""
    try:
        (_folder(project) / (request.id + WAITING)).unlink()
    except FileNotFoundError:
        return False
    return True
