"""Results on real data against scikit-learn's and torch's for the same network.

Both sides see the same rows, seed by seed; their starts and orders of rows are their own. The mean
difference must lie within what ten seeds leave open (a 99 % interval) and half a percent on top.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from thalweg.catalogue.initializers import Glorot
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam
from thalweg.catalogue.preprocessing import Standardize
from thalweg.data import MNIST, Dataset, Diabetes, Digits, split_rows
from thalweg.spec import Experiment, Training

torch = pytest.importorskip("torch")

SEEDS = 10
MARGIN = 0.005


def assert_agree(ours: np.ndarray, theirs: np.ndarray) -> None:
    """The means differ by no more than seeds explain, and a little."""
    differences = ours - theirs
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    noise = stats.t.ppf(0.995, len(differences) - 1) * error
    assert noise < 0.03  # else the comparison could not fail
    assert abs(differences.mean()) <= noise + MARGIN, (ours, theirs)


def finals(experiment: Experiment, project: Path, metric: str) -> np.ndarray:
    """The metric of all seeds, in their order."""
    runs = experiment.run(project).runs
    assert [run.outcome for run in runs] == ["finished"] * len(runs)
    return np.array([run.finals[metric] for run in sorted(runs, key=lambda run: run.seed)])


def by_sklearn(
    kind: Any, dataset: Dataset, shares: Any, hidden: tuple[int, ...], scale: bool, **settings: Any
) -> np.ndarray:
    """Scores on the test rows of the same splits."""
    scores = []
    for seed in range(SEEDS):
        split = split_rows(dataset, shares, seed)
        x, y = dataset.inputs.astype(float), dataset.targets.squeeze()
        if scale:
            x = StandardScaler().fit(x[split.train]).transform(x)
        model = kind(
            hidden_layer_sizes=hidden,
            alpha=0.0,
            random_state=seed,
            tol=0.0,
            n_iter_no_change=10**6,
            **settings,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs, and no more
            model.fit(x[split.train], y[split.train])
        scores.append(model.score(x[split.test], y[split.test]))
    return np.array(scores)


@pytest.mark.slow
def test_digits(tmp_path: Path) -> None:
    source = Digits(split=(0.7, 0.0, 0.3))
    experiment = Experiment(
        data=source,
        network=MLP(hidden=(128, 64), kernel=Glorot()),
        optimizer=Adam(learning_rate=1e-3),
        training=Training(epochs=15, batch_size=64),
        seeds=SEEDS,
    )
    ours = finals(experiment, tmp_path, "test.accuracy")
    theirs = by_sklearn(
        MLPClassifier,
        source.load(),
        source.split,
        (128, 64),
        scale=False,
        batch_size=64,
        learning_rate_init=1e-3,
        max_iter=15,
    )
    assert theirs.mean() > 0.95
    assert_agree(ours, theirs)


CSV_SPEC = """
seeds = 10
data.csv = {{ path = "{path}", target = "kind", split = [0.6, 0.0, 0.4] }}
preprocessing = "standardize"
network.mlp = {{ hidden = [16], kernel = "glorot" }}
optimizer.adam = {{ learning_rate = 0.01 }}
training = {{ epochs = 20, batch_size = 16 }}
"""


@pytest.mark.parametrize(
    "load", [load_wine, pytest.param(load_breast_cancer, marks=pytest.mark.slow)]
)
def test_a_table_of_ones_own(load: Any, tmp_path: Path) -> None:
    bunch = load()
    names = [*(name.replace(" ", "_") for name in bunch.feature_names), "kind"]
    rows = [
        [*map(str, x), str(bunch.target_names[y])]
        for x, y in zip(bunch.data, bunch.target, strict=True)
    ]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(",".join(row) for row in [names, *rows]))
    spec = tmp_path / "experiment.toml"
    spec.write_text(CSV_SPEC.format(path=path))
    experiment = Experiment.from_file(spec)
    dataset = experiment.data.load()
    np.testing.assert_array_equal(dataset.inputs, bunch.data.astype(np.float32))
    ours = finals(experiment, tmp_path / "project", "test.accuracy")
    theirs = by_sklearn(
        MLPClassifier,
        dataset,
        experiment.data.split,
        (16,),
        scale=True,
        batch_size=16,
        learning_rate_init=0.01,
        max_iter=20,
    )
    assert theirs.mean() > 0.94
    assert_agree(ours, theirs)


@pytest.mark.slow
def test_regression(tmp_path: Path) -> None:
    source = Diabetes(split=(0.6, 0.0, 0.4))
    experiment = Experiment(
        data=source,
        preprocessing=Standardize(),
        network=MLP(hidden=(32,), kernel=Glorot()),
        optimizer=Adam(learning_rate=0.01),
        training=Training(epochs=100, batch_size=32),
        seeds=SEEDS,
    )
    ours = finals(experiment, tmp_path, "test.r2")
    theirs = by_sklearn(
        MLPRegressor,
        source.load(),
        source.split,
        (32,),
        scale=True,
        batch_size=32,
        learning_rate_init=0.01,
        max_iter=100,
    )
    assert theirs.mean() > 0.35
    assert_agree(ours, theirs)


# ------------------------------------------------------------------------------------------- MNIST


def mnist_by_torch(dataset: Dataset, shares: Any, hidden: int, epochs: int, seed: int) -> float:
    """Accuracy after the loop of every tutorial."""
    torch.manual_seed(seed)
    split = split_rows(dataset, shares, seed)
    inputs, targets = torch.tensor(dataset.inputs), torch.tensor(dataset.targets).long()
    first, last = torch.nn.Linear(784, hidden), torch.nn.Linear(hidden, 10)
    for layer in (first, last):
        torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        torch.nn.init.zeros_(layer.bias)
    network = torch.nn.Sequential(first, torch.nn.ReLU(), last)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    train = torch.tensor(split.train).long()
    for _ in range(epochs):
        for rows in train[torch.randperm(len(train))].split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(inputs[rows]), targets[rows]).backward()
            optimizer.step()
    with torch.no_grad():
        predicted = network(inputs[split.test]).argmax(-1)
    return float((predicted == targets[split.test]).float().mean())


@pytest.mark.slow
@pytest.mark.optimized  # it runs longer than it compiles
@pytest.mark.parametrize(
    ("samples", "epochs", "least", "seeds"), [(5000, 5, 0.9, 5), (None, 1, 0.93, 3)]
)
def test_mnist(
    samples: int | None, epochs: int, least: float, seeds: int, data_folder: Path, tmp_path: Path
) -> None:
    folder = data_folder / "mnist"
    if not folder.exists():
        pytest.skip(f"MNIST is not in {folder}")
    source = MNIST(folder=str(folder), samples=samples, split=(1.0, 0.0, 0.0))
    experiment = Experiment(
        data=source,
        network=MLP(hidden=(64,)),
        optimizer=Adam(learning_rate=1e-3),
        training=Training(epochs=epochs, batch_size=64),
        seeds=seeds,
    )
    ours = finals(experiment, tmp_path, "test.accuracy")
    dataset = source.load()
    theirs = np.array(
        [mnist_by_torch(dataset, source.split, 64, epochs, seed) for seed in range(seeds)]
    )
    assert theirs.mean() > least
    assert_agree(ours, theirs)
