"""A run's numbers do not depend on its company, on how it was cut up, or on interruptions."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pytest
from tests.engine.laboratory_setup import (
    assert_same_bits,
    cut_off,
    everything,
    jobs,
    recipe,
    trained,
)

from thalweg.catalogue.layers import (
    Activate,
    BatchNormalization,
    Convolution,
    Dense,
    Flatten,
    Reshape,
)
from thalweg.catalogue.networks import MLP, Sequential
from thalweg.catalogue.optimizers import Adam, Momentum
from thalweg.catalogue.schedules import ReduceOnPlateau
from thalweg.data import Moons
from thalweg.engine import program, streams, wave
from thalweg.engine import train as train_module
from thalweg.engine.devices import mesh
from thalweg.engine.lanes import Rows
from thalweg.engine.plan import group, stack_lanes
from thalweg.record.store import Record
from thalweg.spec import EarlyStopping

# These bits are those of programs as they are compiled for use.
pytestmark = pytest.mark.optimized

RATES = np.geomspace(1e-3, 0.3, 64)

RECIPES = {
    "adam": lambda rate: recipe(optimizer=Adam(learning_rate=float(rate))),
    "dropout": lambda rate: recipe(
        network=MLP(hidden=(8, 8), dropout=0.3), optimizer=Momentum(learning_rate=float(rate))
    ),
    "convolution": lambda rate: recipe(
        network=Sequential(
            layers=(
                Reshape(shape=(2, 1)),
                Convolution(filters=4, size=(2,), padding="same"),
                BatchNormalization(),
                Activate(),
                Flatten(),
                Dense(),
            )
        ),
        optimizer=Momentum(learning_rate=float(rate)),
    ),
    "one lane a chunk": lambda rate: recipe(
        network=MLP(hidden=(320, 320), dropout=0.1), optimizer=Momentum(learning_rate=float(rate))
    ),
    "batch normalization": lambda rate: recipe(
        network=MLP(hidden=(8,), normalization=BatchNormalization(statistics="population")),
        optimizer=Adam(learning_rate=float(rate)),
        training={"epochs": 8, "early_stopping": EarlyStopping(patience=3), "evaluate_every": 1},
    ),
    "restored": lambda rate: recipe(
        optimizer=Momentum(
            learning_rate=ReduceOnPlateau(initial=float(rate), factor=0.3, patience=1)
        ),
        training={"epochs": 12, "early_stopping": EarlyStopping(patience=3), "evaluate_every": 1},
    ),
}


@pytest.fixture(params=RECIPES)
def runs(request: pytest.FixtureRequest) -> list:
    """64 runs; fewer where each of them is a chunk, and takes as long as four small ones."""
    rates = RATES[::4] if request.param == "one lane a chunk" else RATES
    return jobs(RECIPES[request.param](rate) for rate in rates)


def test_alone_among_8_and_among_all(runs: list, tmp_path: Path) -> None:
    watched = runs[5]
    found = []
    for name, company in (
        ("alone", [watched]),
        ("eight", runs[2:10]),
        ("all", runs),
        ("reversed", runs[::-1]),
    ):
        with trained(company, tmp_path / name) as record:
            found.append(everything(record, watched.id))
    for other in found[1:]:
        assert_same_bits(found[0], other)


def test_large_networks_have_a_chunk_to_themselves() -> None:
    (large,) = group(jobs([RECIPES["one lane a chunk"](0.1)]))
    (small,) = group(jobs([RECIPES["adam"](0.1)]))
    assert (program.width_for(large.flops), program.width_for(small.flops)) == (1, 4)


def test_every_seed_and_step_has_streams_of_its_own() -> None:
    seeds, steps = np.arange(5, dtype=np.uint32), range(3)
    keys = [
        *(streams.initialization_key(seed) for seed in seeds),
        *(streams.noise_key(seed, np.int32(step)) for seed in seeds for step in steps),
    ]
    assert len({np.asarray(jax.random.key_data(key)).tobytes() for key in keys}) == 20
    assert len({streams.order_words(seed).tobytes() for seed in range(5)}) == 5


def test_lanes_have_random_streams_of_their_own() -> None:
    made = jobs([recipe()], range(5))
    lanes = stack_lanes(made, [Rows(*(np.zeros(1),) * 3) for _ in made])
    assert len(np.unique(lanes.seed)) == len(np.unique(lanes.order, axis=0)) == 5
    example = jax.ShapeDtypeStruct((1, 2), np.float32)
    started = program.start([(j.recipe.network, j.recipe.optimizer, j.seed) for j in made], example)
    kernels = started.parameters["dense_0"]["kernel"]
    assert len(np.unique(kernels.reshape(5, -1), axis=0)) == 5


def test_same_seed_starts_alike_whatever_else_differs(tmp_path: Path) -> None:
    pair = jobs([recipe(optimizer=Adam()), recipe(optimizer=Momentum())])
    with trained(pair, tmp_path) as record:
        first, second = (
            [record.series(name, [job.id])[job.id][1][0] for name in ("train.loss", "test.loss")]
            for job in pair
        )
    assert first == second
    assert (pair[0].split.train == pair[1].split.train).all()


def test_cut_differently(runs: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = runs[:4]
    with trained(watched, tmp_path / "long") as record:
        whole = [everything(record, job.id) for job in watched]
    monkeypatch.setattr(train_module, "call_length", lambda *_: 1)
    with trained(watched, tmp_path / "short") as record:
        cut = [everything(record, job.id) for job in watched]
    for first, second in zip(whole, cut, strict=True):
        assert_same_bits(first, second)


def test_interrupted_and_resumed(
    runs: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = runs[3:9]
    with trained(watched, tmp_path / "whole") as record:
        whole = [everything(record, job.id) for job in watched]
    monkeypatch.setattr(wave, "WRITE_EVERY", 0.0)
    monkeypatch.setattr(train_module, "call_length", lambda *_: 2)
    for stop_after in (1, 4, 9):
        cut_off(watched, tmp_path / "cut", stop_after)
        with Record.open(tmp_path / "cut") as record:
            (checkpoint,) = record.checkpoints()
            assert checkpoint.step > 0
    with trained(watched, tmp_path / "cut") as record:
        resumed = [everything(record, job.id) for job in watched]
        assert record.checkpoints() == []
    for first, second in zip(whole, resumed, strict=True):
        assert_same_bits(first, second)


def test_neighbours_of_a_diverged_run_keep_every_bit(tmp_path: Path) -> None:
    wild = jobs([recipe(optimizer=Momentum(learning_rate=1e4))])
    calm = jobs(recipe(optimizer=Momentum(learning_rate=float(rate))) for rate in RATES[:3])
    with trained(calm, tmp_path / "calm") as record:
        alone = [everything(record, job.id) for job in calm]
    with trained([calm[0], *wild, *calm[1:]], tmp_path / "wild") as record:
        beside = [everything(record, job.id) for job in calm]
        assert record.outcomes([wild[0].id]) == {wild[0].id: "diverged"}
    for first, second in zip(alone, beside, strict=True):
        assert_same_bits(first, second)


def test_runs_that_go_on_are_moved_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Half an epoch after the start nearly all have diverged; those that go on stand far apart.
    wild = jobs(recipe(optimizer=Momentum(learning_rate=1e4 + number)) for number in range(61))
    calm = jobs(recipe(optimizer=Momentum(learning_rate=float(rate))) for rate in RATES[:3])
    with trained(calm, tmp_path / "calm") as record:
        alone = [everything(record, job.id) for job in calm]
    turns = []
    original = wave.Wave._call

    def counted(self: wave.Wave, state: object, live: np.ndarray, *rest: object) -> object:
        turns.append(self.layout.turns(live))
        return original(self, state, live, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(wave.Wave, "_call", counted)
    monkeypatch.setattr(train_module, "call_length", lambda *_: 2)
    company = [*wild[:10], calm[0], *wild[10:40], calm[1], *wild[40:], calm[2]]
    with trained(company, tmp_path / "wild") as record:
        beside = [everything(record, job.id) for job in calm]
        diverged = record.outcomes([job.id for job in wild])
    assert set(diverged.values()) == {"diverged"}
    assert turns[0] == len(company) // 4 // mesh().size
    assert turns[-1] == 1
    for first, second in zip(alone, beside, strict=True):
        assert_same_bits(first, second)


def test_probes_do_not_disturb(tmp_path: Path) -> None:
    looked, unseen = jobs([recipe(training={"probes": 5}), recipe(training={"probes": 0})])
    with trained([looked, unseen], tmp_path) as record:
        first, second = record.arrays(looked.id), record.arrays(unseen.id)
    assert_same_bits(first, second)


def test_data_sets_that_differ_in_values_share_a_program(tmp_path: Path) -> None:
    noisy = [recipe(data=Moons(samples=120, noise=n, split=(0.5, 0.25, 0.25))) for n in (0.1, 0.3)]
    both = jobs(noisy)
    with trained(both, tmp_path / "both") as record:
        together = [everything(record, job.id) for job in both]
        assert len(record.experiment("test").programs) == 1
    for job, first in zip(both, together, strict=True):
        with trained([job], tmp_path / job.id) as record:
            assert_same_bits(first, everything(record, job.id))


def test_few_compilations_for_any_number_of_runs(tmp_path: Path) -> None:
    program._advance.cache_clear()
    traces = []
    original = program._advance_chunk

    def counted(*given: object) -> object:
        traces.append(1)
        return original(*given)  # type: ignore[arg-type]

    program._advance_chunk = counted
    try:
        for count in (1, 3, 17, 19, 30):
            company = jobs(recipe(optimizer=Adam(learning_rate=float(r))) for r in RATES[:count])
            trained(company, tmp_path / str(count)).close()
    finally:
        program._advance_chunk = original
        program._advance.cache_clear()
    # One size of up to two chunks on every device, one of up to eight.
    assert 1 <= len(traces) <= 2
