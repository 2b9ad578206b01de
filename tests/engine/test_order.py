"""Mini-batches of rows of like length: what is in them, and that cutting them changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.engine.laboratory_setup import assert_same_bits, everything, jobs, recipe, trained

from thalweg.catalogue.cells import GRU, LSTM
from thalweg.catalogue.layers import Convolution, Dense, Embedding, Flatten, GlobalPooling
from thalweg.catalogue.networks import (
    EncoderDecoder,
    RecurrentNetwork,
    Sequential,
    Transformer,
    TransformerEncoderDecoder,
)
from thalweg.catalogue.optimizers import Adam
from thalweg.data import Dataset, Moons, Names, Pairs, Parity, Reverse
from thalweg.data.translation import translation
from thalweg.engine import order
from thalweg.engine.lanes import Pool, Rows, Shape, rows_at, train_step, weights_at
from thalweg.engine.order import by_length, cuts_of
from thalweg.engine.plan import Job, check_network, group, stack_lanes
from thalweg.engine.program import start
from thalweg.engine.room import capacity
from thalweg.errors import SpecError

PARITY = Parity(samples=140, shortest=2, longest=13, split=(0.6, 0.2, 0.2))
REVERSE = Reverse(samples=140, shortest=2, longest=9, split=(0.6, 0.2, 0.2))
JOINED = Reverse(samples=140, shortest=2, longest=9, layout="joined", split=(0.6, 0.2, 0.2))

NETWORKS = {
    "sequences, both ways": (PARITY, RecurrentNetwork(cell=LSTM(), hidden=(5,), direction="both")),
    "steps": (JOINED, RecurrentNetwork(cell=GRU(), hidden=(5, 4), returns="sequence")),
    "causal attention": (JOINED, Transformer(width=8, heads=2, causal=True, returns="sequence")),
    "windows": (
        PARITY,
        Sequential(
            layers=(
                Embedding(features=4),
                Convolution(filters=5, size=(3,), padding="same"),
                GlobalPooling(over="max"),
                Dense(),
            )
        ),
    ),
    "two halves": (REVERSE, EncoderDecoder(units=6, context="attention", direction="both")),
    "two halves that attend": (REVERSE, TransformerEncoderDecoder(width=8, heads=2)),
}


@pytest.fixture
def few_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three lengths instead of six, each of which takes its time to compile."""
    monkeypatch.setattr(order, "MOST_CUTS", 3)


def ordered(data: Any, network: Any, seeds: Any = (0,), **training: Any) -> list[Job]:
    made = recipe(
        data=data,
        network=network,
        optimizer=Adam(learning_rate=0.01),
        training={"order": "by_length", "batch_size": 8, **training},
    )
    return jobs([made], seeds)


def lane_of(job: Job) -> tuple[Any, Pool]:
    """The lane of a run, without an axis of lanes, and its data."""
    place = by_length(job.dataset)
    split = (job.split.train, job.split.validation, job.split.test)
    rows = Rows(*(part[np.argsort(place[part], kind="stable")] for part in split))
    lane = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), stack_lanes([job], [rows]))
    return lane, Pool(jnp.asarray(job.dataset.inputs), jnp.asarray(job.dataset.targets))


def epoch(job: Job, number: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows and weights of every mini-batch of an epoch."""
    (members,), (lane, _) = group([job]), lane_of(job)
    shape = members.shape

    def taken(step: jax.Array) -> tuple[jax.Array, jax.Array]:
        rows, weights = rows_at(lane, shape, step), weights_at(lane, shape, step, jnp.float32)
        return rows, jnp.ones(len(rows)) if weights is None else weights

    steps = number * shape.steps_per_epoch + jnp.arange(shape.steps_per_epoch)
    return zip(*map(np.asarray, jax.jit(jax.vmap(taken))(steps)), strict=True)


@pytest.mark.parametrize("batch_size", [1, 8, 12, 83, "full"])
def test_an_epoch_holds_every_row_once(batch_size: int | str) -> None:
    (job,) = ordered(PARITY, NETWORKS["windows"][1], batch_size=batch_size)
    seen = []
    for number in (0, 1, 5):
        batches = list(epoch(job, number))
        rows = np.concatenate([rows[weights > 0] for rows, weights in batches])
        assert sorted(rows) == sorted(job.split.train)
        seen.append(rows.tolist())
    assert (seen[0] == seen[1]) is (batch_size == "full")


def test_rows_of_a_mini_batch_are_of_like_length_and_come_in_random_order() -> None:
    data = Parity(samples=2000, shortest=2, longest=30)
    (job,) = ordered(data, NETWORKS["windows"][1])
    lengths = (job.dataset.inputs >= 0).sum(axis=1)
    spans, means = [], []
    for rows, weights in epoch(job, 0):
        spans.append(np.ptp(lengths[rows[weights > 0]]))
        means.append(lengths[rows[weights > 0]].mean())
    assert max(spans) <= 4
    assert abs(np.corrcoef(np.arange(len(means)), means)[0, 1]) < 0.3
    # Which rows come together changes from epoch to epoch.
    pairs = [{frozenset(rows.tolist()) for rows, _ in epoch(job, number)} for number in (0, 1)]
    assert len(pairs[0] & pairs[1]) < len(pairs[0]) / 10


@pytest.mark.usefixtures("few_cuts")
@pytest.mark.parametrize("name", NETWORKS)
def test_a_cut_changes_no_step(name: str) -> None:
    """Parameters after steps on cut mini-batches are those of steps on whole ones, in double
    precision, as sums of fewer zeros round otherwise."""
    data, network = NETWORKS[name]
    (job,) = ordered(data, network)
    check_network(job)
    (members,) = group([job])
    cuts = members.shape.cuts
    assert len(cuts) == 3
    with jax.enable_x64(True):
        lane, pool = lane_of(job)
        shapes = (replace(members.shape, cuts=kept) for kept in (cuts, cuts[-1:]))
        found, taken = [stepped(job, lane, pool, shape) for shape in shapes], set()
        for step in range(8):
            tokens = pool.inputs[rows_at(lane, members.shape, jnp.int32(step))]
            taken.add(next(i for i, cut in enumerate(cuts) if cut.holds(tokens)))
    assert len(taken) > 1
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-9), *found)


def stepped(job: Job, lane: Any, pool: Pool, shape: Shape) -> Any:
    """Parameters and objectives after eight steps."""
    recipe = job.recipe
    state = start([(recipe.network, recipe.optimizer, job.seed)], job.example())
    state = jax.tree.map(lambda leaf: _double(leaf[0]), state)
    step_of: Callable[..., Any] = jax.jit(partial(train_step, lane, pool, shape))
    objectives = []
    for number in range(8):
        step = jnp.int32(number)
        state, value = step_of(state, step, rows_at(lane, shape, step), jnp.zeros(0, jnp.int32))
        objectives.append(value)
    return state.parameters, objectives


def _double(leaf: Any) -> jax.Array:
    array = jnp.asarray(leaf)
    return array.astype(float) if jnp.issubdtype(array.dtype, jnp.floating) else array


@pytest.mark.usefixtures("few_cuts")
def test_company_changes_no_bit(tmp_path: Path) -> None:
    data, network = NETWORKS["steps"]
    runs = ordered(data, network, range(5), epochs=2, probes=2)
    assert capacity(group(runs)[0]).width == 1
    with trained(runs[3:4], tmp_path / "alone") as record:
        alone = everything(record, runs[3].id)
    with trained(runs[::-1], tmp_path / "all") as record:
        assert_same_bits(alone, everything(record, runs[3].id))


@pytest.mark.usefixtures("few_cuts")
def test_evaluation_counts_all_steps_however_it_is_cut(tmp_path: Path) -> None:
    data, network = NETWORKS["steps"]
    (plain,) = jobs([recipe(data=data, network=network, training={"batch_size": 8})])
    (cut,) = ordered(data, network)
    with trained([plain, cut], tmp_path) as record:
        start_of = [
            {
                name: record.series(name, [job.id])[job.id][1][0]
                for name in ("train.loss", "validation.loss", "test.loss", "test.accuracy")
            }
            for job in (plain, cut)
        ]
    assert start_of[0] == pytest.approx(start_of[1], rel=1e-5)


@pytest.mark.parametrize(
    ("source", "before"), [(Names(), 0.5), (Pairs(), 0.5)], ids=["names", "pairs"]
)
def test_little_is_padded_of_real_data(
    source: Any, before: float, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THALWEG_DATA", str(data_folder))
    network = EncoderDecoder() if isinstance(source, Pairs) else RecurrentNetwork(hidden=(4,))
    if not isinstance(source, Pairs):
        network = RecurrentNetwork(hidden=(4,), returns="sequence")
    (job,) = ordered(source, network, batch_size=32)
    inputs, own = job.dataset.inputs, job.dataset.source_time
    source, rest = ((part >= 0).sum(axis=1) for part in (inputs[:, :own], inputs[:, own:]))
    used = 0
    for rows, _ in epoch(job, 0):
        longest = source[rows].max(), rest[rows].max()
        fitting = next(c for c in job.cuts if longest[0] <= c.source and longest[1] <= c.steps)
        used += len(rows) * (fitting.steps + fitting.source)
    real = (inputs[job.split.train] >= 0).sum()
    assert 1 - real / inputs[job.split.train].size > before
    assert 1 - real / used < 0.2


def test_a_cut_that_holds_loses_no_token() -> None:
    random = np.random.default_rng(0)
    sides = [
        [random.choice(list("abc"), size).tolist() for size in random.integers(1, 12, 300)]
        for _ in range(2)
    ]
    data = translation(*sides, "abc", "abc")
    cuts, answers = cuts_of(data), []
    for _ in range(100):
        tokens = data.inputs[random.choice(300, 2)]
        for cut in cuts:
            kept = np.asarray(cut.inputs(jnp.asarray(tokens)))
            assert kept.shape == (2, cut.source + cut.steps)
            answers.append(bool(cut.holds(jnp.asarray(tokens))))
            assert answers[-1] == ((kept >= 0).sum() == (tokens >= 0).sum())
    assert len(cuts) == order.MOST_CUTS
    assert 0 < np.mean(answers) < 1


def test_what_has_no_lengths_is_refused() -> None:
    with pytest.raises(SpecError, match="needs sequences of tokens, but the data of Moons"):
        ordered(Moons(), RecurrentNetwork())
    flat = Sequential(layers=(Embedding(features=4), Flatten(), Dense()))
    (job,) = ordered(PARITY, flat)
    with pytest.raises(SpecError, match="sequences of any length, and Sequential is for 13 steps"):
        check_network(job)


def test_sequences_of_one_length_are_not_cut() -> None:
    data: Dataset = Parity(samples=50, shortest=6, longest=6).load()
    (cut,) = cuts_of(data)
    assert (cut.steps, cut.source) == (6, 0)
