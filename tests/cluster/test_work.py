"""Waves trained through messages: what enters the record is what a wave writes here."""

from __future__ import annotations

import dataclasses
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.cli.commands import SPEC, run_here
from tests.engine.laboratory_setup import (
    MOONS,
    assert_same_bits,
    cut_off,
    everything,
    jobs,
    known,
    recipe,
    trained,
)

from thalweg.catalogue.activations import LeakyReLU
from thalweg.catalogue.networks import MLP
from thalweg.cluster.work import Inbox, Message, Work, divided, train_wave
from thalweg.engine import room, wave
from thalweg.engine.plan import Job, group
from thalweg.engine.train import planned
from thalweg.engine.wave import wave_id
from thalweg.part import replace
from thalweg.record.store import Record
from thalweg.record.tables import Checkpoint


@pytest.fixture
def runs(monkeypatch) -> list[Job]:
    """Six runs of two programs, on data that differ, some of them pictured; a checkpoint is
    written after every call."""
    monkeypatch.setattr(wave, "WRITE_EVERY", 0.0)
    noisy = replace(MOONS, noise=0.4)
    recipes = [
        recipe(data=data, network=MLP(hidden=hidden, activation=LeakyReLU(slope=slope)))
        for data, hidden, slope in [(MOONS, (8,), 0.1), (noisy, (8,), 0.2), (MOONS, (4,), 0.1)]
    ]
    made = jobs(recipes, seeds=(0, 1))
    # On the same data, as pictures show where the data of all pictured runs of a wave lie.
    return [dataclasses.replace(job, pictured=job.recipe.data == MOONS) for job in made]


def elsewhere(
    runs: Sequence[Job], record: Record, lanes: int, until: int | None = None
) -> list[Message]:
    """Train through messages; of the first worker of each wave only these arrive, if not all."""
    inbox, taken = Inbox(record), []
    datasets = {job.dataset.fingerprint: job.dataset for job in runs}
    for members in group(runs):
        for each in planned(members, {}, lanes):
            for kept in (None,) if until is None else (until, None):
                work = Work.of(each, inbox.checkpoint(wave_id(each.jobs)))
                sent: list[Message] = []
                train_wave(pickle.loads(pickle.dumps(work)), datasets, sent.append)
                assert [message.last for message in sent] == [False] * (len(sent) - 1) + [True]
                for message in pickle.loads(pickle.dumps(sent))[:kept]:
                    assert inbox.awaits(message, wave_id(each.jobs))
                    taken.append(message)
                    inbox.receive(message)
                    assert not inbox.awaits(message, wave_id(each.jobs)), "it is applied once"
    return taken


@pytest.mark.parametrize(
    "until", [None, 0, 1, -1], ids=["well", "lost at once", "lost later", "lost at the end"]
)
def test_a_record_is_what_it_would_be_here(
    until: int | None, runs: list[Job], tmp_path: Path
) -> None:
    with trained(runs, tmp_path / "here") as here, Record.open(tmp_path, write=True) as there:
        there.add_experiment(known(runs))
        # Waves of one run and of two, where here all runs of a program are one wave.
        taken = elsewhere(runs, there, lanes=3, until=until)
        for job in runs:
            assert_same_bits(everything(here, job.id), everything(there, job.id))
        first, second = here.experiment(), there.experiment()
        for one, other in zip(first.runs, second.runs, strict=True):
            assert (one.outcome, one.step, one.finals) == (other.outcome, other.step, other.finals)
            assert one.program == other.program
        assert len(first.programs) == len(second.programs) == 2
        assert there.checkpoints() == []
    if until is None:
        steps = sum(message.progress.steps for message in taken)
        assert steps == sum(job.steps for job in runs)
    ended = [run for message in taken for run, _ in message.progress.finished]
    assert sorted(ended) == sorted(job.id for job in runs)


def test_of_a_wave_only_its_own_runs_are_sent(runs: list[Job]) -> None:
    [first, *_] = planned(group(runs)[0], {}, 2)
    work = Work.of(first, None)
    assert len(work.planned.members.jobs) == 1
    assert len(pickle.dumps(work)) < runs[0].dataset.inputs.nbytes + 20_000
    assert all(job.dataset is None for job in (*work.planned.members.jobs, *work.planned.jobs))


def test_a_wave_of_one_message_is_taken_once(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wave, "WRITE_EVERY", 3600.0)
    wanted = jobs([recipe()])
    with Record.open(tmp_path, write=True) as record:
        record.add_experiment(known(wanted))
        [message] = elsewhere(wanted, record, lanes=1)
        assert len(message.writes) == 1
        assert record.outcomes([wanted[0].id]) == {wanted[0].id: "finished"}


def test_runs_are_divided_so_that_all_have_work(tmp_path: Path) -> None:
    wanted = jobs([recipe()], seeds=range(25))
    with Record.open(tmp_path, write=True) as record:
        record.add_experiment(known(wanted))
        cut = (wanted[5].id, wanted[2].id)
        record.write(checkpoint=Checkpoint("cut", cut, 8, {}))
        waves = divided(wanted, record, slots=3, cores=1, gpus=0)
    first, *others = waves
    assert (first.checkpoint, [job.id for job in first.jobs]) == ("cut", list(cut))
    # Chunks have four lanes, and are not divided.
    assert [len(each.jobs) for each in others] == [12, 11]
    assert {job.id for each in waves for job in each.jobs} == {job.id for job in wanted}


def test_a_wave_of_a_larger_machine_goes_on_in_its_company(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wave, "WRITE_EVERY", 0.0)
    wanted = jobs([recipe()], seeds=range(9))
    cut_off(wanted, tmp_path / "cut", after=3)
    with trained(wanted, tmp_path / "whole") as whole:
        monkeypatch.setattr(room, "MEMORY", 1)  # room for eight runs, were they to begin
        with trained(wanted, tmp_path / "cut") as record:
            for job in wanted:
                assert_same_bits(everything(whole, job.id), everything(record, job.id))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--on", "rye"),
            "--on must be ray, ray:auto, ray:HOST:PORT, ray://HOST:PORT, slurm, processes",
        ),
        (("--on", "ray", "--cores", "0"), "--cores must be 1 or more, got 0"),
        (("--on", "ray", "--gpus", "-1"), "--gpus must be 0 or more, got -1"),
        (("--on", "slurm", "--jobs", "0"), "--jobs must be 1 or more, got 0"),
        (("--cores", "4"), "--cores needs --on PLACE: this machine trains on all its cores"),
        (("--jobs", "16"), "--jobs needs --on PLACE"),
        (("--gpus", "0", "--cores", "1"), "--gpus and --cores need --on PLACE"),
    ],
)
def test_wrong_places_are_refused(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC)
    ran = run_here("run", spec, "--project", tmp_path / "project", *words)
    assert ran.code == 2
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not (tmp_path / "project").exists()


@pytest.mark.parametrize(("place", "library"), [("ray:auto", "ray"), ("slurm", "submitit")])
def test_an_extra_that_is_missing_is_named(
    place: str, library: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC)
    ran = run_here("run", spec, "--project", tmp_path / "project", "--on", place)
    assert ran.code == 1
    assert ran.err == f"Error: --on {place} needs {library}: pip install 'thalweg[cluster]'\n"
