"""Sequences of tokens, trained: a class at every step, and one for the whole sequence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from scipy.special import log_softmax
from tests.cli.commands import run_here
from tests.engine.laboratory_setup import everything, recipe, trained

from thalweg.catalogue.activations import ReLU
from thalweg.catalogue.augmentations import Noise
from thalweg.catalogue.layers import (
    Activate,
    BatchNormalization,
    Dense,
    Embedding,
    Flatten,
    GlobalPooling,
    LayerNormalization,
)
from thalweg.catalogue.losses import CategoricalCrossEntropy, Focal
from thalweg.catalogue.networks import Sequential
from thalweg.catalogue.networks.outputs import with_tokens
from thalweg.catalogue.optimizers import Adam
from thalweg.catalogue.preprocessing import Standardize
from thalweg.catalogue.regularizers import L1Activity, NoiseConsistency
from thalweg.catalogue.starts import OutputBias
from thalweg.data import Dataset, Moons, Names
from thalweg.engine.kept import said
from thalweg.engine.plan import Job, check_network, jobs_of, resolve
from thalweg.errors import DataError, SpecError
from thalweg.record.store import Record

WORDS = ("ava", "anna", "nan", "navan", "an", "vanna", "avan", "na", "anv", "vav", "aan", "nn")
BIGRAM = Sequential(layers=(Embedding(features=6), Dense()))
SHARES = (0.5, 0.25, 0.25)


@pytest.fixture
def names(tmp_path: Path) -> Names:
    path = tmp_path / "names.txt"
    path.write_text("\n".join(WORDS))
    return Names(path=str(path), split=SHARES)


def job_of(data: Dataset, source: Names, **changes: Any) -> Job:
    fields = {"data": source, "network": BIGRAM, "optimizer": Adam(learning_rate=0.1), **changes}
    (job,) = jobs_of(resolve(recipe(**fields), data), data, range(1))
    check_network(job)
    return job


def longer(data: Dataset, steps: int) -> Dataset:
    """The same sequences, padded by more steps."""
    inputs, targets = (
        np.pad(array, ((0, 0), (0, steps)), constant_values=-1)
        for array in (data.inputs, data.targets)
    )
    return Dataset(
        inputs, targets, "tokens", class_names=data.class_names, vocabulary=data.vocabulary
    )


def test_a_bigram_model_reaches_the_entropy_of_counted_bigrams(tmp_path: Path) -> None:
    words = "\n".join(WORDS)
    (tmp_path / "names.txt").write_text(words)
    spec = tmp_path / "bigram.toml"
    spec.write_text(f"""
        [data]
        names = {{ path = "{tmp_path}/names.txt", split = [1.0, 0.0, 0.0] }}
        [network.sequential]
        layers = [{{ embedding = {{ features = 4 }} }}, {{ dense = {{}} }}]
        [optimizer]
        adam = {{ learning_rate = 0.1 }}
        [training]
        epochs = 300
        batch_size = "full"
    """)
    ran = run_here("run", str(spec), "--project", str(tmp_path / "project"), "--json")
    assert ran.code == 0, ran.err
    counts: dict[tuple[str, str], int] = {}
    for word in words.split():
        for pair in zip(f".{word}", f"{word}.", strict=True):
            counts[pair] = counts.get(pair, 0) + 1
    before = {a: sum(n for (first, _), n in counts.items() if first == a) for a, _ in counts}
    surprise = -sum(n * np.log(n / before[a]) for (a, _), n in counts.items())
    entropy = surprise / sum(counts.values())
    likeliest = sum(max(n for (first, _), n in counts.items() if first == a) for a in before)
    with Record.open(tmp_path / "project") as record:
        ((identity, _, _),) = record.experiments()
        (run,) = record.experiment(identity).runs
    finals = run.finals
    assert finals["train.loss"] == pytest.approx(entropy, abs=2e-3)
    assert finals["train.perplexity"] == pytest.approx(np.exp(entropy), rel=2e-3)
    assert finals["train.bits_per_token"] == pytest.approx(entropy / np.log(2), rel=2e-3)
    assert finals["train.accuracy"] == pytest.approx(likeliest / sum(counts.values()))


def test_the_metrics_are_those_of_the_steps_that_count(names: Names, tmp_path: Path) -> None:
    data = names.load()
    # A batch size that leaves a short last batch, and a loss that is no log-likelihood.
    job = job_of(data, names, loss=CategoricalCrossEntropy(smoothing=0.2), training={"epochs": 2})
    with trained([job], tmp_path) as record:
        (run,) = record.experiment("test").runs
        arrays = record.arrays(job.id)
    vectors = np.vstack([arrays["parameters.embedding_0.kernel"], np.zeros(6)])
    kernel, bias = (arrays[f"parameters.dense_0.{name}"] for name in ("kernel", "bias"))
    for split in ("train", "validation", "test"):
        rows = getattr(job.split, split)
        counts = data.targets[rows] >= 0
        logits = vectors[data.inputs[rows][counts]] @ kernel + bias
        targets = data.targets[rows][counts]
        log_p = log_softmax(logits.astype(np.float64), axis=-1)
        right = log_p[np.arange(len(targets)), targets]
        loss = -(0.8 * right + 0.2 * log_p.mean(axis=1)).mean()
        finals = {name: run.finals[f"{split}.{name}"] for name in ("loss", "perplexity")}
        assert finals == pytest.approx(
            {"loss": loss, "perplexity": np.exp(-right.mean())}, rel=1e-5
        )
        hits = (log_p.argmax(axis=1) == targets).mean()
        assert run.finals[f"{split}.accuracy"] == pytest.approx(hits)
        assert np.allclose(said(job, arrays, split)[counts], np.exp(log_p), atol=1e-6)
    with pytest.raises(DataError, match="tokens >= 0 and < 4"):
        said(job, arrays, np.full((1, data.features), 9))
    with pytest.raises(DataError, match="whole numbers"):
        said(job, arrays, np.zeros((1, data.features)))


@pytest.mark.parametrize("batch_size", [4, 5, "full"])
def test_more_padding_changes_no_number(
    names: Names, tmp_path: Path, batch_size: int | str
) -> None:
    network = Sequential(
        layers=(
            Embedding(features=4),
            BatchNormalization(),
            Dense(units=5),
            Activate(function=ReLU()),
            LayerNormalization(over="channels"),
            Dense(),
        )
    )
    data = names.load()
    fields = {
        "network": network,
        "start": (OutputBias(),),
        "training": {"epochs": 4, "batch_size": batch_size, "probes": 0},
    }
    found = []
    for number, each in enumerate((data, longer(data, 3))):
        job = job_of(each, names, **fields)
        with trained([job], tmp_path / str(number)) as record:
            (run,) = record.experiment("test").runs
            found.append((everything(record, job.id), run.finals))
    (curves, finals), (padded_curves, padded_finals) = found
    assert padded_finals == pytest.approx(finals, rel=2e-4)
    assert curves.keys() == padded_curves.keys()
    for name, values in curves.items():
        np.testing.assert_allclose(padded_curves[name], values, rtol=2e-4, atol=2e-5, err_msg=name)


def test_a_batch_weighs_each_step_that_counts_alike(names: Names, tmp_path: Path) -> None:
    data = names.load()
    first = {"epochs": 1, "batch_size": "full", "probes": 0}
    job = job_of(data, names, training=first, start=(OutputBias(),))
    with trained([job], tmp_path) as record:
        at_once = record.series("batch.loss", [job.id])[job.id][1][0]
        losses = record.series("train.loss", [job.id])[job.id][1]
    assert at_once == pytest.approx(losses[0], rel=1e-5)


def test_whole_sequences_are_told_apart(names: Names, tmp_path: Path) -> None:
    data = names.load()
    ends = np.array([word.endswith("n") for word in WORDS], int)
    network = Sequential(layers=(Embedding(features=8), GlobalPooling(over="max"), Dense()))
    holds_v = np.array(["v" in word for word in WORDS], int)
    made = Dataset(
        data.inputs,
        holds_v + ends * holds_v,
        "multiclass",
        class_names=("no v", "v", "v, and n at the end"),
        vocabulary=data.vocabulary,
    )
    fields = {"network": network, "training": {"epochs": 60, "batch_size": 4}}
    source = Names(path=names.path, split=(1.0, 0.0, 0.0))
    job = job_of(made, source, **fields)
    with trained([job], tmp_path) as record:
        (run,) = record.experiment("test").runs
    assert set(run.finals) == {"train.loss", "train.accuracy"}
    assert run.finals["train.accuracy"] > 0.7


@pytest.mark.parametrize("task", ["tokens", "binary"])
def test_sequences_of_vectors(names: Names, tmp_path: Path, task: Any) -> None:
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(40, 5))
    steps = (signs > 0).astype(int)
    inputs = np.stack([signs, np.ones((40, 5)), np.zeros((40, 5))], axis=-1)
    of_steps = task == "tokens"
    targets = steps if of_steps else (signs.sum(axis=1) > 0).astype(int)
    data = Dataset(inputs, targets, task, class_names=("down", "up"))
    pooling = () if of_steps else (GlobalPooling(),)
    network = Sequential(layers=(Dense(units=4), *pooling, Dense()))
    source = Names(path=names.path, split=(0.75, 0.0, 0.25))
    job = job_of(data, source, network=network, training={"epochs": 20})
    with trained([job], tmp_path) as record:
        (run,) = record.experiment("test").runs
    assert run.finals["test.accuracy"] == 1
    assert ("test.perplexity" in run.finals) == of_steps


def test_open_fields_of_networks_are_filled_from_tokens() -> None:
    inner = Sequential(layers=(Embedding(features=2), Dense(units=2)))
    network = Sequential(layers=(inner, Embedding(symbols=9, features=1)))
    filled = with_tokens(network, symbols=4, source_time=3)
    assert filled.layers[0].layers == (Embedding(symbols=4, features=2), Dense(units=2))
    assert filled.layers[1] == network.layers[1]
    assert with_tokens(inner.layers[1], symbols=4) is inner.layers[1]
    with pytest.raises(SpecError, match=r"Embedding\.symbols is open"):
        network.init(jax.random.key(0), np.zeros((1, 2), np.int32))


def test_focal_loss_is_one_of_tokens_too(names: Names, tmp_path: Path) -> None:
    job = job_of(names.load(), names, loss=Focal(focus=0.0), training={"epochs": 2})
    plain = job_of(names.load(), names, training={"epochs": 2})
    with trained([job, plain], tmp_path) as record:
        focal, cross = (run.finals for run in record.experiment("test").runs)
    assert focal == pytest.approx(cross, rel=1e-4)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"preprocessing": Standardize()}, "preprocessing needs numbers as inputs, but those of N"),
        ({"augmentation": (Noise(),)}, "augmentation needs numbers as inputs"),
        ({"regularizers": (NoiseConsistency(),)}, "NoiseConsistency needs numbers as inputs"),
        ({"regularizers": (L1Activity(),)}, "L1Activity would penalize activations on padding"),
        (
            {"network": Sequential(layers=(Embedding(symbols=3, features=2), Dense()))},
            "Embedding needs whole numbers from 0 to 2 as inputs, but the data of Names hold 3",
        ),
        (
            {"network": Sequential(layers=(Embedding(features=2), Flatten(), Dense()))},
            r"gives outputs of shape \(4,\), but CategoricalCrossEntropy on Names needs \(6, 4\)",
        ),
        (
            {"network": Sequential(layers=(Embedding(features=2), LayerNormalization(), Dense()))},
            'would average over the steps of a padded sequence; use over = "channels"',
        ),
        ({"data": Moons(), "network": BIGRAM}, "Embedding.symbols must be given, as the data of M"),
    ],
)
def test_what_tokens_cannot_serve_is_refused(
    names: Names, fields: dict[str, Any], sentence: str
) -> None:
    fields = {"data": names, **fields}
    with pytest.raises(SpecError, match=sentence):
        job_of(fields["data"].load(), fields.pop("data"), **fields)
