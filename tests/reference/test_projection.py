"""Principal components and whitening against scikit-learn."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.decomposition import PCA as Analysis
from sklearn.impute import SimpleImputer

from thalweg.catalogue.preprocessing import PCA, Whiten
from thalweg.catalogue.preprocessing.fitting import shape_after
from thalweg.errors import DataError, SpecError

DRAWS = np.random.default_rng(20240229)
TRAIN = DRAWS.normal(size=(60, 5)) @ DRAWS.normal(size=(5, 5)) + 3
NEW = DRAWS.normal(size=(20, 5)) + 3


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("components", [None, 3])
def test_components_are_those_of_scikit_learn(components: int | None) -> None:
    fitted, theirs = PCA(components=components).fit(TRAIN), Analysis(components).fit(TRAIN)
    close(fitted.apply(jnp.asarray(NEW)), theirs.transform(NEW))
    covariance = np.cov(np.asarray(fitted.apply(jnp.asarray(TRAIN))).T)
    close(covariance, np.diag(theirs.explained_variance_))


@pytest.mark.parametrize("components", [None, 3])
def test_whitening_is_that_of_scikit_learn(components: int | None) -> None:
    fitted = Whiten(floor=0, components=components).fit(TRAIN)
    theirs = Analysis(components, whiten=True).fit(TRAIN)
    close(fitted.apply(jnp.asarray(NEW)), theirs.transform(NEW))


def test_zca_whitens_with_a_symmetric_matrix() -> None:
    fitted = Whiten(floor=0, form="zca").fit(TRAIN)
    close(fitted.matrix, fitted.matrix.T)
    close(fitted.matrix @ np.cov(TRAIN.T) @ fitted.matrix, np.eye(5))


def test_directions_of_low_variance_are_silenced() -> None:
    rows = DRAWS.normal(size=(500, 4)) @ np.diag([10.0, 1.0, 1e-3, 0.0])
    for floor, kept in ((0.02, 1), (1e-6, 2), (1e-9, 3)):
        seen = np.asarray(Whiten(floor=floor).fit(rows).apply(jnp.asarray(rows)))
        expected = np.arange(4) < kept
        np.testing.assert_allclose(seen.std(axis=0, ddof=1), expected, atol=1e-4)
    with pytest.raises(DataError, match=r"floor must be > 0 .* 1 of 4 directions"):
        Whiten(floor=0).fit(rows)


def test_images_become_components_and_keep_their_shape_under_zca() -> None:
    images = DRAWS.normal(size=(80, 4, 3, 2))
    expected = Analysis(6).fit_transform(images.reshape(80, -1))
    close(PCA(components=6).fit(images).apply(jnp.asarray(images)), expected)
    zca = Whiten(form="zca").fit(images).apply(jnp.asarray(images))
    assert zca.shape == images.shape
    close(np.cov(zca.reshape(80, -1).T), np.eye(24))
    assert shape_after(PCA(components=6), (4, 3, 2)) == (6,)
    assert shape_after(Whiten(), (4, 3, 2)) == (24,)
    assert shape_after(Whiten(form="zca", components=2), (4, 3, 2)) == (4, 3, 2)


def test_missing_values_are_means() -> None:
    train, new = TRAIN.copy(), NEW.copy()
    for table in (train, new):
        table[DRAWS.uniform(size=table.shape) < 0.2] = np.nan
    imputer = SimpleImputer().fit(train)
    theirs = Analysis(3).fit(imputer.transform(train))
    close(
        PCA(components=3).fit(train).apply(jnp.asarray(new)),
        theirs.transform(imputer.transform(new)),
    )


def test_more_components_than_there_are() -> None:
    with pytest.raises(SpecError, match=r"PCA.components must be at most .* features, 5, got 6"):
        PCA(components=6).shape((5,))
    with pytest.raises(SpecError, match=r"Whiten.components must be at most"):
        Whiten(components=6).fit(TRAIN)
    with pytest.raises(DataError, match=r"at most the number of training rows, 4, got 5"):
        PCA().fit(TRAIN[:4])
