"""What ``doctor`` does: one line a check, and what to do where something is wrong."""

from __future__ import annotations

import platform
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import NamedTuple

import click

from thalweg.cli import output
from thalweg.errors import RecordError
from thalweg.record.checking import Examined, examine
from thalweg.record.repairing import repair as repaired
from thalweg.record.schema import NoRecord
from thalweg.report.words import count

__all__ = ["doctor"]

REPAIR = "`thalweg doctor --repair` forgets what is damaged, and `thalweg run` trains it again"


class Check(NamedTuple):
    """One thing that was looked at.

    Args:
        name: of the thing, one word.
        well: whether all is well with it.
        found: what was found.
        advice: what to do where it is not well.
    """

    name: str
    well: bool
    found: str
    advice: str = ""


def doctor(project: Path, *, repair: bool, json: bool) -> None:
    """Check everything; print it; repair what can be repaired if asked to."""
    checks = [*_versions(), _extras()]
    if all(check.well for check in checks):  # else what follows cannot even be imported
        from thalweg.engine import devices

        devices.prepare()
        checks += [_devices(), _programs(devices.cache_folder(), repair)]
    kept = None
    try:
        kept = repaired(project) if repair else None
        checks += _record(examine(project), project)
    except NoRecord:
        checks.append(Check("record", True, f"none yet in {project}"))
    except RecordError as error:
        checks.append(Check("record", False, str(error)))
    if json:
        output.emit({"checks": [check._asdict() for check in checks], "kept": kept})
    else:
        _print(checks, kept)
    if not all(check.well for check in checks):
        raise click.exceptions.Exit(1)


def _print(checks: list[Check], kept: Path | None) -> None:
    marked = [(f"{' ' if check.well else '✗'} {check.name}", check.found) for check in checks]
    output.say(output.entries(marked, output.width()))
    advice = dict.fromkeys(check.advice for check in checks if check.advice)
    if kept is not None:
        output.say()
        output.note(f"What was damaged is forgotten; the record as it was is in {kept}")
    elif all(check.well for check in checks):
        output.say("\nAll is well.")
    for sentence in advice if kept is None else ():
        output.say()
        output.note(sentence)


# ---------------------------------------------------------------------------------- installation


def _versions() -> Iterator[Check]:
    yield Check("python", True, platform.python_version())
    for name in ("thalweg", "jax", "jaxlib", "numpy"):
        try:
            yield Check(name, True, version(name))
        except PackageNotFoundError:
            advice = "install Thalweg with its dependencies: pip install thalweg"
            yield Check(name, False, "is not installed", advice)


def _extras() -> Check:
    """Which optional libraries there are."""
    held: dict[str, list[bool]] = {}
    for requirement in requires("thalweg") or ():
        needed, _, condition = requirement.partition(";")
        extra = condition.partition("extra ==")[2].strip(" '\"")
        if extra and extra not in ("test", "reference", "benchmark"):
            library = needed.split("[")[0].split(">")[0].split("=")[0].strip()
            held.setdefault(extra, []).append(_is_installed(library))
    there = [name for name, libraries in sorted(held.items()) if all(libraries)]
    absent = [name for name in sorted(held) if name not in there]
    found = ", ".join(there) or "none"
    return Check("extras", True, f"{found}; without {', '.join(absent)}" if absent else found)


def _is_installed(library: str) -> bool:
    try:
        version(library)
    except PackageNotFoundError:
        return False
    return True


def _devices() -> Check:
    from thalweg.engine import devices

    try:
        known = devices.describe()
    except (RuntimeError, AssertionError) as error:  # either, by what JAX was told to use
        advice = "look at JAX_PLATFORMS, and at the drivers of the device"
        reason = " ".join(str(error).split()) or "there are none such"
        return Check("devices", False, f"JAX finds none: {reason}", advice)
    kind = known["processor"] if known["platform"] == "cpu" else known["device"]
    return Check("devices", True, f"{known['devices']} × {known['platform']}, {kind}")


# -------------------------------------------------------------------------------------- programs


def _programs(folder: Path, repair: bool) -> Check:
    """The compiled programs that are kept: whether they can be, and whether they are whole."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        advice = "set THALWEG_CACHE to a folder that can be written to; without, every run compiles"
        return Check("programs", False, f"{folder} cannot be written to ({error.strerror})", advice)
    programs = list(folder.glob("*-cache"))
    torn = [path for path in programs if not _is_whole(path)]
    if repair:
        for path in torn:
            path.unlink(missing_ok=True)
    megabytes = sum(path.stat().st_size for path in programs if path.exists()) / 1e6
    found = f"{folder}: {count(len(programs), 'program')}, {megabytes:,.1f} MB"
    if torn and not repair:
        advice = f"`thalweg doctor --repair` deletes damaged programs: {len(torn)} in {folder}"
        return Check("programs", False, f"{found}, {len(torn)} damaged", advice)
    return Check("programs", True, found)


def _is_whole(program: Path) -> bool:
    """Whether a kept program is as long as it was written; a killed process may leave less."""
    unpacking = zlib.decompressobj()
    try:
        with program.open("rb") as file:
            if file.read(4) == b"\x28\xb5\x2f\xfd":  # of zstandard, which is not required
                return True
            file.seek(0)
            while some := file.read(1 << 20):
                unpacking.decompress(some)
    except zlib.error:
        return False
    except OSError as error:
        return isinstance(error, FileNotFoundError)  # another process deletes what it replaces
    return unpacking.eof


# ---------------------------------------------------------------------------------------- record


def _record(found: Examined, project: Path) -> Iterator[Check]:
    """What was found of a record, part by part."""
    counts = found.counts
    if found.database:
        yield Check("record", False, f"{project} is damaged: {found.database}", REPAIR)
        return
    held = f"{count(counts['experiments'], 'experiment')}, {count(counts['runs'], 'run')}"
    yield Check("record", True, f"{project}: {held}")
    yield _part("curves", counts["curves"], "curve", found.curves)
    yield _part("arrays", counts["arrays"], "file", found.arrays)
    wrong = {**found.checkpoints, **found.stranded}
    yield _part("checkpoints", counts["checkpoints"], "checkpoint", wrong)


def _part(name: str, number: int, noun: str, wrong: dict[str, str]) -> Check:
    if not wrong:
        return Check(name, True, count(number, noun))
    [(reason, _)] = Counter(wrong.values()).most_common(1)
    owner = next(id for id, given in wrong.items() if given == reason)
    concerned = "1 run or wave is" if len(wrong) == 1 else f"{len(wrong):,} runs or waves are"
    return Check(name, False, f"{concerned} damaged, such as {owner}: {reason}", REPAIR)
