"""Everything written is read back the same, whatever was written before, between and after."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from thalweg.record import Record, files
from thalweg.record.tables import (
    ArraysUpdate,
    Checkpoint,
    Experiment,
    Program,
    Run,
    RunUpdate,
    SeriesChunk,
)


def chunk(run: str, name: str, steps: list[int], values: list[float]) -> SeriesChunk:
    return SeriesChunk(run, name, np.array(steps, np.int32), np.array(values, np.float32))


def names_in(project: Path) -> list[str]:
    return sorted(path.name for path in (project / "arrays").iterdir())


# --------------------------------------------------------------------------- experiments and runs


def test_an_experiment_is_read_as_it_was_added(record, plan):
    experiment = record.experiment("e1")
    assert replace(experiment, programs=()) == replace(plan(), programs=())
    assert experiment.programs == (), "none of its runs was trained by a program yet"
    assert record.experiment() == experiment


def test_updates_change_their_runs_only(record, plan):
    record.write(
        updates=[RunUpdate("r1", "training", 10, 0.5, {"test.loss": 2.0, "train.loss": 3.0})],
        program="p1",
    )
    record.write(updates=[RunUpdate("r1", "finished", 20, 0.25, {"test.loss": np.float32(1.5)})])
    before, after = plan(), record.experiment()
    assert after.runs[1] == replace(
        before.runs[1],
        outcome="finished",
        step=20,
        train_seconds=0.75,
        program="p1",
        finals={"test.loss": 1.5, "train.loss": 3.0},
    )
    assert after.runs[:1] + after.runs[2:] == before.runs[:1] + before.runs[2:]
    assert after.programs == before.programs


def test_finals_of_a_diverged_run_need_not_be_finite(record):
    finals = {"a": float("nan"), "b": float("inf"), "c": float("-inf")}
    record.write(updates=[RunUpdate("r0", "diverged", 3, finals=finals)])
    np.testing.assert_equal(dict(record.experiment().runs[0].finals), finals)


def test_a_larger_experiment_keeps_what_its_runs_have(record, plan):
    record.write(updates=[RunUpdate("r2", "finished", 100, 1.0, {"test.loss": 0.5})])
    larger = plan(6, id="e2")
    moved = tuple(replace(run, phase="tune", factors={"k": 1}) for run in larger.runs[::-1])
    record.add_experiment(replace(larger, runs=moved))
    found = record.experiment("e2").runs
    assert [run.id for run in found] == ["r5", "r4", "r3", "r2", "r1", "r0"]
    assert {run.phase for run in found} == {"tune"}
    assert found[3].outcome == "finished"
    assert found[3].finals == {"test.loss": 0.5}
    assert [run.phase for run in record.experiment("e1").runs] == ["tune", "report"] * 2


def test_an_experiment_added_again_replaces_itself_and_is_the_newest(record, plan):
    record.add_experiment(plan(2, id="e2"))
    assert [id for id, _, _ in record.experiments()] == ["e2", "e1"]
    [_, (_, _, created)] = record.experiments()
    record.add_experiment(replace(plan(3), question="And now?"))
    assert record.experiments()[0] == ("e1", "And now?", created)
    assert len(record.experiment().runs) == 3
    assert len(record.experiments()) == 2


def test_an_experiment_may_list_a_run_twice(record, plan):
    runs = plan().runs
    twice = Experiment("e3", "", {}, None, {}, (runs[0], replace(runs[0], phase="report")))
    record.add_experiment(twice)
    assert record.experiment("e3") == twice


def test_programs_are_replaced_by_id(record):
    record.add_programs([Program("p1", {"lanes": 16}, 2.5), Program("p2", {})])
    record.write(updates=[RunUpdate("r0", "training", 1)], program="p1")
    assert record.experiment().programs == (Program("p1", {"lanes": 16}, 2.5),)


def test_outcomes_of_thousands_of_runs(record, plan):
    record.add_experiment(plan(10_000, id="large"))
    record.write(updates=[RunUpdate("r9999", "stopped", 5)])
    asked = [f"r{i}" for i in range(9_000, 11_000)]
    outcomes = record.outcomes(asked)
    assert outcomes.pop("r9999") == "stopped"
    assert outcomes == {f"r{i}": "waiting" for i in range(9_000, 9_999)}


# ------------------------------------------------------------------------------------------ curves


def test_runs_recorded_together_and_apart(record):
    record.write(
        series=[
            chunk("r0", "train.loss", [0, 10], [1, 2]),
            chunk("r1", "train.loss", [0, 10], [3, 4]),
            chunk("r2", "train.loss", [0], [5]),  # another length, in the same write
        ]
    )
    record.write(
        series=[
            chunk("r1", "train.loss", [20], [6]),  # without r0
            chunk("r3", "test.loss", [20], [7]),
        ]
    )
    record.write(
        series=[
            chunk("r0", "train.loss", [30], [np.nan]),  # together again, in another order
            chunk("r1", "train.loss", [30], [np.inf]),
        ]
    )
    curves = record.series("train.loss", ["r3", "r2", "r1", "r0", "no such run"])
    assert list(curves) == ["r2", "r1", "r0"]
    expected = {
        "r0": ([0, 10, 30], [1, 2, np.nan]),
        "r1": ([0, 10, 20, 30], [3, 4, 6, np.inf]),
        "r2": ([0], [5]),
    }
    for run, (steps, values) in curves.items():
        assert steps.dtype == np.int32
        assert values.dtype == np.float32
        np.testing.assert_array_equal(steps, expected[run][0])
        np.testing.assert_array_equal(values, expected[run][1])


def test_curves_may_be_changed_without_changing_each_other(record):
    record.write(series=[chunk(run, "train.loss", [0, 1], [1, 2]) for run in ("r0", "r1")])
    curves = record.series("train.loss", ["r0", "r1"])
    curves["r0"][0][:] = 7
    curves["r0"][1][:] = 7
    np.testing.assert_array_equal(curves["r1"][0], [0, 1])
    np.testing.assert_array_equal(curves["r1"][1], [1, 2])


def test_values_are_rounded_to_float32_and_empty_chunks_are_nothing(record):
    nothing = np.array([])
    record.write(
        series=[
            SeriesChunk("r0", "a", np.array([1, 2], np.int64), np.array([0.1, 1e300])),
            SeriesChunk("r1", "a", nothing, nothing),
        ]
    )
    curves = record.series("a", ["r0", "r1"])
    assert list(curves) == ["r0"]
    np.testing.assert_array_equal(curves["r0"][1], [np.float32(0.1), np.inf])


def test_names_and_layers_come_in_order_of_first_appearance(record):
    record.write(
        series=[
            chunk("r0", name, [1], [0])
            for name in ("batch.loss", "gradient_norm.out", "gradient_norm.block.0", "rate")
        ]
    )
    record.write(
        series=[
            *(chunk("r1", name, [1], [0]) for name in ("gradient_norm.block.0", "dead.out")),
            *(chunk("r0", name, [2], [0]) for name in ("dead.block.0", "dead.first", "rate")),
            chunk("r2", "validation.accuracy", [1], [0]),
        ]
    )
    assert record.series_names(["r0"]) == [
        *("batch.loss", "gradient_norm.out", "gradient_norm.block.0", "rate"),
        *("dead.block.0", "dead.first"),
    ]
    assert record.series_names(["r1"]) == ["gradient_norm.block.0", "dead.out"]
    assert record.series_names(["r3"]) == []
    layers = [run.layers for run in record.experiment().runs]
    assert layers == [("out", "block.0", "first"), ("block.0", "out"), (), ()]


# ------------------------------------------------------------------------- arrays and checkpoints


def test_arrays_of_any_layout_are_read_back_by_run(record, project):
    random = np.random.default_rng(0)
    stacked = {
        "weight": random.normal(size=(3, 4, 2)).transpose(0, 2, 1),  # not contiguous
        "scalar": random.normal(size=2).astype(np.float16),
        "flag": np.array([[True], [False]]),
        "empty": np.zeros((2, 0), np.float32),
        "big-endian": np.array([[1.5], [2.5]], ">f4"),
        "key": np.array([[1, 2], [3, 2**32 - 1]], np.uint32),
    }
    stacked["weight"] = stacked["weight"][:2]
    record.write(arrays=ArraysUpdate(("r2", "r0"), stacked))
    for row, run in enumerate(("r2", "r0")):
        arrays = record.arrays(run)
        assert arrays.keys() == stacked.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, stacked[name][row], strict=name != "big-endian")
    assert list(record.arrays("r2", ["key", "flag"])) == ["key", "flag"]
    assert record.arrays("r1") == {}
    [file] = names_in(project)
    held = load_file(project / "arrays" / file)
    np.testing.assert_array_equal(held["weight"], stacked["weight"])


def test_a_later_array_supersedes_and_a_file_goes_when_nothing_of_it_is_needed(record, project):
    def put(runs: tuple[str, ...], **values: float) -> set[str]:
        before = set(names_in(project))
        arrays = {name: np.full((len(runs), 2), value) for name, value in values.items()}
        record.write(arrays=ArraysUpdate(runs, arrays))
        return set(names_in(project)) - before

    first = put(("r0", "r1"), a=1, b=1)
    second = put(("r1", "r2"), a=2)
    assert set(names_in(project)) == first | second
    third = put(("r0",), a=3, b=3)
    assert set(names_in(project)) == first | second | third, "r1 needs b of the first"
    fourth = put(("r1",), b=4)
    assert set(names_in(project)) == second | third | fourth
    held = {run: {k: v[0] for k, v in record.arrays(run).items()} for run in ("r0", "r1", "r2")}
    assert held == {"r0": {"a": 3, "b": 3}, "r1": {"a": 2, "b": 4}, "r2": {"a": 2}}
    fifth = put(("r2", "r1", "r0"), a=5, b=5)
    assert set(names_in(project)) == fifth


def test_a_checkpoint_replaces_the_one_before_until_it_is_finished(record, project):
    state = {"x": np.arange(6.0).reshape(2, 3), "step": np.asarray(np.int32(7))}
    record.write(checkpoint=Checkpoint("w1", ("r0", "r1"), 10, {"x": np.zeros(3)}))
    record.write(checkpoint=Checkpoint("w1", ("r1", "r0"), 20, state, {"best": [1, None]}))
    record.write(checkpoint=Checkpoint("w2", ("r2",), 5, {}))
    assert len(names_in(project)) == 2
    for found in (record.checkpoint("w1"), record.checkpoints()[0]):
        assert (found.id, found.runs, found.step) == ("w1", ("r1", "r0"), 20)
        assert found.extra == {"best": [1, None]}
        assert dict(found.arrays).keys() == state.keys()
        for name, array in state.items():
            np.testing.assert_array_equal(found.arrays[name], array, strict=True)
        assert len(found.arrays) == 2
        assert "y" not in found.arrays
    record.write(finished_checkpoint="w1")
    record.write(finished_checkpoint="never was")
    assert [checkpoint.id for checkpoint in record.checkpoints()] == ["w2"]
    assert len(names_in(project)) == 1


def test_all_of_it_is_there_after_closing(record, project):
    record.write(
        updates=[RunUpdate("r0", "training", 10)],
        series=[chunk("r0", "train.loss", [0, 10], [2, 1])],
        program="p1",
        checkpoint=Checkpoint("w", ("r0",), 10, {"x": np.ones(2)}),
        arrays=ArraysUpdate(("r0",), {"a": np.ones((1, 2))}),
    )
    expected = record.experiment()
    record.close()
    record.close()
    for write in (False, True):
        with Record.open(str(project), write=write) as again:
            assert again.experiment() == expected
            np.testing.assert_array_equal(again.series("train.loss", ["r0"])["r0"][1], [2, 1])
            assert again.checkpoint("w").step == 10
            np.testing.assert_array_equal(again.arrays("r0")["a"], [1, 1])


def test_orphans_are_swept_on_opening_for_writing_and_only_then(record, project):
    record.write(arrays=ArraysUpdate(("r0",), {"a": np.ones((1, 2))}))
    named = names_in(project)
    record.close()
    for orphan in ("0.safetensors", "1.safetensors.partial", "mine.txt"):
        (project / "arrays" / orphan).touch()
    with Record.open(project):
        assert len(names_in(project)) == 4
    with Record.open(project, write=True):
        assert names_in(project) == sorted([*named, "mine.txt"])


@pytest.mark.parametrize("seed", [0, 2**63 - 1, -1])
def test_seeds_are_whole_numbers_of_64_bits(record, seed):
    runs = (Run("s", {}, seed),)
    record.add_experiment(Experiment("seeds", "", {}, None, {}, runs))
    assert record.experiment("seeds").runs == runs


def test_a_file_superseded_between_finding_and_opening_is_looked_for_again(
    record, project, monkeypatch
):
    def put(value: float) -> None:
        record.write(
            arrays=ArraysUpdate(("r0",), {"a": np.array([[value]])}),
            checkpoint=Checkpoint("w", ("r0",), int(value), {"x": np.array([value])}),
        )

    put(1)
    opened = files.safe_open
    coming = [2, 3]

    def late(path: Path, framework: str) -> object:
        if coming:
            put(coming.pop(0))
        return opened(path, framework=framework)

    with Record.open(project) as reader, monkeypatch.context() as patch:
        patch.setattr(files, "safe_open", late)
        assert reader.arrays("r0")["a"] == 3
        coming[:] = [4]
        assert reader.checkpoint("w").arrays["x"] == 4
