"""Cheap random numbers: what a cipher would give, as far as tests can tell."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from thalweg.catalogue import draws
from thalweg.engine import streams

COUNT = 2**16


def words(key: jax.Array, count: int = COUNT) -> np.ndarray:
    return np.asarray(draws.bits(key, (count,)))


def test_every_input_bit_flips_every_output_bit_half_of_the_time() -> None:
    given = np.random.default_rng(0).integers(2**32, size=20_000, dtype=np.uint32)
    made = np.asarray(draws.mixed(jnp.asarray(given)))
    for bit in range(32):
        other = np.asarray(draws.mixed(jnp.asarray(given ^ np.uint32(1 << bit))))
        flipped = ((made ^ other)[:, None] >> np.arange(32, dtype=np.uint32)) & 1
        # Five standard errors of 20,000 coins, and what this hash is known to be off by.
        np.testing.assert_allclose(flipped.mean(axis=0), 0.5, atol=5 * 0.5 / 20_000**0.5 + 0.01)


@pytest.mark.parametrize("shift", [0, 8, 16, 24])
def test_bytes_and_pairs_of_bytes_are_even(shift: int) -> None:
    bytes_ = (words(jax.random.key(3), 2**22) >> shift) & 255
    assert stats.chisquare(np.bincount(bytes_, minlength=256)).pvalue > 1e-4
    pairs = np.bincount(bytes_[::2] * 256 + bytes_[1::2], minlength=65536)
    assert stats.chisquare(pairs).pvalue > 1e-4


def test_streams_of_steps_layers_and_runs_have_nothing_to_do_with_one_another() -> None:
    keys = [
        streams.noise_key(jnp.uint32(seed), jnp.int32(step)) for seed in (0, 1) for step in (0, 1)
    ]
    keys += [jax.random.fold_in(keys[0], layer) for layer in range(4)]
    values = np.stack([words(key) for key in keys]) / 2**32
    correlations = np.corrcoef(values)[np.triu_indices(len(keys), 1)]
    assert np.abs(correlations).max() < 5 / COUNT**0.5
    # Not shifted copies of one another either: hardly any word of one is in another.
    for i in range(len(keys)):
        for j in range(i):
            assert len(np.intersect1d(words(keys[i]), words(keys[j]))) < 10


@pytest.mark.parametrize("lag", [1, 2, 3, 64, 256, 1000])
def test_neighbours_in_a_stream_are_independent(lag: int) -> None:
    values = words(jax.random.key(7), 2**20) / 2**32
    assert abs(np.corrcoef(values[lag:], values[:-lag])[0, 1]) < 5 / 2**10


def test_uniform_and_normal_numbers_have_their_distributions() -> None:
    key = jax.random.key(1)
    uniform = np.asarray(draws.uniform(key, (COUNT,), jnp.float32), np.float64)
    assert 0 < uniform.min() < uniform.max() < 1
    assert stats.kstest(uniform, "uniform").pvalue > 1e-4
    normal = np.asarray(draws.normal(key, (COUNT,), jnp.float32), np.float64)
    assert stats.kstest(normal, "norm").pvalue > 1e-4


def test_numbers_are_the_same_in_every_precision() -> None:
    key = jax.random.key(1)
    single = draws.normal(key, (100,), jnp.float32)
    half = draws.normal(key, (100,), jnp.bfloat16)
    np.testing.assert_array_equal(np.asarray(half), np.asarray(single.astype(jnp.bfloat16)))
    with jax.enable_x64(True):
        double = draws.normal(key, (100,), jnp.float64)
    np.testing.assert_allclose(np.asarray(double), np.asarray(single), rtol=2e-5)


def test_half_precision_never_rounds_to_an_infinite_normal() -> None:
    drawn = draws.normal(jax.random.key(0), (2**22,), jnp.bfloat16)
    assert bool(jnp.isfinite(drawn).all())
