"""The shuffle is a permutation of any number of rows, and a random one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from thalweg.engine.shuffle import position_after_shuffle


def orders(rows: int, epochs: int, words: tuple[int, int] = (1, 2)) -> np.ndarray:
    """The row at every position, for several epochs: [epoch, position]."""
    key = jnp.array(words, jnp.uint32)
    one = lambda epoch: position_after_shuffle(jnp.arange(rows), rows, key, epoch)  # noqa: E731
    return np.asarray(jax.jit(jax.vmap(one))(jnp.arange(epochs)))


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 32, 700, 1437, 54_000])
def test_every_row_comes_once(rows: int) -> None:
    found = np.sort(orders(rows, 3), axis=1)
    assert (found == np.arange(rows)).all()


def test_every_row_is_equally_likely_everywhere() -> None:
    rows, epochs = 12, 30_000
    found = orders(rows, epochs)
    counts = np.array([np.bincount(found[:, p], minlength=rows) for p in range(rows)])
    p = stats.chisquare(counts.ravel()).pvalue
    assert p > 1e-3, p


def test_pairs_are_independent() -> None:
    rows, epochs = 10, 60_000
    found = orders(rows, epochs, (7, 9))
    pairs = found[:, 0] * rows + found[:, 1]
    counts = np.bincount(pairs, minlength=rows * rows)
    possible = counts[~np.eye(rows, dtype=bool).ravel()]
    assert possible.sum() == epochs
    p = stats.chisquare(possible).pvalue
    assert p > 1e-3, p


def test_all_orders_of_four_rows_occur_equally() -> None:
    found = orders(4, 48_000, (3, 5))
    _, counts = np.unique(found @ np.array([64, 16, 4, 1]), return_counts=True)
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 1e-3


def test_neighbours_do_not_stay_together() -> None:
    found = orders(1000, 50)
    steps = np.diff(found, axis=1)
    # In a random order of n rows two neighbours stay neighbours with probability 2 / n.
    assert (np.abs(steps) == 1).mean() < 2 / 1000 * 1.3
    correlation = stats.spearmanr(found[0], found[1]).statistic
    assert abs(correlation) < 0.12


def test_epochs_and_seeds_differ() -> None:
    assert (orders(100, 2)[0] != orders(100, 2)[1]).mean() > 0.9
    assert (orders(100, 1, (1, 2))[0] != orders(100, 1, (1, 3))[0]).mean() > 0.9
