"""Data on disk are fed: every number is that of the same data in memory, to the last bit."""

from __future__ import annotations

from dataclasses import replace as with_fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.engine.laboratory_setup import assert_same_bits, cut_off, everything, recipe, trained

from thalweg.catalogue.augmentations import Flip, Noise
from thalweg.catalogue.cells import GRU, LSTM
from thalweg.catalogue.layers import BatchNormalization
from thalweg.catalogue.networks import MLP, VGG, RecurrentNetwork, Transformer
from thalweg.catalogue.optimizers import GradientDescent
from thalweg.catalogue.preprocessing import PCA, Center, MaxAbs, MinMax, Standardize
from thalweg.catalogue.preprocessing.fitting import fitted_to
from thalweg.catalogue.preprocessing.scaling import fill_only
from thalweg.catalogue.starts import OutputBias, UnitVariance
from thalweg.data import Dataset, Digits, Reverse, Text, TextShards, stored
from thalweg.data.stored import Files, MappedRows, Stored, in_blocks
from thalweg.engine import feeding, lanes, order, refusals, wave
from thalweg.engine import train as train_module
from thalweg.engine.attending import attended
from thalweg.engine.devices import mesh
from thalweg.engine.kept import said
from thalweg.engine.plan import Job, check_network, group, jobs_of, resolve
from thalweg.engine.train import Pools
from thalweg.errors import DataError, MissingExtra, SpecError
from thalweg.spec import EarlyStopping, Recipe

SPLIT = (0.6, 0.2, 0.2)


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So little at a time that a few rows are fed, and evaluated, in many calls."""
    monkeypatch.setenv("THALWEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(feeding, "PORTION", 2**15)
    monkeypatch.setattr(lanes, "EVALUATION_ROWS", 32)
    monkeypatch.setattr(order, "MOST_CUTS", 2)


def on_disk(dataset: Dataset, folder: Path) -> Dataset:
    """The same data, whose inputs stay in a file."""
    path = folder / "inputs.npy"
    np.save(path, dataset.whole("a file"))
    files, shape, dtype = Files.of([path]), dataset.inputs.shape, dataset.inputs.dtype
    begin = path.stat().st_size - dataset.inputs.nbytes
    read = MappedRows(files, dtype, begin, shape, dtype)
    lying = Stored(files, read, shape, dtype, checked=bool(dataset.vocabulary))
    return with_fields(dataset, inputs=lying)


def runs(one: Recipe, data: Dataset, seeds: int = 2) -> list[Job]:
    return jobs_of(resolve(one, data), data, range(seeds))


def digits(shape: tuple[int, ...], rows: int = 160) -> Dataset:
    """Digits as a table, images or sequences; one cell of a table is missing."""
    data = Digits().load()
    inputs = np.array(data.inputs[:rows]).reshape(rows, *shape)
    if inputs.ndim == 2:
        inputs[3, 5] = np.nan
    return with_fields(data, inputs=inputs, targets=data.targets[:rows], feature_names=())


def dense(folder: Path) -> tuple[Recipe, Dataset]:
    network = MLP(hidden=(12, 6), normalization=BatchNormalization(), dropout=0.2)
    training = {
        "batch_size": 20,
        "early_stopping": EarlyStopping(patience=2),
        "probe_also": "input_shift",
        "resample": "bootstrap",
    }
    given = {"network": network, "augmentation": (Noise(),), "preprocessing": Standardize()}
    return recipe(data=Digits(split=SPLIT), training=training, **given), digits((64,))


def convolutional(folder: Path) -> tuple[Recipe, Dataset]:
    network = VGG(filters=(4,), convolutions=1, hidden=(), normalization=BatchNormalization())
    given = {"network": network, "augmentation": (Flip(),)}
    return recipe(data=Digits(split=SPLIT), **given), digits((8, 8, 1))


def recurrent(folder: Path) -> tuple[Recipe, Dataset]:
    network = RecurrentNetwork(cell=LSTM(), hidden=(6,), dropout=0.2)
    training = {"probe_also": "state_gradient", "portions": 2}
    return recipe(data=Digits(split=SPLIT), network=network, training=training), digits((8, 8))


def streams(folder: Path) -> tuple[Recipe, Dataset]:
    path = folder / "text.txt"
    path.write_text("".join(np.random.default_rng(5).choice(list("abcd"), 6400)))
    data = Text(path=str(path), window=40, split=SPLIT, stretches=True)
    network = RecurrentNetwork(cell=LSTM(), hidden=(4,), returns="sequence")
    training = {"batch_size": 7, "order": "streams"}
    return recipe(data=data, network=network, training=training), data.load()


def by_length(folder: Path) -> tuple[Recipe, Dataset]:
    data = Reverse(samples=140, shortest=2, longest=9, layout="joined", split=SPLIT)
    network = RecurrentNetwork(cell=GRU(), hidden=(5,), returns="sequence")
    training = {"batch_size": 8, "order": "by_length", "epochs": 3}
    return recipe(data=data, network=network, training=training), data.load()


FAMILIES = [dense, convolutional, recurrent, streams, by_length]


def in_shards(folder: Path, rows: Any = None) -> tuple[Recipe, TextShards]:
    """Three files of text, and a network that reads windows of it."""
    corpus = folder / "corpus"
    corpus.mkdir()
    letters = np.random.default_rng(5).choice(list("abcd"), 4000)
    for number, part in enumerate(np.split(letters, [900, 3100])):
        (corpus / f"{number}.txt").write_text("".join(part))
    data = TextShards(path=str(corpus), window=20, split=SPLIT)
    network = RecurrentNetwork(cell=LSTM(), hidden=(4,), returns="sequence")
    training = {"batch_size": 7, "order": rows}
    return recipe(data=data, network=network, training=training), data


def left_on_disk(source: Any, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """What a source yields where nothing is small."""
    with monkeypatch.context() as patched:
        patched.setattr(stored, "WHOLE", 0)
        patched.setattr(stored, "BLOCK", 2**12)
        return source.load()


def seen(wanted: list[Job], project: Path) -> list[dict[str, np.ndarray]]:
    """All that is recorded of every run: curves, parameters, what was fitted, final metrics."""
    with trained(wanted, project) as record:
        finals = {run.id: run.finals for run in record.experiment("test").runs}
        metrics = [
            {f"final {name}": np.float64(value) for name, value in finals[job.id].items()}
            for job in wanted
        ]
        return [everything(record, job.id) | own for job, own in zip(wanted, metrics, strict=True)]


def compared(
    one: Recipe, data: Dataset, folder: Path, seeds: int = 2, lying: Dataset | None = None
) -> None:
    """Hold runs that are fed to those in memory."""
    lying = lying or on_disk(data, folder)
    here, there = runs(one, data, seeds), runs(one, lying, seeds)
    assert [job.id for job in here] == [job.id for job in there]
    ours, theirs = seen(here, folder / "here"), seen(there, folder / "there")
    for whole, fed in zip(ours, theirs, strict=True):
        assert_same_bits(whole, fed)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_fed_runs_are_those_in_memory_to_the_bit(family: Any, tmp_path: Path) -> None:
    compared(*family(tmp_path), tmp_path)


@pytest.mark.slow
@pytest.mark.optimized
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_so_are_they_in_programs_as_they_are_outside_of_tests(family: Any, tmp_path: Path) -> None:
    compared(*family(tmp_path), tmp_path)


@pytest.mark.parametrize("rows", [None, "streams"])
def test_so_are_those_on_text_in_shards(
    rows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, source = in_shards(tmp_path, rows)
    lying = left_on_disk(source, monkeypatch)
    assert isinstance(lying.targets, Stored)
    compared(one, source.load(), tmp_path, lying=lying)


@pytest.mark.parametrize("spread", ["batch", "parameters"])
def test_so_are_runs_that_all_devices_share(spread: Any, tmp_path: Path) -> None:
    if mesh().size == 1 or 20 % mesh().size:
        pytest.skip("mini-batches of 20 rows are to be divided")
    one, data = dense(tmp_path)
    training = with_fields(one.training, spread=spread)
    compared(with_fields(one, training=training), data, tmp_path)


def test_runs_that_diverge_go_back_to_the_same_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "FEWEST", 8)
    network = MLP(hidden=(8,))
    one = recipe(
        data=Digits(split=SPLIT),
        network=network,
        optimizer=GradientDescent(learning_rate=0.6),
        training={
            "diverged_above": 1.3,
            "batch_size": 4,
            "epochs": 2,
            "evaluate_every": 2,
            "probes": 0,
        },
    )
    data = digits((64,))
    compared(one, data, tmp_path, seeds=6)  # in two chunks, which go back to different steps
    with trained(runs(one, on_disk(data, tmp_path), 6), tmp_path / "again") as record:
        assert "diverged" in {run.outcome for run in record.experiment("test").runs}


def test_starts_that_look_at_data_see_the_same(tmp_path: Path) -> None:
    given = {"start": (OutputBias(), UnitVariance(rows=40)), "training": {"epochs": 1}}
    compared(recipe(data=Digits(split=SPLIT), **given), digits((64,)), tmp_path, seeds=1)


# ------------------------------------------------------------------------------------- interrupted


@pytest.mark.parametrize(("text", "calls"), [(False, 1), (False, 4), (True, 3)])
def test_what_was_cut_off_goes_on_within_an_epoch(
    text: bool, calls: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if text:
        one, source = in_shards(tmp_path)
        wanted = runs(one, left_on_disk(source, monkeypatch))
    else:
        one, data = recurrent(tmp_path)
        wanted = runs(one, on_disk(data, tmp_path))
    whole = seen(wanted, tmp_path / "whole")
    monkeypatch.setattr(wave, "WRITE_EVERY", 0.0)
    monkeypatch.setattr(train_module, "call_length", lambda *_: 2)
    cut_off(wanted, tmp_path / "cut", calls)
    for ours, theirs in zip(whole, seen(wanted, tmp_path / "cut"), strict=True):
        assert_same_bits(ours, theirs)


# ---------------------------------------------------------------------------------- what is read


def supplied(one: Recipe, data: Dataset, seeds: int = 2) -> Any:
    wanted = runs(one, data, seeds)
    (members,) = group(wanted)
    pools = Pools([members])
    return pools.supply(members, wanted, [pools.rows(job) for job in wanted], 50)


def test_a_call_takes_no_more_bytes_than_it_may(tmp_path: Path) -> None:
    one, data = dense(tmp_path)
    supply = supplied(one, on_disk(data, tmp_path))
    live = np.ones(2, bool)
    parts = [(at, int(steps), pool) for at, steps, pool in supply.calls(live, 0, 7)]
    assert [at for at, _, _ in parts] == [0, *np.cumsum([steps for _, steps, _ in parts])[:-1]]
    assert sum(steps for _, steps, _ in parts) == 7
    assert len(parts) > 1
    for _, _, pool in parts:
        assert pool.inputs.nbytes + pool.targets.nbytes <= feeding.PORTION


def test_what_is_read_ahead_is_what_is_asked_for(tmp_path: Path) -> None:
    one, data = dense(tmp_path)
    lying = on_disk(data, tmp_path)
    ahead, asked, live = supplied(one, lying), supplied(one, lying), np.array([True, False])
    ahead.follow([(0, 7), (7, 5)], lambda: live)
    for call in ((0, 7), (3, 2), (7, 5)):  # the second was not told of
        for (*_, ours), (*_, theirs) in zip(
            ahead.calls(live, *call), asked.calls(live, *call), strict=True
        ):
            np.testing.assert_array_equal(ours.numbers, theirs.numbers)
            there = np.unique(ours.numbers)[:-1]  # the last stands where there are no more
            places = ours.places(there)
            np.testing.assert_array_equal(ours.inputs[places], lying.inputs[there])
            np.testing.assert_array_equal(theirs.inputs[places], lying.inputs[there])
            np.testing.assert_array_equal(ours.targets[places], lying.targets[there])
    ahead.close()
    assert ahead.waited > 0


def test_lengths_are_those_in_memory_whatever_the_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, data = by_length(tmp_path)
    lying = on_disk(data, tmp_path)
    here = order.by_length(data), order.cuts_of(data)
    monkeypatch.setattr(stored, "WHOLE", 0)
    monkeypatch.setattr(stored, "BLOCK", 2**10)
    there = order.by_length(lying), order.cuts_of(lying)
    np.testing.assert_array_equal(here[0], there[0])
    assert here[1] == there[1]


def test_a_file_that_changes_while_runs_are_trained_ends_them(tmp_path: Path) -> None:
    one, data = dense(tmp_path)
    wanted = runs(one, on_disk(data, tmp_path))
    np.save(tmp_path / "inputs.npy", np.zeros((3, 3)))
    with pytest.raises(DataError, match=r"inputs\.npy has changed since the data were loaded"):
        seen(wanted, tmp_path / "runs")


def test_predictions_on_a_split_are_those_in_memory(tmp_path: Path) -> None:
    one, data = recurrent(tmp_path)
    (here,), (there,) = runs(one, data, 1), runs(one, on_disk(data, tmp_path), 1)
    with trained([here], tmp_path / "runs") as record:
        kept = record.arrays(here.id)
    assert said(here, kept, "test").tobytes() == said(there, kept, "test").tobytes()


@pytest.mark.parametrize("rows", [None, "streams"])
def test_what_is_said_of_text_on_disk_is_what_is_said_of_it_in_memory(
    rows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, source = in_shards(tmp_path, rows)
    (here,), (there,) = runs(one, source.load(), 1), runs(one, left_on_disk(source, monkeypatch), 1)
    with trained([here], tmp_path / "runs") as record:
        kept = record.arrays(here.id)
    for part in ("train", "validation", "test"):
        assert said(here, kept, part).tobytes() == said(there, kept, part).tobytes()


def test_attention_to_text_on_disk_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, source = in_shards(tmp_path)
    source = with_fields(source, window=8)
    network = Transformer(width=4, heads=1, blocks=1, causal=True, returns="sequence")
    one = with_fields(one, data=source, network=network)
    (here,), (there,) = runs(one, source.load(), 1), runs(one, left_on_disk(source, monkeypatch), 1)
    with trained([here], tmp_path / "runs") as record:
        kept = record.arrays(here.id)
    ours, theirs = attended(here, kept), attended(there, kept)
    assert len(ours) == 2
    for whole, fed in zip(ours, theirs, strict=True):
        assert whole[:3] == fed[:3]
        assert whole.weights.tobytes() == fed.weights.tobytes()


# ----------------------------------------------------------------------------------- preprocessing


@pytest.mark.parametrize("part", [None, Standardize(), Center(), MinMax(), MaxAbs()], ids=repr)
def test_preprocessing_is_fitted_over_blocks(
    part: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = np.array(digits((64,)).inputs)
    inputs[19:35, 7] = np.nan  # all there is of a feature in one block
    inputs[:, 9] = np.nan
    data = with_fields(digits((64,)), inputs=inputs)
    lying = on_disk(data, tmp_path)
    rows = np.arange(3, 150)

    def fitted(dataset: Dataset) -> Any:
        blocks = in_blocks(dataset.inputs, rows)
        return len(blocks), fill_only(blocks) if part is None else fitted_to(part, blocks)

    one, at_once = fitted(data)
    monkeypatch.setattr(stored, "WHOLE", 2**12)
    monkeypatch.setattr(stored, "BLOCK", 2**12)
    several, over = fitted(lying)
    assert (one, several) == (1, 10)
    for ours, theirs, whole in zip(over, fitted(data)[1], at_once, strict=True):
        assert ours.tobytes() == theirs.tobytes()
        np.testing.assert_allclose(ours, whole, rtol=1e-12, atol=1e-12)


REFUSED = {
    "PCA is fitted to all training rows at once": {"preprocessing": PCA(components=2)},
    "batch_size must be less than all rows": {"training": {"batch_size": "full"}},
    'statistics = "population" are of all training rows': {
        "network": MLP(hidden=(4,), normalization=BatchNormalization(statistics="population"))
    },
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_needs_all_rows_is_refused(sentence: str, tmp_path: Path) -> None:
    one = recipe(data=Digits(split=SPLIT), **REFUSED[sentence])
    with pytest.raises(SpecError, match=sentence):
        check_network(runs(one, on_disk(digits((64,)), tmp_path))[0])


def test_grain_is_asked_for_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "find_spec", lambda name: None)
    one, data = dense(tmp_path)
    with pytest.raises(
        MissingExtra, match=r"Digits on disk need grain: pip install 'thalweg\[data\]'"
    ):
        check_network(runs(one, on_disk(data, tmp_path))[0])


def test_a_start_that_needs_all_targets_is_refused_where_they_stay_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, source = in_shards(tmp_path)
    one = with_fields(one, start=(OutputBias(),))
    resolve(one, source.load())
    with pytest.raises(DataError, match="OutputBias needs all targets at once, but they take"):
        resolve(one, left_on_disk(source, monkeypatch))
