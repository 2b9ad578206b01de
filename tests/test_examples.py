"""Every spec in ``examples/`` runs to a report; with fewer epochs and seeds, to be quick."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from thalweg import Experiment, Laboratory
from thalweg.engine import order

ROOT = Path(__file__).parents[1]
SPECS = sorted((ROOT / "examples").glob("*.toml"))

# What makes an example small; the order of magnitude of its runs stays visible in the plan.
SMALL = ("training.epochs=1", "training.probes=2")
SMALLER = {
    "delayed_recall": (
        "data.delayed_recall.lag=[2]",
        "data.delayed_recall.time=[3]",
        "data.delayed_recall.samples=60",
        "compare.seeds.tune=1",
    ),
    "shift_register": (
        "data.delayed_recall.lag=[2]",
        "data.delayed_recall.time=6",
        "data.delayed_recall.samples=60",
        "compare.seeds.tune=1",
    ),
    "autoencoder": ("data.reconstruction.of.mnist.samples=300",),
    "digits": ("compare.seeds.tune=1",),
    "gan": ("data.unlabelled.of.mnist.samples=300",),
    "names": ("data.names.samples=200",),
    "names_transformer": (
        "data.names.samples=200",
        "network.transformer.width=8",
        "network.transformer.blocks=1",
    ),
    "number_words": ("data.number_words.samples=200",),
    "translation": ("data.pairs.samples=200",),
    "siamese": ("data.comparisons.samples=200",),
    "moons": ("compare.seeds.tune=1",),
    "mnist": ("data.mnist.samples=600",),
    "mnist_ablation": (
        "data.mnist.samples=600",
        "network.residual_mlp.width=16",
        "network.residual_mlp.blocks=1",
        "training.probes=0",
    ),
    "optimizers_moons": ("training.probes=0",),
    "sentiment_trees": ("data.sentiment_trees.samples=60", "data.sentiment_trees.classes=five"),
    "sentiment_sentences": ("data.sentiment_trees.samples=60", "data.sentiment_trees.classes=two"),
    "sequential_mnist": (
        "data.sequential_mnist.samples=300",
        "network.recurrent_network.hidden=[8]",
    ),
    "mnist_cnn": ("data.mnist.samples=300", "network.vgg.filters=[4, 4, 4]"),
    "mnist_dense_99": (
        "data.mnist.samples=300",
        "network.residual_mlp.width=16",
        "network.residual_mlp.blocks=1",
    ),
}
SLOW = {
    "sentiment_trees": "three programs are compiled, and a whole treebank is read",
    "gan": "two players of convolutions are compiled, and 10,000 digits scored",
    "sentiment_sentences": "a whole treebank is read",
    "names": "three programs are compiled, each for two lengths",
    "activations": "four programs are compiled, and six pairs compared",
    "mnist_ablation": "seven programs are compiled, and many pairs compared",
    "optimizers_moons": "56 programs are compiled",
}
AVERAGES = ("mnist_cnn", "mnist_dense_99")
COMPARES_NOTHING = (
    *AVERAGES,
    "autoencoder",
    "gan",
    "names",
    "names_transformer",
    "sentiment_sentences",
    "sequential_mnist",
)


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[pytest.mark.slow] if path.stem in SLOW else []) for path in SPECS],
    ids=lambda path: path.stem,
)
def test_example(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(order, "MOST_CUTS", 2)
    if (ROOT.parent / "shared" / "data").exists() and "THALWEG_DATA" not in os.environ:
        monkeypatch.setenv("THALWEG_DATA", str(ROOT.parent / "shared" / "data"))
    compares = path.stem not in COMPARES_NOTHING
    seeds = ("compare.seeds.report=2",) if compares else ("seeds=2",)
    sizes = ("ensemble.size=2",) if path.stem in AVERAGES else ()
    overrides = (*SMALL, *seeds, *sizes, *SMALLER.get(path.stem, ()))
    laboratory = Laboratory(Experiment.from_file(path, overrides), tmp_path)
    source: Any = laboratory.points[0].recipe.data
    source = getattr(source, "of", source)
    if hasattr(source, "missing") and source.missing():
        pytest.skip(source.missing())
    planned = laboratory.plan()
    assert planned.runs >= (4 if compares else 2)
    for _ in laboratory.run():
        pass
    comparison = laboratory.compare()
    assert (comparison is not None) is compares
    assert comparison is None or comparison.verdict
    assert len(laboratory.report(tmp_path / "report.html").read_text("utf-8")) > 10_000


def test_master_comparison_is_that_of_its_description() -> None:
    """Eight optimizers; learning rates, batch sizes, momenta, architectures, penalties, noise."""
    path = ROOT / "examples" / "optimizers_moons.toml"
    laboratory = Laboratory(Experiment.from_file(path))
    values: dict[str, set] = {}
    for point in laboratory.points:
        for name, value in point.factors.items():
            values.setdefault(name, set()).add(value)
    assert len(values["case"]) == 8
    assert values["optimizer.learning_rate"] == {0.001, 0.01, 0.05, 0.1}
    assert values["training.batch_size"] == {1, 16, 32, 128, "full"}
    assert values["optimizer.momentum"] == {0.5, 0.9, 0.99}
    assert len(values["network.hidden"]) == 3
    assert len(values["data.noise"]) >= 4
    assert laboratory.plan().runs == 3200
