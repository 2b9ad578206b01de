"""What a training keeps when something goes wrong: everything that was acknowledged.

    python benchmarks/faults.py [--kills 20] [--only KIND ...] [--seed 0] [--out FILE.json]

Every trial starts ``thalweg run`` as a process, lets something happen to it, and looks: the record
opens and is whole, nothing acknowledged is missing, the same command finishes when it is given
again, and every outcome, final, curve and array is, bit for bit, that of a training to which
nothing happened. Of every kind but kills there are a fraction of as many trials. Losses of power
are real ones to the file system: the project is on a disk image, of which a copy is taken when the
process is killed, so that what was not synced is not in it. They, and full disks, take root.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.record import Record
from thalweg.record.checking import examine

SPEC = """\
question = "Which optimizer is better?"

[data]
moons = { samples = 60, noise = 0.1 }

[network]
mlp = { hidden = [4] }

[[optimizer]]
gradient_descent = { learning_rate = [0.01, 0.1] }

[[optimizer]]
adam = { learning_rate = [0.01, 1e30] }

[training]
epochs = 200
batch_size = 10

[compare]
factor = "optimizer"
tune = ["learning_rate"]
seeds = { tune = 1, report = 2 }
"""

LAUNCHER = Path(__file__).with_name("injected.py")
PROGRESS = ("waiting", "training", "finished")  # the two other outcomes are as far as the last


class Loss(Exception):
    """Something that must not happen has happened."""


def expect(holds: bool, sentence: str) -> None:
    """Raise unless something holds."""
    if not holds:
        raise Loss(sentence)


# ------------------------------------------------------------------------------------- one training


@dataclass
class Ran:
    """What a process gave."""

    code: int
    said: str

    def check_sentence(self, *expected: str) -> None:
        """A failure is told in one sentence, one of those that are expected."""
        expect("Traceback" not in self.said, f"a traceback: {self.said}")
        told = self.said.strip().splitlines()[-1]
        expect(told.startswith("Error: "), f"no sentence: {self.said}")
        expect(any(text in told for text in expected), f"another sentence: {told}")


@dataclass
class Trial:
    """A project in a folder, and what its record has acknowledged.

    Args:
        folder: for the spec and what was acknowledged.
        project: where the record is; below ``folder`` unless it is given.
        variables: of the environment of its processes, beside those that are there.
    """

    folder: Path
    project: Path = field(default=Path())
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.project == Path():
            self.project = self.folder / "project"
        self.spec = self.folder / "spec.toml"
        self.spec.write_text(SPEC)
        self.acknowledged = self.folder / "acknowledged"

    def start(self, fault: str = "none") -> subprocess.Popen[str]:
        """Start ``thalweg run``."""
        run = ("run", self.spec, "--project", self.project, "--report", self.folder / "r.html")
        return _process(LAUNCHER, fault, self.acknowledged, *run, **self.variables)

    def run(self, fault: str = "none") -> Ran:
        """Run it to its end."""
        return _ended(self.start(fault))

    def command(self, *words: str | Path) -> Ran:
        """Another command, of which nothing is acknowledged."""
        return _ended(_process("-m", "thalweg", *words, "--project", self.project))

    def check_nothing_lost(self) -> None:
        """The record is whole, and has what was acknowledged."""
        if not self.acknowledged.exists() or not self.acknowledged.read_bytes():
            return
        examined = examine(self.project)
        expect(examined.well, f"the record is damaged: {examined}")
        lines = [json.loads(line) for line in self.acknowledged.read_text().splitlines()]
        with Record.open(self.project) as record:
            runs = {run.id: run for run in record.experiment().runs}
            for line in lines:
                for id, (outcome, step) in line["runs"].items():
                    there = runs[id]
                    expect(there.step >= step, f"run {id} is back at step {there.step} of {step}")
                    further = _rank(there.outcome) >= _rank(outcome)
                    expect(further, f"run {id} is {there.outcome} again, it was {outcome}")
                for id, name, last in line["curves"]:
                    curve = record.series(name, [id]).get(id)
                    reaches = curve is not None and curve[0][-1] >= last
                    expect(reaches, f"{name} of run {id} does not reach step {last}")

    def check_finishes_as(self, undisturbed: dict[str, Any]) -> None:
        """The same command finishes, and all is as it is where nothing happens."""
        ran = self.run()
        expect(ran.code == 0, f"the same command again failed: {ran.said}")
        self.check_nothing_lost()
        found = contents(self.project)
        expect(found.keys() == undisturbed.keys(), "other runs are recorded")
        for run, parts in undisturbed.items():
            for name, part in parts.items():
                same = found[run].get(name) == part
                expect(same, f"{name} of run {run} differs: {found[run].get(name)!r:.300}")
            expect(found[run].keys() == parts.keys(), f"run {run} has more than it should")


def _rank(outcome: str) -> int:
    return PROGRESS.index(outcome) if outcome in PROGRESS else len(PROGRESS) - 1


def _process(*words: str | Path, **variables: str) -> subprocess.Popen[str]:
    source = Path(sys.modules["thalweg"].__file__ or "").parent.parent
    variables = {**os.environ, "PYTHONPATH": str(source), "COLUMNS": "80", **variables}
    settings: Any = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    command = [sys.executable, *map(str, words)]
    return subprocess.Popen(command, text=True, env=variables, stdout=subprocess.PIPE, **settings)


def _ended(process: subprocess.Popen[str], seconds: float = 600) -> Ran:
    said, _ = process.communicate(timeout=seconds)
    return Ran(process.returncode, said)


def contents(project: Path) -> dict[str, Any]:
    """All that is recorded of every run, by name, down to the bits."""
    found: dict[str, Any] = {}
    with Record.open(project) as record:
        for run in record.experiment().runs:
            parts: dict[str, Any] = {
                "outcome": (run.outcome, run.step, run.phase),
                "finals": {name: float(value).hex() for name, value in run.finals.items()},
            }
            for name in record.series_names([run.id]):
                for id, (steps, values) in record.series(name, [run.id]).items():
                    assert id == run.id
                    parts[f"curve {name}"] = steps.tobytes(), values.tobytes()
            for name, array in record.arrays(run.id).items():
                parts[f"array {name}"] = (
                    array.shape,
                    str(array.dtype),
                    np.ascontiguousarray(array).tobytes(),
                )
            found[run.id] = parts
    return found


def killed_within(process: subprocess.Popen[str], seconds: float) -> bool:
    """Kill a process after some seconds of processor time; False where it had ended.

    Processor time, because a process that others slow is no further after the same time.
    """
    while True:
        try:
            process.communicate(timeout=0.005)
            return False
        except subprocess.TimeoutExpired:
            if _processor_seconds(process.pid) >= seconds:
                process.kill()
                process.communicate()
                return True


def _of_children() -> float:
    """Seconds of processor time of all processes that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _processor_seconds(process: int) -> float:
    """What all threads of a process have taken so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """Mount a file system on a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *options, str(folder)], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


# -------------------------------------------------------------------------------------- the faults


@dataclass
class Faults:
    """The kinds of faults, and what they are compared with.

    Args:
        folder: for all projects.
        draw: moments and places.
    """

    folder: Path
    draw: random.Random
    trials: int = 0

    def prepare(self) -> None:
        """Train once with nothing happening, twice so that programs are compiled before."""
        for _ in range(2):
            shutil.rmtree(self.folder / "undisturbed", ignore_errors=True)
            whole = Trial(self.folder / "undisturbed")
            before = _of_children()
            ran = whole.run()
            self.seconds = _of_children() - before
            expect(ran.code == 0, f"nothing happened, and it failed: {ran.said}")
        self.undisturbed = contents(whole.project)
        self.check_seeds_differ(whole.project)
        self.writes = len(whole.acknowledged.read_text().splitlines())

    def check_seeds_differ(self, project: Path) -> None:
        """Runs of different seeds have nothing in common."""
        with Record.open(project) as record:
            seeds = {run.id: run.seed for run in record.experiment().runs}
        curves: dict[Any, int] = {}
        for id, parts in self.undisturbed.items():
            if "curve batch.loss" not in parts:  # it diverged in its first steps
                continue
            shared = curves.setdefault(parts["curve batch.loss"], seeds[id])
            expect(shared == seeds[id], f"seeds {shared} and {seeds[id]} draw the same")

    def fresh(self, project: Path = Path()) -> Trial:
        """A project in which nothing is."""
        self.trials += 1
        return Trial(self.folder / str(self.trials), project)

    def some_write(self) -> int:
        """The number of some write."""
        return self.draw.randint(1, self.writes)

    def moment(self) -> float:
        """Some seconds of processor time, fewer than a training takes."""
        return self.draw.uniform(0.0, self.seconds)

    def finish(self, trial: Trial) -> None:
        """Look at what is left, go on to the end, and clear away."""
        trial.check_nothing_lost()
        trial.check_finishes_as(self.undisturbed)
        shutil.rmtree(trial.folder)

    # ------------------------------------------------------------------------- the process is ended

    def kills(self, number: int = 5) -> int:
        """Killed at any moment, again and again; returns how often."""
        trial, done = self.fresh(), 0
        while done < number and killed_within(trial.start(), self.moment()):
            trial.check_nothing_lost()
            done += 1
        self.finish(trial)
        return done

    def killed_compiling(self) -> None:
        """Killed while programs are compiled, of which none is in the cache."""
        trial = self.fresh()
        trial.variables["THALWEG_CACHE"] = str(trial.folder / "cache")
        killed_within(trial.start(), self.draw.uniform(1, 3) * self.seconds)
        self.finish(trial)

    def killed_after_write(self) -> None:
        """Killed between two writes of the record."""
        trial = self.fresh()
        trial.run(f"killed_after_write:{self.some_write()}")
        self.finish(trial)

    def killed_before_file(self) -> None:
        """Killed before a file appears, which nothing may name by then."""
        trial = self.fresh()
        trial.run(f"killed_before_file:{self.some_write()}")
        self.finish(trial)

    def killed_after_file(self) -> None:
        """Killed between the write of a file and the commit that names it."""
        trial = self.fresh()
        trial.run(f"killed_after_file:{self.some_write()}")
        self.finish(trial)

    def killed_exporting(self) -> None:
        """Killed while tables are exported."""
        trial = self.fresh()
        trial.run()
        export = ("export", trial.spec, "--project", trial.project, "--format", "csv", "--to")
        killed_within(
            _process("-m", "thalweg", *export, trial.folder / "tables"),
            self.draw.uniform(0.2, 0.6) * self.seconds,
        )
        for name in ("tables", "again"):
            expect(_ended(_process("-m", "thalweg", *export, trial.folder / name)).code == 0, name)
        for file in ("runs.csv", "curves.csv"):
            first, second = (trial.folder / name / file for name in ("tables", "again"))
            expect(first.read_bytes() == second.read_bytes(), f"{file} differs")
        self.finish(trial)

    def memory(self) -> None:
        """There is too little memory."""
        trial = self.fresh()
        trial.run(f"memory:{self.draw.randint(500, 4000)}")
        self.finish(trial)

    def device(self) -> None:
        """A call of the program fails, or has too little memory on its device."""
        trial = self.fresh()
        fault, said = self.draw.choice(
            [("device", "the device failed"), ("device_full", "the device ran out of memory")]
        )
        ran = trial.run(f"{fault}:{self.draw.randint(2, 20)}")
        expect(ran.code == 1, f"it ended with {ran.code}: {ran.said}")
        ran.check_sentence(f"{said} while ")
        self.finish(trial)

    def clock(self) -> None:
        """The clock goes back an hour whenever it is looked at."""
        trial = self.fresh()
        killed_within(trial.start("clock"), self.moment())
        trial.check_nothing_lost()
        expect(trial.run("clock").code == 0, "it failed")
        self.finish(trial)

    def processes(self) -> None:
        """Two, or eight, processes are started on one project at once."""
        trial = self.fresh()
        started = [trial.start() for _ in range(self.draw.choice((2, 8)))]
        ended = [_ended(process) for process in started]
        expect(any(ran.code == 0 for ran in ended), f"none finished: {ended[0].said}")
        for ran in ended:
            if ran.code:
                ran.check_sentence("is writing")
        self.finish(trial)

    # ----------------------------------------------------------------------------- the disk fails

    def disk(self) -> None:
        """Something cannot be brought to the disk."""
        trial = self.fresh()
        ran = trial.run(f"disk:{self.draw.randint(1, 2 * self.writes)}")
        if ran.code:
            ran.check_sentence("cannot be used: Input/output error")
        self.finish(trial)

    def file_size(self) -> None:
        """Files may not grow beyond some size."""
        trial = self.fresh()
        ran = trial.run(f"file_size:{self.draw.randint(0, 100)}")
        if ran.code > 0:
            ran.check_sentence("cannot be used", "is full", "cannot be written")
        self.finish(trial)

    def full(self) -> None:
        """The disk is full."""
        trial = self.fresh()
        size = self.draw.randrange(8_192, 200_000)
        with mounted(trial.folder / "disk", "-t", "tmpfs", "-o", f"size={size}", "tmpfs") as disk:
            trial.project = disk / "project"
            ran = trial.run()
            if ran.code:
                ran.check_sentence("is full", "No space left")
            trial.check_nothing_lost()
            subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
            trial.check_finishes_as(self.undisturbed)
        shutil.rmtree(trial.folder)

    def read_only(self) -> None:
        """The folder may not be written to any more."""
        trial = self.fresh()
        with mounted(trial.folder / "disk", "-t", "tmpfs", "tmpfs") as disk:
            trial.project = disk / "project"
            killed_within(trial.start(), self.moment())
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            ran = trial.run()
            if ran.code:
                ran.check_sentence("cannot be written to", "cannot be opened")
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
            trial.check_nothing_lost()
            trial.check_finishes_as(self.undisturbed)
        shutil.rmtree(trial.folder)

    # ---------------------------------------------------------------------------- the power is cut

    def power(self) -> None:
        """The power is cut, at any moment or right after a write: only what was synced is there."""
        self.power_cut(self.draw.choice(["none", f"killed_after_write:{self.some_write()}"]))

    def power_cut(self, fault: str) -> None:
        """The power is cut when a process ends that has some fault, or sooner."""
        trial = self.fresh()
        image, left = trial.folder / "image", trial.folder / "left"
        subprocess.run(["truncate", "-s", "24M", str(image)], check=True)
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
        # Nothing is written in the background meanwhile, but what is synced.
        with mounted(trial.folder / "disk", "-o", "loop,commit=300", str(image)) as disk:
            subprocess.run(["sync", "-f", str(disk)], check=True)
            trial.project = disk / "below" / "project"
            killed_within(trial.start(fault), self.moment() if fault == "none" else 600)
            subprocess.run(["cp", "--sparse=always", str(image), str(left)], check=True)
        with mounted(trial.folder / "disk", "-o", "loop", str(left)):
            trial.check_nothing_lost()
            trial.check_finishes_as(self.undisturbed)
        shutil.rmtree(trial.folder)

    def damage(self) -> None:
        """The disk has lost what it said it had: ``doctor --repair``, and the command again."""
        trial = self.fresh()
        killed_within(trial.start(), self.draw.uniform(0.4, 1) * self.seconds)
        kept = [*trial.project.glob("record.sqlite*"), *trial.project.glob("arrays/*")]
        kept = [
            path for path in sorted(kept) if path.stat().st_size and path.suffix != ".sqlite-shm"
        ]
        if kept:
            self._tear(self.draw.choice(kept))
        trial.acknowledged.unlink(missing_ok=True)  # it may be lost
        ran = trial.run()
        if ran.code:
            ran.check_sentence("doctor --repair")
        repaired = trial.command("doctor", "--repair")
        expect(repaired.code == 0, f"it cannot be repaired: {repaired.said}")
        self.finish(trial)

    def _tear(self, path: Path) -> None:
        """Cut a file off, tear a page of it, change a bit of it, or lose it."""
        held, how = path.read_bytes(), self.draw.randrange(4)
        if how == 0:
            path.write_bytes(held[: self.draw.randrange(len(held))])
        elif how == 1 and path.suffix == ".safetensors":
            path.unlink()
        elif how == 2 and path.suffix == ".safetensors":
            place = self.draw.randrange(len(held))
            changed = held[place] ^ 1 << self.draw.randrange(8)
            path.write_bytes(held[:place] + bytes([changed]) + held[place + 1 :])
        else:
            page = self.draw.randrange(0, len(held), 4096)
            torn = self.draw.randbytes(len(held[page : page + 4096]))
            path.write_bytes(held[:page] + torn + held[page + 4096 :])


# Kinds by name: of how many kills there is one.
KINDS: dict[str, int] = {
    "kills": 1,
    "killed_compiling": 20,
    "killed_after_write": 4,
    "killed_before_file": 8,
    "killed_after_file": 8,
    "killed_exporting": 20,
    "power": 4,
    "damage": 4,
    "full": 8,
    "file_size": 20,
    "read_only": 20,
    "disk": 8,
    "processes": 20,
    "clock": 20,
    "memory": 20,
    "device": 8,
}


def suffer(faults: Faults, kind: str, number: int) -> tuple[int, list[str]]:
    """Try one kind of fault some times: how many were tried, and what was lost."""
    tried, losses = 0, []
    happen: Callable[..., int | None] = getattr(faults, kind)
    while tried < number:
        try:
            tried += (happen(min(5, number - tried)) or 1) if kind == "kills" else (happen() or 1)
        except Loss as loss:
            tried += 1
            losses.append(f"{kind}, trial {faults.trials}: {loss}")
            print(losses[-1], flush=True)
    return tried, losses


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--only", nargs="*", choices=KINDS, default=list(KINDS), metavar="KIND")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        faults = Faults(Path(folder), random.Random(arguments.seed))
        faults.prepare()
        for kind in arguments.only:
            begin = time.monotonic()
            tried, losses = suffer(faults, kind, max(1, arguments.kills // KINDS[kind]))
            seconds = time.monotonic() - begin
            rows[kind] = {"tried": tried, "losses": losses, "seconds": round(seconds, 1)}
            print(f"{kind:<20}{tried:>6} tried{len(losses):>6} losses{seconds:>8.0f} s", flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=2))
    return 1 if any(row["losses"] for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
