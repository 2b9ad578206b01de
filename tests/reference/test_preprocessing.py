"""Scaling against scikit-learn, constant and missing values included."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from thalweg.catalogue.preprocessing import Center, MaxAbs, MinMax, Robust, Standardize
from thalweg.catalogue.preprocessing.scaling import fill_only
from thalweg.engine.lanes import scaled

DRAWS = np.random.default_rng(20240229)
SPREADS = np.array([1.0, 1e-6, 1e6, 3.0, 0.0, 0.0, 0.0])
CENTRES = np.array([0.0, 1e-3, -1e7, 1e3, 0.0, 0.1, -1e6])
TRAIN = CENTRES + SPREADS * DRAWS.normal(size=(50, 7))  # the last three columns are constant
NEW = CENTRES + (SPREADS + (SPREADS == 0)) * DRAWS.normal(size=(20, 7))

PAIRS = [
    (Standardize(), StandardScaler()),
    (MinMax(), MinMaxScaler()),
    (MinMax(low=-1.0, high=3.0), MinMaxScaler((-1, 3))),
    (Center(), StandardScaler(with_std=False)),
    (MaxAbs(), MaxAbsScaler()),
    (Robust(), RobustScaler()),
]
every_pair = pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=[repr(p) for p, _ in PAIRS])


def applied(fitted: Any, inputs: np.ndarray) -> np.ndarray:
    """What a network of the engine sees."""
    return np.asarray(scaled(fitted, jnp.asarray(inputs)))


def close(actual: Any, expected: Any, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=tolerance)


@every_pair
def test_scaling_is_that_of_scikit_learn(ours: Any, theirs: Any) -> None:
    fitted, theirs = ours.fit(TRAIN), theirs.fit(TRAIN)
    close(applied(fitted, TRAIN), theirs.transform(TRAIN))
    close(applied(fitted, NEW), theirs.transform(NEW))


@every_pair
def test_images_are_scaled_pixel_by_pixel(ours: Any, theirs: Any) -> None:
    images = DRAWS.uniform(size=(30, 4, 3, 2))
    images[:, 0, 0, 0] = 0.0
    expected = theirs.fit_transform(images.reshape(30, -1)).reshape(images.shape)
    close(applied(ours.fit(images), images), expected)


@every_pair
def test_missing_values_become_the_training_mean(ours: Any, theirs: Any) -> None:
    train, new = TRAIN.copy(), NEW.copy()
    for table in (train, new):
        table[DRAWS.uniform(size=table.shape) < 0.2] = np.nan
    filling = make_pipeline(theirs, SimpleImputer()).fit(train)
    fitted = ours.fit(train)
    # Means of values up to 1e7 are rounded to some 1e-9.
    close(applied(fitted, train), filling.transform(train), 1e-8)
    close(applied(fitted, new), filling.transform(new), 1e-8)
    imputer = SimpleImputer().fit(train)
    close(applied(fill_only([train]), new), imputer.transform(new))
