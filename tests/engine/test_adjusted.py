"""Runs that are adjusted by hand while they train, against the same changes written as a list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.engine.laboratory_setup import assert_same_bits, everything, jobs, known, recipe, trained

from thalweg.catalogue.optimizers import Adam, GradientDescent, Nesterov
from thalweg.catalogue.schedules import Manual, Piecewise
from thalweg.engine import train as train_module
from thalweg.engine import wave
from thalweg.engine.train import train
from thalweg.record import requests
from thalweg.record.store import Record
from thalweg.record.tables import Adjustment, Run

RATES = (0.05, 0.1, 0.2)


@pytest.fixture(autouse=True)
def short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wave, "WRITE_EVERY", 0.0)
    monkeypatch.setattr(train_module, "call_length", lambda *_: 2)


def manual() -> list[Any]:
    made = [Nesterov(learning_rate=Manual(initial=rate), momentum=0.5) for rate in RATES]
    return jobs([recipe(optimizer=optimizer) for optimizer in made])


def adjusted(
    wanted: list[Any],
    project: Path,
    asked: dict[int, Callable[[], Any]],
    cut_after: tuple[int, ...] = (),
) -> Record:
    """The record of a training in which requests are left after some calls, and which is cut off
    and resumed after others."""
    calls = 0
    while True:
        record = Record.open(project, write=True)
        record.add_experiment(known(wanted))
        training = train(wanted, record)
        for progress in training:
            calls += 1
            if calls in asked:
                asked[calls]()
            if calls in cut_after and not progress.finished:
                training.close()
                break
        else:
            return record
        record.close()


def made_of(record: Record) -> dict[str, tuple[Adjustment, ...]]:
    return {run.id: run.adjustments for run in record.experiment("test").runs}


def as_a_list(rate: float, made: tuple[Adjustment, ...]) -> Any:
    return Piecewise(
        initial=rate,
        at=tuple(one.step for one in made),
        factors=tuple(one.factor for one in made),
        per="step",
    )


@pytest.mark.parametrize("cut_after", [(), (4, 7)], ids=["whole", "cut off"])
def test_a_run_is_that_of_the_same_changes_in_a_list(
    tmp_path: Path, cut_after: tuple[int, ...]
) -> None:
    wanted, project = manual(), tmp_path / "project"
    second = wanted[1].id[:12]
    asked = {
        1: lambda: requests.ask(project, "learning_rate", times=0.5, origin="keyboard"),
        4: lambda: requests.ask(
            project, "learning_rate", value=0.3, runs=(second,), origin="thalweg adjust"
        ),
        8: lambda: requests.ask(project, "learning_rate", times=0.25, origin="keyboard"),
        9: lambda: requests.ask(project, "momentum", value=0.1, origin="keyboard"),
    }
    with adjusted(wanted, project, asked, cut_after) as record:
        made = made_of(record)
        mine = [everything(record, job.id) for job in wanted]
    factors = [[one.factor for one in made[job.id]] for job in wanted]
    assert factors[0] == factors[2] == [0.5, 0.125]
    assert [one.step for one in made[wanted[0].id]] == [2, made[wanted[0].id][-1].step]
    np.testing.assert_allclose(factors[1], [0.5, 3.0, 0.75], rtol=1e-6)
    assert {one.origin for one in made[wanted[1].id]} == {"keyboard", "thalweg adjust"}
    # What nothing answers to is left; all else was taken once.
    assert [request.name for request in requests.pending(project)] == ["momentum"]

    listed = [as_a_list(r, made[job.id]) for r, job in zip(RATES, wanted, strict=True)]
    theirs = jobs([recipe(optimizer=Nesterov(learning_rate=rate, momentum=0.5)) for rate in listed])
    with trained(theirs, tmp_path / "listed") as record:
        for job, own in zip(theirs, mine, strict=True):
            assert_same_bits(own, everything(record, job.id))


def test_what_was_taken_and_not_recorded_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, project = manual()[:1], tmp_path / "project"
    requests_made = []

    def ask() -> None:
        made = requests.ask(project, "learning_rate", times=0.5, origin="keyboard")
        requests_made.append(made)
        monkeypatch.setattr(wave.Wave, "_write", lambda self, step: None)

    with adjusted(wanted, project, {2: ask}, cut_after=(4,)) as record:
        (one,) = made_of(record)[wanted[0].id]
    assert one.request == requests_made[0].id
    assert one.factor == 0.5
    assert requests.pending(project) == []


def test_a_request_left_behind_after_it_was_recorded_does_nothing(tmp_path: Path) -> None:
    wanted, project = manual()[:1], tmp_path / "project"
    asked: list[requests.Request] = []

    def again() -> None:
        """As if the process had been killed before it could delete the file."""
        folder = project / "requests"
        (folder / "again.json").write_text("{}")
        left = requests.ask(project, "learning_rate", times=0.5, origin="keyboard")
        text = (folder / f"{left.id}.json").read_text().replace(left.id, asked[0].id)
        (folder / "again.json").unlink()
        (folder / f"{left.id}.json").unlink()
        (folder / f"{asked[0].id}.taken").write_text(text)

    first = {
        1: lambda: asked.append(
            requests.ask(project, "learning_rate", times=0.5, origin="keyboard")
        ),
        5: again,
    }
    with adjusted(wanted, project, first) as record:
        assert len(made_of(record)[wanted[0].id]) == 1
    assert list((project / "requests").iterdir()) == []


def test_nobody_looks_where_nothing_can_be_adjusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(project: Path) -> list[Any]:
        raise AssertionError("looked for requests")

    monkeypatch.setattr(requests, "pending", refuse)
    with trained(jobs([recipe(optimizer=Adam())]), tmp_path) as record:
        assert record.experiment("test").runs[0].adjustments == ()
    with pytest.raises(AssertionError, match="looked"):
        trained(jobs([recipe(optimizer=GradientDescent(learning_rate=Manual()))]), tmp_path / "b")


def test_a_request_is_withdrawn_or_taken(tmp_path: Path) -> None:
    request = requests.ask(tmp_path, "learning_rate", value=0.1, origin="thalweg adjust")
    assert requests.pending(tmp_path) == [request]
    assert requests.withdraw(tmp_path, request)
    assert not requests.take(tmp_path, request)
    request = requests.ask(tmp_path, "learning_rate", value=0.1, origin="thalweg adjust")
    assert requests.take(tmp_path, request)
    assert not requests.withdraw(tmp_path, request)
    requests.forget(tmp_path, request.id)
    assert requests.pending(tmp_path) == []


def test_a_run_read_back_has_its_adjustments(tmp_path: Path) -> None:
    made = Adjustment("a", 3, "learning_rate", 0.5, "keyboard", "2026-01-01T00:00:00+00:00", "r")
    with Record.open(tmp_path, write=True) as record:
        record.add_experiment(known(manual()[:1]))
        (run,) = record.experiment("test").runs
        assert isinstance(run, Run)
        assert record.answered() == set()
        record.write(adjustments=[Adjustment(run.id, *list(vars(made).values())[1:])])
        (run,) = record.experiment("test").runs
        assert [one.step for one in run.adjustments] == [3]
        assert record.answered() == {"r"}
