"""Random streams of a run, each by name.

One integer seed per run gives independent streams, so that a change in one thing (a longer
training, another dropout rate) leaves the randomness of the others alone, and runs with the same
seed start from the same parameters, split and order whatever else differs between them.

The streams of the split (1) and of rows drawn with replacement (6) are in ``thalweg.data.split``.
"""

from __future__ import annotations

import jax
import numpy as np
from jax import Array

__all__ = ["augmentation_key", "initialization_key", "noise_key", "order_words"]

_INITIALIZATION, _ORDER, _NOISE, _AUGMENTATION = 2, 3, 4, 5


def initialization_key(seed: Array) -> Array:
    """Key of the starting parameters of a run."""
    return jax.random.fold_in(jax.random.key(seed), _INITIALIZATION)


def noise_key(seed: Array, step: Array) -> Array:
    """Key of everything random inside the network at a step: dropout, noise."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), _NOISE), step)


def augmentation_key(seed: Array, step: Array) -> Array:
    """Key of what augmentations do to the mini-batch of a step."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), _AUGMENTATION), step)


def order_words(seed: int) -> np.ndarray:
    """Two 32-bit words that, with the epoch, decide the order of the training rows."""
    return np.random.SeedSequence((seed, _ORDER)).generate_state(2)
