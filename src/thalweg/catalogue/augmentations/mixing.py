"""Noise on inputs, and mixtures of examples."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue import draws
from thalweg.catalogue.augmentations.augmentation import Batch
from thalweg.part import Number, choice, number, part

__all__ = ["Mixup", "Noise"]


@part
class Noise:
    """Adds normal noise to every input.

    Formula: x ← x + ε, ε ~ N(0, deviation²)
    Numbers: deviation: of the noise, in units of the inputs as the network sees them
    Shapes: any → the same
    Watch for: without preprocessing, features of large units hardly notice. Small noise acts like
        a penalty on derivatives: see NoiseConsistency.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 7.4
    Example:
        >>> batch = Noise(deviation=2).augment(Batch(jnp.zeros(10000), None), jax.random.key(0))
        >>> float(batch.inputs.std().round(1))
        2.0
    """

    deviation: Number = number(default=0.1, low=0, scale="log", search=(0.01, 1))
    of_images = False

    def augment(self, batch: Batch, key: Array) -> Batch:
        noise = draws.normal(key, batch.inputs.shape, batch.inputs.dtype)
        return batch._replace(inputs=batch.inputs + self.deviation * noise)


@part
class Mixup:
    """Mixes every example with another of its batch, inputs and targets alike.

    Formula: x ← λ x + (1 − λ) x′;  ℓ ← λ ℓ(ŷ, y) + (1 − λ) ℓ(ŷ, y′);  λ ~ Beta(alpha, alpha)
    Numbers: alpha: small values mix rarely, 1 by any share alike, large ones by halves
    Choices: per: whether one λ serves the ``batch`` or every ``example`` has its own
    Shapes: inputs any → the same; targets stay, with others beside them
    Watch for: for cross-entropy it equals soft targets λ y + (1 − λ) y′; for squared error their
        gradients, and the training loss is higher by a constant. Training loss and accuracy are of
        mixtures and look bad; judge on validation.
    Source: Zhang, Cisse, Dauphin & Lopez-Paz, mixup: Beyond Empirical Risk Minimization, 2018,
        equation 1
    Example:
        >>> batch = Batch(jnp.array([[0.0], [1.0]]), jnp.array([0, 1]))
        >>> mixed = Mixup(alpha=1.0).augment(batch, jax.random.key(0))
        >>> mixed.others, bool(jnp.allclose(mixed.inputs.sum(), 1))
        (Array([1, 0], dtype=int32), True)
    """

    alpha: Number = number(default=0.2, above=0, scale="log", search=(0.05, 2))
    per: Literal["batch", "example"] = choice(default="batch")
    of_images = False

    def augment(self, batch: Batch, key: Array) -> Batch:
        inputs = batch.inputs
        rows = len(inputs)
        for_share, for_others = jax.random.split(key)
        alpha = jnp.asarray(self.alpha, jnp.float32)  # drawn alike whatever programs compute in
        count = rows if self.per == "example" else 1
        share = jax.random.beta(for_share, alpha, alpha, (count,), jnp.float32)
        share = jnp.broadcast_to(share, (rows,)).astype(inputs.dtype)
        # Batches are shuffled, so the row a random distance on is as good as any other.
        distance = jax.random.randint(for_others, (), 1, max(rows, 2), jnp.int32)
        others = (jnp.arange(rows) + distance) % rows
        mine = share.reshape(-1, *[1] * (inputs.ndim - 1))
        mixed = mine * inputs + (1 - mine) * inputs[others]
        return Batch(mixed, batch.targets, batch.targets[others], share)
