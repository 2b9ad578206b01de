"""Networks for sequences in the engine: what data leave open is filled in, and they learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.engine.laboratory_setup import recipe, trained

from thalweg.catalogue.networks import EncoderDecoder, RecurrentNetwork, Transformer
from thalweg.catalogue.optimizers import Adam
from thalweg.data import Dataset, Names
from thalweg.engine.plan import check_network, jobs_of, resolve


def mirrored() -> Dataset:
    """Two or three letters, and the same backwards: token 0 begins, class 0 ends."""
    draws = np.random.default_rng(0)
    inputs, targets = np.full((96, 7), -1, np.int32), np.full((96, 4), -1, np.int32)
    for row in range(96):
        word = draws.integers(0, 3, size=draws.integers(2, 4))
        turned = 1 + word[::-1]
        inputs[row, : len(word)] = word
        inputs[row, 3 : 4 + len(word)] = [0, *turned]
        targets[row, : 1 + len(word)] = [*turned, 0]
    return Dataset(
        inputs,
        targets,
        "tokens",
        class_names=(".", "a", "b", "c"),
        vocabulary=("a", "b", "c"),
        source_time=3,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "network",
    [
        EncoderDecoder(units=24, context="attention", direction="both"),
        EncoderDecoder(units=24, context="both"),
    ],
    ids=["attention", "both"],
)
def test_words_are_turned_around(network: Any, tmp_path: Path) -> None:
    data = mirrored()
    fields = {
        "data": Names(path="unused.txt", split=(0.75, 0.0, 0.25)),
        "network": network,
        "optimizer": Adam(learning_rate=0.02),
        "training": {"epochs": 80, "batch_size": 24, "probes": 0},
    }
    (job,) = jobs_of(resolve(recipe(**fields), data), data, range(1))
    filled: Any = job.recipe.network
    assert (filled.symbols, filled.source_time, filled.outputs) == (3, 3, 4)
    check_network(job)
    with trained([job], tmp_path) as record:
        (run,) = record.experiment("test").runs
    assert run.finals["test.accuracy"] > 0.95


@pytest.mark.slow
@pytest.mark.parametrize(
    "network",
    [
        RecurrentNetwork(hidden=(8,), returns="sequence"),
        Transformer(width=8, heads=2, blocks=1, causal=True, returns="sequence"),
    ],
    ids=["recurrent", "transformer"],
)
def test_names_are_predicted_letter_by_letter(network: Any, tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("\n".join(["ava", "anna", "nan", "navan", "an", "vanna"] * 4))
    source = Names(path=str(path), split=(1.0, 0.0, 0.0))
    data = source.load()
    fields = {
        "data": source,
        "network": network,
        "optimizer": Adam(learning_rate=0.03),
        "training": {"epochs": 60, "batch_size": "full", "probes": 0},
    }
    (job,) = jobs_of(resolve(recipe(**fields), data), data, range(1))
    with trained([job], tmp_path / "project") as record:
        (run,) = record.experiment("test").runs
    # One of six words is worth 1.47 a letter; the best that bigrams can say is 2.52.
    assert run.finals["train.perplexity"] < 1.7
