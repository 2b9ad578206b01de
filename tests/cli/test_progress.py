"""What is told of a training under way, from made-up progress and a made-up clock."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from thalweg.cli import progress
from thalweg.cli.progress import Tally, followed
from thalweg.engine.wave import Progress


def tally(
    reporting: int = 0, higher_is_better: bool = True, adjustable: tuple[str, ...] = ()
) -> tuple[Tally, list[float]]:
    """Of two programs with two runs each, of 100 and 300 steps; and the clock's hand."""
    groups = tuple(
        SimpleNamespace(
            jobs=[SimpleNamespace(id=f"{name}{i}") for i in range(2)],
            shape=SimpleNamespace(steps=steps, adjustable=adjustable),
        )
        for name, steps in (("a", 100), ("b", 300))
    )
    plan: Any = SimpleNamespace(groups=groups, reporting=reporting, runs=4 + reporting)
    hand = [0.0]
    return Tally(plan, "test.accuracy", higher_is_better, clock=lambda: hand[0]), hand


def ended(*runs: str, outcome: str = "finished", **finals: float) -> Progress:
    named = {name.replace("_", "."): value for name, value in finals.items()}
    return Progress(0, tuple((run, outcome) for run in runs), tuple(named for _ in runs))


def facts(seen: Tally) -> str:
    return " · ".join(seen.facts())


def test_nothing_has_happened():
    seen, _ = tally()
    assert facts(seen) == "0 of 4 runs · compiling"


def test_rate_and_remaining_time():
    seen, hand = tally()
    for second in range(3):
        hand[0] = second
        seen.add(Progress(20))
    # 20 run-steps a second; 800 in all, 60 of them done.
    assert seen.rate == pytest.approx(20)
    assert seen.remaining == pytest.approx((800 - 60) / 20)
    assert facts(seen) == "0 of 4 runs · about 37 s left · 20 run-steps/s"
    seen.add(ended("a0", "a1", test_accuracy=0.5))
    assert seen.remaining == pytest.approx(600 / 20)


def test_the_rate_is_that_of_late():
    seen, hand = tally()
    for second in range(100):
        hand[0] = second
        seen.add(Progress(1 if second < 50 else 5))
    assert seen.rate == pytest.approx(5)


def test_recorded_runs_are_not_taken_for_trained_ones():
    seen, _ = tally()
    seen.add(Progress(0, (("a0", "finished"), ("a1", "diverged"))))
    assert seen.recorded == 2
    assert seen.rate is None
    assert facts(seen) == "2 of 4 runs · compiling · 1 diverged"


def test_a_run_told_twice_counts_once():
    seen, _ = tally()
    seen.add(Progress(0, (("a0", "finished"),)))
    seen.add(Progress(0, (("a0", "finished"), ("a1", "finished"))))
    assert (seen.recorded, len(seen.outcomes)) == (2, 2)


@pytest.mark.parametrize(("higher", "best"), [(True, 0.9), (False, 0.5)])
def test_the_best_so_far(higher, best):
    seen, _ = tally(higher_is_better=higher)
    seen.add(ended("a0", test_accuracy=0.5))
    seen.add(ended("a1", test_accuracy=0.9))
    seen.add(ended("b0", test_accuracy=0.7))
    seen.add(ended("b1", outcome="diverged", test_accuracy=0.99 if higher else 0.01))
    assert seen.best == ("test.accuracy", best)


def test_tuning_looks_at_validation_data_and_reporting_at_test_data():
    seen, _ = tally(reporting=2)
    seen.add(ended("a0", "a1", "b0", "b1", validation_accuracy=0.9, test_accuracy=0.99))
    assert facts(seen) == "4 of 6 runs · best validation.accuracy 0.9"
    seen.add(ended("r0", validation_accuracy=0.95, test_accuracy=0.8))
    assert seen.best == ("test.accuracy", 0.8)


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_the_live_display(columns):
    seen, hand = tally()
    for second in range(3):
        hand[0] = second
        seen.add(Progress(20))
    console = Console(file=io.StringIO(), width=columns, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(seen)
    bar, *lines = captured.get().splitlines()
    assert bar.strip("━╺ ") == ""
    assert " ".join(line.strip() for line in lines) == facts(seen)
    assert max(map(len, (bar, *lines))) <= columns


def test_lines_every_few_seconds():
    seen, hand = tally()
    stream = io.StringIO()
    with followed(seen, stream) as add:
        for second in range(12):
            hand[0] = second
            add(Progress(10))
    assert stream.getvalue() == (
        "0 of 4 runs · about 74 s left · 10 run-steps/s\n"
        "0 of 4 runs · about 69 s left · 10 run-steps/s\n"
    )
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("there", [True, False])
def test_keys_are_named_where_somebody_can_press_them(there, monkeypatch):
    monkeypatch.setattr(progress, "interactive", lambda: there)
    seen, _ = tally(adjustable=("learning_rate",))
    seen.add(Progress(20, factor=0.25))
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(seen)
    line = "keys: - halves and + doubles learning_rate (now × 0.25)"
    assert (captured.get().splitlines()[-1].strip() == line) == there
