"""Regularizers of activations: penalties that ask for sparse representations.

A weight that is zero is a connection less; an activation that is zero is a unit that says nothing
about one example. Each can be had without the other. Every position of a feature map or sequence
counts as a unit. ``NormalDivergence`` holds the codes of a variational autoencoder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.regularizers.regularizer import mean_over_rows
from thalweg.part import Number, choice, number, part

__all__ = [
    "GroupActivity",
    "KLSparsity",
    "L1Activity",
    "MeanActivity",
    "NormalDivergence",
    "StudentTActivity",
]

Activations = Mapping[str, Array]


def _per_example(
    penalty: Callable[[Array], Array], activations: Activations, weights: Array | None
) -> Any:
    """Penalties of [row, unit], summed over units and layers, averaged over rows."""
    return sum(mean_over_rows(penalty(_flat(h)).sum(axis=1), weights) for h in activations.values())


def _of_means(
    penalty: Callable[[Array], Array], activations: Activations, weights: Array | None
) -> Any:
    """Penalties of the mean activations [unit] of a batch, summed over units and layers."""
    return sum(penalty(mean_over_rows(_flat(h), weights)).sum() for h in activations.values())


def _flat(activations: Array) -> Array:
    return activations.reshape(len(activations), -1)


@part
class L1Activity:
    """Penalizes the absolute values of hidden activations.

    Formula: strength · Σ_layers ⟨Σ_i |h_i|⟩, the mean over examples
    Numbers: strength: weight of the penalty
    Choices: layers: names of the layers it acts on, all where not given
    Shapes: hidden activations by layer, each [batch, ...] → scalar
    Watch for: a network may answer by small activations and large weights behind them; hold those
        back too.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, equation 7.48
    Example:
        >>> h = {"hidden": jnp.array([[1.0, -2.0], [0.0, 1.0]])}
        >>> float(L1Activity(strength=0.1).activity_penalty(h, None).round(4))
        0.2
    """

    strength: Number = number(default=1e-3, low=0, scale="log", search=(1e-5, 1))
    layers: tuple[str, ...] | None = choice(default=None)
    acts_on = "activations"

    def activity_penalty(self, activations: Activations, weights: Array | None) -> Any:
        # The derivative at 0, where rectified units often are, is 0.
        return self.strength * _per_example(lambda h: h * jnp.sign(h), activations, weights)


@part
class StudentTActivity:
    """Penalizes hidden activations by the logarithm of a heavy-tailed density.

    Formula: strength · Σ_layers ⟨Σ_i ln(1 + h_i²)⟩, the mean over examples
    Numbers: strength: weight of the penalty
    Choices: layers: names of the layers it acts on, all where not given
    Shapes: hidden activations by layer, each [batch, ...] → scalar
    Watch for: large activations are hardly pulled at all, small ones as by L2: few, strong units.
    Source: Olshausen & Field, Emergence of Simple-Cell Receptive Field Properties, 1996; Bergstra,
        Incorporating Complex Cells into Neural Networks, 2011
    Example:
        >>> h = {"hidden": jnp.array([[1.0, 0.0]])}
        >>> float(StudentTActivity(strength=1.0).activity_penalty(h, None).round(4))
        0.6931
    """

    strength: Number = number(default=1e-3, low=0, scale="log", search=(1e-5, 1))
    layers: tuple[str, ...] | None = choice(default=None)
    acts_on = "activations"

    def activity_penalty(self, activations: Activations, weights: Array | None) -> Any:
        return self.strength * _per_example(lambda h: jnp.log1p(h * h), activations, weights)


@part
class KLSparsity:
    """Asks every hidden unit to be active as rarely as a coin with a given bias.

    Formula: strength · Σ_layers Σ_j [ρ ln(ρ / ρ̂_j) + (1 − ρ) ln((1 − ρ) / (1 − ρ̂_j))], with
        ρ̂_j = ⟨h_j⟩ the mean over the batch
    Numbers: strength: weight of the penalty; target: ρ
    Choices: layers: names of the layers it acts on, all where not given
    Shapes: hidden activations by layer, each [batch, ...] → scalar
    Watch for: needs activations between 0 and 1 (sigmoid); others are refused. The mean is over
        the mini-batch, so small batches make it noisy. Means closer than 1e-6 to 0 or 1 count as
        that close.
    Source: Larochelle & Bengio, Classification using Discriminative Restricted Boltzmann Machines,
        2008; formula: Ng, Sparse Autoencoder, 2011
    Example:
        >>> h = {"hidden": jnp.array([[0.5], [0.5]])}
        >>> float(KLSparsity(strength=1.0, target=0.1).activity_penalty(h, None).round(4))
        0.3681
    """

    strength: Number = number(default=1e-2, low=0, scale="log", search=(1e-4, 10))
    target: Number = number(default=0.05, above=0, below=1, scale="log", search=(0.01, 0.5))
    layers: tuple[str, ...] | None = choice(default=None)
    acts_on = "activations"
    activations_within = (0.0, 1.0)

    def activity_penalty(self, activations: Activations, weights: Array | None) -> Any:
        def divergence(mean: Array) -> Array:
            active, silent = jnp.clip(mean, 1e-6, 1), jnp.clip(1 - mean, 1e-6, 1)
            wanted, unwanted = self.target, 1 - self.target
            return wanted * jnp.log(wanted / active) + unwanted * jnp.log(unwanted / silent)

        return self.strength * _of_means(divergence, activations, weights)


@part
class MeanActivity:
    """Pulls the mean activation of every hidden unit towards a small target.

    Formula: strength · Σ_layers Σ_j (⟨h_j⟩ − target)², with ⟨h_j⟩ the mean over the batch
    Numbers: strength: weight of the penalty; target: mean activation asked for
    Choices: layers: names of the layers it acts on, all where not given
    Shapes: hidden activations by layer, each [batch, ...] → scalar
    Watch for: a small mean is no sparsity where activations may be negative, as they may cancel.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 7.10; Lee, Ekanadham & Ng,
        Sparse Deep Belief Net Model for Visual Area V2, 2008
    Example:
        >>> h = {"hidden": jnp.array([[0.0, 0.4], [0.2, 0.0]])}
        >>> float(MeanActivity(strength=1.0, target=0.0).activity_penalty(h, None).round(4))
        0.05
    """

    strength: Number = number(default=1e-2, low=0, scale="log", search=(1e-4, 10))
    target: Number = number(default=0.01, search=(0, 0.2))
    layers: tuple[str, ...] | None = choice(default=None)
    acts_on = "activations"

    def activity_penalty(self, activations: Activations, weights: Array | None) -> Any:
        return self.strength * _of_means(lambda h: (h - self.target) ** 2, activations, weights)


@part
class GroupActivity:
    """Penalizes the lengths of groups of hidden activations, so that whole groups fall silent.

    Formula: strength · Σ_layers ⟨Σ_g ‖h_g‖₂⟩ over groups of neighbouring units, the mean over
        examples
    Numbers: strength: weight of the penalty
    Choices: size: units of a group; the last of a layer may be smaller; layers: names of the layers
        it acts on, all where not given
    Shapes: hidden activations by layer, each [batch, ...] → scalar
    Watch for: with groups of one it is L1Activity. Within a group nothing asks for sparsity.
    Source: Yuan & Lin, Model Selection and Estimation in Regression with Grouped Variables, 2006,
        applied to activations
    Example:
        >>> h = {"hidden": jnp.array([[3.0, 4.0, 0.0, 0.0]])}
        >>> float(GroupActivity(strength=0.1, size=2).activity_penalty(h, None).round(4))
        0.5
    """

    strength: Number = number(default=1e-3, low=0, scale="log", search=(1e-5, 1))
    size: int = choice(default=4, low=1)
    layers: tuple[str, ...] | None = choice(default=None)
    acts_on = "activations"

    def activity_penalty(self, activations: Activations, weights: Array | None) -> Any:
        def lengths(h: Array) -> Array:
            missing = -h.shape[1] % self.size
            groups = jnp.pad(h, ((0, 0), (0, missing))).reshape(len(h), -1, self.size)
            squares = (groups * groups).sum(axis=2)
            # The root has no derivative at zero, where silent groups are; theirs is 0.
            silent = squares == 0
            return jnp.where(silent, 0, jnp.sqrt(jnp.where(silent, 1, squares)))

        return self.strength * _per_example(lengths, activations, weights)


@part
class NormalDivergence:
    """Penalizes codes that are drawn from other than standard normal distributions.

    Formula: strength · Σ_layers ⟨Σ_j (μ_j² + σ_j² − ln σ_j² − 1) / 2⟩, the mean over examples: the
        divergence KL(N(μ, σ²) ‖ N(0, 1))
    Numbers: strength: β
    Choices: layers: names of the layers it acts on, all that draw codes where not given
    Shapes: divergences by layer, each [batch] → scalar
    Watch for: for the bound of the paper β is 1 beside a loss that is the sum over all outputs; of
        a loss that is their mean it is 1 / outputs. Where β is too large, codes say nothing (they
        collapse to N(0, 1)) and all outputs are the mean.
    Source: Kingma & Welling, Auto-Encoding Variational Bayes, 2014, equation 10; β: Higgins et al.,
        β-VAE, 2017, equation 4
    Example:
        >>> apart = {"normal_sample_0": jnp.array([1.0, 3.0])}
        >>> float(NormalDivergence(strength=0.5).activity_penalty(apart, None))
        1.0
    """

    strength: Number = number(default=1.0, low=0, scale="log", search=(1e-4, 10))
    layers: tuple[str, ...] | None = choice(default=None)
    acts_on = "activations"
    reads = "divergence"

    def activity_penalty(self, activations: Activations, weights: Array | None) -> Any:
        return self.strength * _per_example(lambda d: d, activations, weights)
