"""Regularizers, projections and augmentations in whole runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA as Analysis
from tests.engine.laboratory_setup import (
    assert_same_bits,
    everything,
    jobs,
    recipe,
    trained,
)

from thalweg.catalogue.activations import Sigmoid
from thalweg.catalogue.augmentations import AffineWarp, Flip, Mixup, Noise
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam
from thalweg.catalogue.preprocessing import PCA, Standardize, Whiten
from thalweg.catalogue.regularizers import (
    Contractive,
    KLSparsity,
    MaxNorm,
    ProximalL1,
    PruneShare,
)
from thalweg.data import Diabetes, Digits
from thalweg.engine.plan import group
from thalweg.errors import SpecError

SMALL = MLP(hidden=(8,), activation=Sigmoid())
QUICK = Adam(learning_rate=0.05)
# Whitened components are a table, so that a dense network can learn from images.
IMAGES: dict[str, Any] = {
    "data": Digits(flat=False, split=(0.4, 0.1, 0.5)),
    "network": MLP(hidden=(16,)),
    "preprocessing": Whiten(components=20),
    "training": {"epochs": 2, "batch_size": 64},
}


def arrays_of(wanted: list[Any], project: Path) -> list[dict[str, np.ndarray]]:
    with trained(wanted, project) as record:
        return [everything(record, job.id) for job in wanted]


def test_weights_are_exactly_zero_and_bounded(tmp_path: Path) -> None:
    both = (PruneShare(share=0.75, after=2), MaxNorm(limit=0.8))
    recipes = [recipe(optimizer=QUICK, regularizers=r) for r in ((ProximalL1(strength=0.5),), both)]
    sparse, bounded = arrays_of(jobs(recipes), tmp_path)
    kernels = ("parameters.dense_0.kernel", "parameters.dense_1.kernel")
    assert sum((sparse[kernel] == 0).sum() for kernel in kernels) >= 4
    for kernel in kernels:
        assert (bounded[kernel] == 0).mean() == 0.75
        assert np.linalg.norm(bounded[kernel], axis=0).max() <= 0.8 + 1e-6


def test_what_is_penalized_shrinks(tmp_path: Path) -> None:
    fields = {"network": SMALL, "optimizer": QUICK}
    fields["training"] = {"epochs": 150, "batch_size": "full", "probes": 4}
    chosen = ((), (KLSparsity(strength=5, target=0.1),), (Contractive(strength=1),))
    wanted = jobs([recipe(**fields, regularizers=regularizers) for regularizers in chosen])
    free, sparse, contracted = arrays_of(wanted, tmp_path)
    mean, kernel = "activation_mean.activation_0", "parameters.dense_0.kernel"
    assert sparse[mean][-1] == pytest.approx(0.1, abs=0.02)
    assert free[mean][-1] > 0.2
    assert np.linalg.norm(contracted[kernel]) < 0.5 * np.linalg.norm(free[kernel])


def test_inputs_are_projected_and_what_was_fitted_is_kept(tmp_path: Path) -> None:
    (job,) = jobs([recipe(**{**IMAGES, "preprocessing": PCA(components=12)})])
    (arrays,) = arrays_of([job], tmp_path)
    assert arrays["parameters.dense_0.kernel"].shape == (12, 16)
    train = job.dataset.inputs[job.split.train]
    theirs = Analysis(12, svd_solver="full").fit(train.reshape(len(train), -1).astype(np.float64))
    kept = arrays["preprocessing.matrix"]
    np.testing.assert_allclose(kept.reshape(64, 12), theirs.components_.T, atol=1e-6)
    np.testing.assert_allclose(arrays["preprocessing.mean"].ravel(), theirs.mean_, atol=1e-5)


def test_projections_share_programs_and_widths_do_not() -> None:
    floors = [
        recipe(**{**IMAGES, "preprocessing": Whiten(components=9, floor=f)}) for f in (0, 0.1)
    ]
    wider = recipe(**{**IMAGES, "preprocessing": Whiten(components=10)})
    scaled = recipe(preprocessing=Standardize())
    assert [len(found.jobs) for found in group(jobs([*floors, wider]))] == [2, 1]
    assert len(group(jobs([scaled, recipe()]))) == 2


@pytest.mark.slow
def test_augmentations_change_training_and_nothing_without_amounts(tmp_path: Path) -> None:
    still = (AffineWarp(rotation=0, shift=0, zoom=0), Flip(horizontal=0))
    moved = (AffineWarp(), Flip())
    recipes = [recipe(**IMAGES, augmentation=chosen) for chosen in ((), still, moved)]
    plain, same, other = arrays_of(jobs(recipes), tmp_path)
    for name, array in plain.items():
        np.testing.assert_allclose(same[name], array, rtol=1e-3, atol=1e-4, err_msg=name)
    kernel = "parameters.dense_0.kernel"
    assert np.abs(other[kernel] - plain[kernel]).max() > 0.01
    np.testing.assert_array_equal(other["preprocessing.matrix"], plain["preprocessing.matrix"])


def test_augmented_runs_do_not_depend_on_their_company(tmp_path: Path) -> None:
    recipes = [
        recipe(augmentation=(Noise(deviation=deviation), Mixup(alpha=0.4)))
        for deviation in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    ]
    together = arrays_of(jobs(recipes), tmp_path / "together")
    alone = arrays_of(jobs(recipes[2:3]), tmp_path / "alone")
    assert_same_bits(together[2], alone[0])
    assert (together[1]["parameters.dense_0.kernel"] != alone[0]["parameters.dense_0.kernel"]).all()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"augmentation": (Flip(),)}, "Flip needs images, but the data of Moons are tables of 2"),
        (
            {"augmentation": (Flip(),), "data": Digits()},
            "tables of 64 features; give it flat = false",
        ),
        ({"preprocessing": PCA(components=3)}, "PCA.components must be at most .* features, 2"),
        (
            {"data": Diabetes(split=(0.7, 0.0, 0.3)), "target_preprocessing": Whiten()},
            "target_preprocessing must scale every target by itself, got Whiten",
        ),
        (
            {"network": MLP(hidden=(4,)), "regularizers": (KLSparsity(),)},
            "KLSparsity needs activations between 0 and 1, but ReLU gives others",
        ),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError, match=problem):
        jobs([recipe(**changes)])
