"""Random streams of a run, each by name.

One integer seed per run gives independent streams, so that a change in one thing (a longer
training, another dropout rate) leaves the randomness of the others alone, and runs with the same
seed start from the same parameters, split and order whatever else differs between them.
"""

from __future__ import annotations

import jax
import numpy as np
from jax import Array

__all__ = ["initialization_key", "noise_key", "order_key"]

# The split has a stream too: thalweg.data.split derives it from the seed by NumPy.
_INITIALIZATION, _ORDER, _NOISE = 1, 2, 3


def _stream(seed: Array, stream: int) -> Array:
    return jax.random.fold_in(jax.random.key(seed), stream)


def initialization_key(seed: Array) -> Array:
    """Key of the starting parameters of a run."""
    return _stream(seed, _INITIALIZATION)


def order_key(seed: Array, epoch: Array) -> Array:
    """Two 32-bit words that decide the order of the training rows in an epoch."""
    return jax.random.key_data(jax.random.fold_in(_stream(seed, _ORDER), epoch))


def noise_key(seed: Array, step: Array) -> Array:
    """Key of everything random inside the network at a step: dropout, noise."""
    return jax.random.fold_in(_stream(seed, _NOISE), step)


def as_seeds(seeds: list[int]) -> np.ndarray:
    """Seeds as the programs take them, uint32 [run]."""
    return np.asarray(seeds, np.uint32)
