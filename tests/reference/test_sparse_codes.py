"""Sparse codes as preprocessing, against scikit-learn's coder and dictionary learning."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.decomposition import PCA as Analysis
from sklearn.decomposition import MiniBatchDictionaryLearning, SparseCoder

from thalweg.catalogue.preprocessing import SparseCode
from thalweg.errors import DataError, SpecError

DRAWS = np.random.default_rng(20250611)
ATOMS = DRAWS.normal(size=(24, 10))
ATOMS /= np.linalg.norm(ATOMS, axis=1, keepdims=True)


def signals(rows: int) -> np.ndarray:
    """Sums of two atoms, a little noise, and a mean."""
    codes = np.zeros((rows, len(ATOMS)))
    for code in codes:
        chosen = DRAWS.choice(len(ATOMS), 2, replace=False)
        code[chosen] = DRAWS.choice([-1, 1], 2) * DRAWS.uniform(1, 2, 2)
    return codes @ ATOMS + 0.01 * DRAWS.normal(size=(rows, 10)) + 5


TRAIN, NEW = signals(600), signals(50)


@pytest.mark.parametrize("dictionary", ["learned", "rows"])
@pytest.mark.parametrize("nonzeros", [1, 3])
def test_codes_are_those_of_scikit_learn(dictionary: str, nonzeros: int) -> None:
    fitted = SparseCode(atoms=24, nonzeros=nonzeros, dictionary=dictionary).fit(TRAIN)  # type: ignore[arg-type]
    np.testing.assert_allclose(fitted.mean, TRAIN.mean(axis=0))
    np.testing.assert_allclose(np.linalg.norm(fitted.dictionary, axis=0), 1)
    coder = SparseCoder(
        fitted.dictionary.T, transform_algorithm="omp", transform_n_nonzero_coefs=nonzeros
    )
    expected = coder.transform(NEW - TRAIN.mean(axis=0))
    found = np.asarray(fitted.apply(jnp.asarray(NEW, jnp.float32)))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.count_nonzero(found, axis=1).max() == nonzeros


def test_the_dictionary_is_learned_by_scikit_learn_from_rows_of_length_one() -> None:
    few = TRAIN[:80]
    fitted = SparseCode(atoms=6, penalty=0.2).fit(few)
    centred = few - few.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=1).mean())
    theirs = MiniBatchDictionaryLearning(
        6, alpha=0.2, max_iter=20, batch_size=80, random_state=0, fit_algorithm="lars"
    ).fit(centred / size)
    cosines = np.abs(theirs.components_ @ fitted.dictionary)
    lengths = np.linalg.norm(theirs.components_, axis=1)
    np.testing.assert_allclose(np.diag(cosines), lengths, rtol=1e-3)
    # The units of the data do not matter.
    scaled = SparseCode(atoms=6, penalty=0.2).fit(100 * few)
    np.testing.assert_allclose(scaled.dictionary, fitted.dictionary, atol=1e-6)


def test_what_made_the_signals_is_found() -> None:
    """Two learned atoms tell more of a sum of two atoms than two principal components do."""
    fitted = SparseCode(atoms=24, nonzeros=2).fit(TRAIN)
    codes = np.asarray(fitted.apply(jnp.asarray(NEW, jnp.float32)))
    left = ((NEW - fitted.mean - codes @ fitted.dictionary.T) ** 2).mean()
    analysis = Analysis(2).fit(TRAIN)
    projected = analysis.inverse_transform(analysis.transform(NEW))
    assert left < 0.3 * ((NEW - projected) ** 2).mean()
    best = np.abs(ATOMS @ fitted.dictionary).max(axis=1)
    assert np.median(best) > 0.85


def test_rows_of_the_dictionary_are_training_rows() -> None:
    fitted = SparseCode(atoms=20, dictionary="rows").fit(TRAIN)
    centred = TRAIN - TRAIN.mean(axis=0)
    directions = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    which = (directions @ fitted.dictionary).argmax(axis=0)
    np.testing.assert_allclose(directions[which].T, fitted.dictionary)
    assert len(set(which)) == 20


def test_missing_values_and_constant_rows() -> None:
    rows = np.where(DRAWS.uniform(size=TRAIN.shape) < 0.1, np.nan, TRAIN)
    for dictionary in ("learned", "rows"):
        fitted = SparseCode(atoms=8, dictionary=dictionary).fit(rows)
        assert np.isfinite(np.asarray(fitted.apply(jnp.asarray(rows)))).all()
    same = SparseCode(atoms=2, nonzeros=1).fit(np.ones((5, 3)))
    assert not np.asarray(same.apply(jnp.ones((2, 3)))).any()


def test_what_cannot_be_coded_is_refused() -> None:
    with pytest.raises(SpecError, match="at most the smaller of atoms and features, 2, got 4"):
        SparseCode().shape((2,))
    with pytest.raises(DataError, match="at most the number of training rows, 5, got 7"):
        SparseCode(atoms=7, dictionary="rows").fit(TRAIN[:5])
