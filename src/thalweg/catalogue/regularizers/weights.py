"""Regularizers of weights: penalties (L1, L2, ElasticNet, LInfinity, LogSumExp), what is done to
weights beside the gradient (ProximalL1, DecoupledDecay), and a bound on them (MaxNorm).

Weights are all parameters but biases, scales of normalizations, and slopes that activations
learn. ``biases = true`` has biases and scales held back too; slopes (of PReLU) never are.
"""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.regularizers.regularizer import held, is_held, map_held
from thalweg.part import Number, choice, number, part

__all__ = [
    "L1",
    "L2",
    "DecoupledDecay",
    "ElasticNet",
    "LInfinity",
    "LogSumExp",
    "MaxNorm",
    "ProximalL1",
]


def _sum_of_sizes(parameters: Any, biases: bool) -> Any:
    # Not jnp.abs, whose derivative at 0 is 1: it would move biases that start at zero.
    return sum((w * jnp.sign(w)).sum() for w in held(parameters, biases))


def _sum_of_squares(parameters: Any, biases: bool) -> Any:
    return sum((w * w).sum() for w in held(parameters, biases))


def _soft_threshold(parameters: Any, threshold: Any, biases: bool) -> Any:
    """Weights moved towards zero by a threshold, and no further: the proximal map of L1."""
    return map_held(
        lambda w: jnp.sign(w) * jnp.maximum(jnp.abs(w) - threshold, 0), biases, parameters
    )


def _together(parameters: Any, biases: bool) -> Array:
    return jnp.concatenate([w.reshape(-1) for w in held(parameters, biases)])


@part
class L1:
    """Penalizes absolute values.

    Formula: strength · Σ |w|;  subgradient strength · sgn(w), 0 at 0
    Numbers: strength: weight of the penalty
    Choices: biases: whether biases, and scales of normalizations, are penalized too; layers: names
        of the layers it acts on, all where not given
    Shapes: scalar
    Watch for: subgradient steps make weights small, hardly ever exactly zero: see ProximalL1. A
        problem with ‖w‖₁ is not the one with ‖w‖₂² that some texts begin with: it has another
        solution, and the slope λ sgn(w) in place of 2λ w.
        Slopes that activations learn (PReLU) are never penalized.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 7.1.2
    Example:
        >>> float(L1(strength=0.1).penalty({"kernel": jnp.array([[1.0, -2.0]])}).round(4))
        0.3
    """

    strength: Number = number(default=1e-4, low=0, scale="log", search=(1e-6, 1e-1))
    biases: bool = choice(default=False)
    layers: tuple[str, ...] | None = choice(default=None)
    acts_on = "weights"

    def penalty(self, parameters: Any) -> Any:
        return self.strength * _sum_of_sizes(parameters, self.biases)


@part
class ProximalL1:
    """Moves weights towards zero by a fixed amount after every update, and stops them there.

    Formula: w ← sgn(w) max(0, |w| − learning_rate · strength)
    Numbers: strength: weight of the penalty Σ |w| whose minimum this finds
    Choices: biases: whether biases are moved too; layers: names of the layers it acts on, all where
        not given
    Shapes: those of the parameters
    Watch for: weights become exactly zero. With plain gradient descent this is the iterative
        soft-thresholding algorithm, and its rest point the lasso's; with adaptive optimizers the
        rest point differs, as the threshold does not follow the steps of single weights.
    Source: Parikh & Boyd, Proximal Algorithms, 2014, sections 4.2 and 6.5.2
    Example:
        >>> parameters = {"kernel": jnp.array([[1.0, -0.02]])}
        >>> ProximalL1(strength=0.1).project(parameters, parameters, 0.5, None)
        {'kernel': Array([[ 0.95, -0.  ]], dtype=float32)}
    """

    strength: Number = number(default=1e-4, low=0, scale="log", search=(1e-6, 1e-1))
    biases: bool = choice(default=False)
    layers: tuple[str, ...] | None = choice(default=None)
    acts_on = "weights"

    def project(self, parameters: Any, before: Any, learning_rate: Any, progress: Any) -> Any:
        return _soft_threshold(parameters, learning_rate * self.strength, self.biases)


@part
class L2:
    """Penalizes squares.

    Formula: strength · factor · Σ w²;  gradient 2 · strength · factor · w
    Numbers: strength: weight of the penalty
    Choices: factor: 1, or ½ so that the gradient is strength · w; biases: penalized too or not;
        layers: names of the layers it acts on, all where not given
    Shapes: scalar
    Watch for: texts disagree about the ½, which doubles or halves every strength; compare the
        gradients. λ Σ w² and γ ‖θ‖² have factor 1, ½ α wᵀw and (λ/2) ‖θ‖² factor ½; Keras has
        factor 1, scikit-learn's MLPClassifier factor ½ and strength = alpha / rows of a batch.
        With Adam it is not weight decay: see DecoupledDecay. Slopes that activations learn
        (PReLU) are never penalized.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 7.1.1
    Example:
        >>> float(L2(strength=0.1).penalty({"kernel": jnp.array([[1.0, -2.0]])}).round(4))
        0.25
    """

    strength: Number = number(default=1e-4, low=0, scale="log", search=(1e-6, 1e-1))
    factor: float = choice(default=0.5, options=(0.5, 1.0))
    biases: bool = choice(default=False)
    layers: tuple[str, ...] | None = choice(default=None)
    acts_on = "weights"

    def penalty(self, parameters: Any) -> Any:
        return self.strength * self.factor * _sum_of_squares(parameters, self.biases)


@part
class ElasticNet:
    """Penalizes absolute values and squares together.

    Formula: strength · (ratio · Σ |w| + ½ (1 − ratio) · Σ w²)
    Numbers: strength: weight of the penalty; ratio: share of the absolute values, from 0 (L2) to
        1 (L1)
    Choices: absolute: whether absolute values pull by their ``subgradient`` or are handled by the
        ``proximal`` map after the update, which makes exact zeros; biases: penalized too or not;
        layers: names of the layers it acts on, all where not given
    Shapes: scalar; those of the parameters for the proximal map
    Watch for: with ``proximal`` the objective shows the squares only.
    Source: Zou & Hastie, Regularization and Variable Selection via the Elastic Net, 2005, in the
        scaling of scikit-learn's ElasticNet
    Example:
        >>> net = ElasticNet(strength=0.1, ratio=0.5)
        >>> float(net.penalty({"kernel": jnp.array([[1.0, -2.0]])}).round(4))
        0.275
    """

    strength: Number = number(default=1e-4, low=0, scale="log", search=(1e-6, 1e-1))
    ratio: Number = number(default=0.5, low=0, high=1)
    absolute: Literal["subgradient", "proximal"] = choice(default="subgradient")
    biases: bool = choice(default=False)
    layers: tuple[str, ...] | None = choice(default=None)
    acts_on = "weights"

    def penalty(self, parameters: Any) -> Any:
        squares = 0.5 * (1 - self.ratio) * _sum_of_squares(parameters, self.biases)
        if self.absolute == "proximal":
            return self.strength * squares
        return self.strength * (self.ratio * _sum_of_sizes(parameters, self.biases) + squares)

    def project(self, parameters: Any, before: Any, learning_rate: Any, progress: Any) -> Any:
        if self.absolute == "subgradient":
            return parameters
        return _soft_threshold(parameters, learning_rate * self.strength * self.ratio, self.biases)


@part
class LInfinity:
    """Penalizes the largest absolute value.

    Formula: strength · max |w|;  gradient strength · sgn(w) at the largest, 0 elsewhere
    Numbers: strength: weight of the penalty
    Choices: over: whether there is one largest weight in the ``network`` or one in every ``layer``;
        biases: penalized too or not; layers: names of the layers it acts on, all where not given
    Shapes: scalar
    Watch for: weights that are equally large share the gradient. A step moves few weights, so
        strengths are larger than those of L2.
    Source: Boyd & Vandenberghe, Convex Optimization, 2004, section 6.1.1
    Example:
        >>> parameters = {"kernel": jnp.array([[1.0, -2.0]])}
        >>> jax.grad(LInfinity(strength=0.1).penalty)(parameters)
        {'kernel': Array([[ 0. , -0.1]], dtype=float32)}
    """

    strength: Number = number(default=1e-2, low=0, scale="log", search=(1e-4, 1))
    over: Literal["network", "layer"] = choice(default="network")
    biases: bool = choice(default=False)
    layers: tuple[str, ...] | None = choice(default=None)
    acts_on = "weights"

    def penalty(self, parameters: Any) -> Any:
        # Differentiable at zero, where it pulls nowhere.
        largest = [(w * jnp.sign(w)).max() for w in held(parameters, self.biases)]
        whole = jnp.stack(largest).max() if self.over == "network" else sum(largest)
        return self.strength * whole


@part
class LogSumExp:
    """Penalizes a smooth maximum of the weights.

    Formula: strength · ln Σ e^w;  gradient strength · softmax(w)
    Numbers: strength: weight of the penalty
    Choices: of: the ``weights`` themselves, or their ``sizes`` |w|; biases: penalized too or not;
        layers: names of the layers it acts on, all where not given
    Shapes: scalar
    Watch for: of the weights it pushes all of them down, negative ones too, without end; of their
        sizes it is a smooth LInfinity. It is ln n for n zeros, not 0.
    Source: Boyd & Vandenberghe, Convex Optimization, 2004, section 3.1.5
    Example:
        >>> parameters = {"kernel": jnp.array([[0.0, jnp.log(3.0)]])}
        >>> jax.grad(LogSumExp(strength=1.0).penalty)(parameters)["kernel"].round(4)
        Array([[0.25, 0.75]], dtype=float32)
    """

    strength: Number = number(default=1e-2, low=0, scale="log", search=(1e-4, 1))
    of: Literal["weights", "sizes"] = choice(default="weights")
    biases: bool = choice(default=False)
    layers: tuple[str, ...] | None = choice(default=None)
    acts_on = "weights"

    def penalty(self, parameters: Any) -> Any:
        w = _together(parameters, self.biases)
        return self.strength * jax.nn.logsumexp(w if self.of == "weights" else w * jnp.sign(w))


@part
class MaxNorm:
    """Keeps the incoming weights of every unit within a ball.

    Formula: w_j ← w_j min(1, limit / ‖w_j‖₂), w_j the weights into unit j
    Numbers: limit: largest length of the weights into one unit
    Choices: layers: names of the layers it acts on, all where not given
    Shapes: those of the parameters
    Watch for: biases, scales and slopes are left alone. Units lie along the last axis, as in
        dense and convolution kernels.
    Source: Srivastava et al., Dropout, 2014, section 5.1
    Example:
        >>> parameters = {"kernel": jnp.array([[3.0, 0.3], [4.0, 0.4]])}
        >>> MaxNorm(limit=1).project(parameters, parameters, 0.1, None)["kernel"].round(4)
        Array([[0.6, 0.3],
               [0.8, 0.4]], dtype=float32)
    """

    limit: Number = number(default=3.0, above=0, scale="log", search=(0.5, 8))
    layers: tuple[str, ...] | None = choice(default=None)
    acts_on = "weights"

    def project(self, parameters: Any, before: Any, learning_rate: Any, progress: Any) -> Any:
        def bounded(w: Array) -> Array:
            length = jnp.sqrt((w * w).sum(axis=tuple(range(w.ndim - 1)), keepdims=True))
            return w * (self.limit / jnp.maximum(length, self.limit))

        return map_held(bounded, False, parameters)


@part
class DecoupledDecay:
    """Shrinks weights beside the update instead of through the gradient.

    Formula: w ← w + Δw − λ w, with λ = strength, or learning_rate · strength
    Numbers: strength: share of a weight lost per step
    Choices: times_learning_rate: whether the share is multiplied by the learning rate (as in AdamW
        of the common libraries) or not (as in the paper); biases: shrunk too or not; layers: names
        of the layers it acts on, all where not given
    Shapes: those of the parameters
    Watch for: slopes that activations learn (PReLU) never shrink. Equals L2 for plain gradient
        descent only, and not at all for Adam. A "+ λ w" in some lecture notes is a sign error: it
        lets weights grow.
    Source: Loshchilov & Hutter, Decoupled Weight Decay Regularization, 2019, algorithm 2
    Example:
        >>> DecoupledDecay(strength=0.1).shrinkage({"kernel": jnp.array([[2.0]])}, 0.5)
        {'kernel': Array([[0.1]], dtype=float32)}
    """

    strength: Number = number(default=1e-2, low=0, below=1, scale="log", search=(1e-5, 1e-1))
    times_learning_rate: bool = choice(default=True)
    biases: bool = choice(default=False)
    layers: tuple[str, ...] | None = choice(default=None)
    acts_on = "weights"

    def shrinkage(self, parameters: Any, learning_rate: Any) -> Any:
        share = self.strength * (learning_rate if self.times_learning_rate else 1.0)
        return jax.tree_util.tree_map_with_path(
            lambda path, w: share * w if is_held(path, self.biases) else jnp.zeros_like(w),
            parameters,
        )
