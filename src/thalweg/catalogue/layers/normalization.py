"""Normalizations: values brought to mean 0 and variance 1, and what they are averaged over.

=========================  ==========================================  =======================
part                       one mean and variance for each              example depends on batch
=========================  ==========================================  =======================
``BatchNormalization``     channel, over the batch and space           in training
``LayerNormalization``     example, over space and channels            no
``InstanceNormalization``  example and channel, over space             no
``GroupNormalization``     example and group of channels, over space   no
``RMSNormalization``       example and position (no mean is taken)     no
=========================  ==========================================  =======================

Each may end in a trained scale γ and bias β for every channel.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Constant, Initializer, Zero
from thalweg.catalogue.joined import joined, taken_apart
from thalweg.catalogue.layers.lengths import counted_steps
from thalweg.catalogue.layers.repetition import along_rows
from thalweg.catalogue.layers.windows import batch_first, channels_first, described
from thalweg.errors import SpecError
from thalweg.part import Number, choice, number, part

__all__ = [
    "BatchNormalization",
    "GroupNormalization",
    "InstanceNormalization",
    "LayerNormalization",
    "RMSNormalization",
]

ONE = Constant(value=1.0)


def _affine(layer: Any, key: Array, shape: tuple[int, ...]) -> dict[str, Array]:
    """The trained scale and bias that a normalization ends in."""
    for_scale, for_bias = jax.random.split(key)
    starts = (("scale", for_scale), ("bias", for_bias))
    return {
        name: getattr(layer, name).sample(own, shape)
        for name, own in starts
        if getattr(layer, name, None) is not None
    }


def _weights(x: Array, context: Context) -> Array | None:
    """What every value of a channel counts, [space · batch]; None where all count alike."""
    weights = context.weights
    if weights is not None:
        space = math.prod(x.shape[1:-1])
        weights = joined(jnp.tile(weights.astype(x.dtype), (space, 1)), 0, 2)
    if context.lengths is None or x.ndim != 3:
        return weights
    steps = joined(counted_steps(context.lengths, x.shape[1]).astype(x.dtype).T, 0, 2)
    return steps if weights is None else steps * weights


def _refuse_padding(owner: str, x: Array, context: Context, instead: str) -> None:
    """Refuse to average over the steps of padded sequences: later ones would reach earlier ones."""
    if context.lengths is not None and x.ndim == 3:
        raise SpecError(f"{owner} would average over the steps of a padded sequence; use {instead}")


def _rescaled(variables: Variables, y: Array) -> Array:
    """γ y + β, as far as there are γ and β."""
    if "scale" in variables.parameters:
        y = y * variables.parameters["scale"]
    if "bias" in variables.parameters:
        y = y + variables.parameters["bias"]
    return y


def _standardized(x: Array, axes: tuple[int, ...], epsilon: Any) -> Array:
    """(x − μ) / √(σ² + ε), moments taken over some axes of every example."""
    centred = x - x.mean(axes, keepdims=True)
    return centred * jax.lax.rsqrt((centred**2).mean(axes, keepdims=True) + epsilon)


@part
class BatchNormalization:
    """Standardizes every channel over the mini-batch.

    Formula: y = γ (x − μ) / √(σ² + ε) + β;  training: μ, σ² = mean and (biased) variance over batch
        and space;  evaluation: averages of them, m ← momentum · m + (1 − momentum) · m_batch
    Numbers: momentum: share of the old average that is kept (libraries also call 1 − it momentum);
        epsilon: ε, within the root
    Choices: statistics: in evaluation, ``running`` averages of the batches, or those of the whole
        training ``population``, found anew by a pass over it before each evaluation; variance: in
        running averages ``unbiased`` (times n / (n − 1)), as in the paper, or ``biased``; scale:
        where γ starts, none without; bias: where β starts, none without
    Shapes: [batch, ..., channel] → the same; γ, β [channel]
    Watch for: in training an example depends on its batch, and a batch must hold more than one
        value per channel. As the rest of the batch is drawn by chance, this is noise, and it
        regularizes, the more the smaller the batch; in evaluation there is none. A bias in the
        layer before it is redundant. It is to keep what layers read from changing drastically
        between steps; texts that say it makes gradients so mean the opposite. For short batches,
        and sequences of many lengths, LayerNormalization is the safer choice. Texts that write σ²
        with ε in it mean the same.
    Source: Ioffe & Szegedy, Batch Normalization, 2015, algorithms 1 and 2
    Example:
        >>> layer, x = BatchNormalization(), jnp.array([[1.0], [3.0]])
        >>> variables = layer.init(jax.random.key(0), x)
        >>> y, state = layer.apply(variables, x, Context("train"))
        >>> y.ravel().round(3), state["mean"].round(3)
        (Array([-1.,  1.], dtype=float32), Array([0.2], dtype=float32))
    """

    momentum: Number = number(default=0.9, low=0, below=1, search=(0.5, 0.99))
    epsilon: Number = number(default=1e-5, above=0, scale="log", constant=True)
    statistics: Literal["running", "population"] = choice(default="running")
    variance: Literal["unbiased", "biased"] = choice(default="unbiased")
    scale: Initializer | None = choice(default=ONE)
    bias: Initializer | None = choice(default=Zero())
    centres = True  # a bias before it would be taken away again

    def init(self, key: Array, example: Any) -> Variables:
        shape = (example.shape[-1],)
        state = {"mean": jnp.zeros(shape), "variance": jnp.ones(shape)}
        return Variables(_affine(self, key, shape), state)

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        state, cells = variables.state, channels_first(x)
        rows = joined(cells, 1, cells.ndim)
        each = partial(along_rows, columns=rows.shape[1])
        if context.mode == "evaluate":
            centred, variance = rows - each(state["mean"]), state["variance"]
        else:
            weights, count = self._weights(x, context)
            mean = jnp.dot(rows, weights, precision="highest") / count
            centred = rows - each(mean)
            variance = jnp.dot(centred**2, weights, precision="highest") / count
            if context.mode == "calibrate":
                state = {"mean": mean, "variance": variance}
            elif self.statistics == "running":
                state = self._averaged(state, mean, variance, count)
        factor = jax.lax.rsqrt(variance + self.epsilon)
        if "scale" in variables.parameters:
            factor = factor * variables.parameters["scale"]
        y = centred * each(factor)
        if "bias" in variables.parameters:
            y = y + each(variables.parameters["bias"])
        return context.tap("z", batch_first(taken_apart(y, 1, cells.shape[1:]))), state

    def _weights(self, x: Array, context: Context) -> tuple[Array, Any]:
        """What every value of a channel counts, [space · batch], and their sum."""
        space = math.prod(x.shape[1:-1])
        if x.shape[0] * space < 2:
            raise SpecError(
                "BatchNormalization needs more than one value per channel in every training "
                "batch, got a batch of one example; choose training.batch_size so that neither "
                "it nor the rest in the last batch of an epoch is 1"
            )
        weights = _weights(x, context)
        if weights is None:
            return jnp.ones(x.shape[0] * space, x.dtype), x.shape[0] * space
        return weights, weights.sum()

    def _averaged(self, state: Any, mean: Array, variance: Array, count: Any) -> dict[str, Array]:
        """Running averages with those of one more batch, which carry no gradient."""
        if self.variance == "unbiased":
            variance = variance * (count / (count - 1))
        found = jax.lax.stop_gradient({"mean": mean, "variance": variance})
        return {
            name: (self.momentum * old + (1 - self.momentum) * found[name]).astype(old.dtype)
            for name, old in state.items()
        }


@part
class LayerNormalization:
    """Standardizes every example over its own values.

    Formula: y = γ (x − μ) / √(σ² + ε) + β, μ and σ² of one example
    Numbers: epsilon: ε, within the root
    Choices: over: moments over the whole ``example``, or over the ``channels`` of each position, as
        in transformers; scale: where γ starts, none without; bias: where β starts, none without
    Shapes: [batch, ..., channel] → the same; γ, β shaped like what is averaged over
    Watch for: the same in training and evaluation, and for every batch size. For [batch, feature]
        both choices agree. Usual in sequence networks; in deep convolutional ones, which some
        texts list here too, BatchNormalization is.
    Source: Ba, Kiros & Hinton, Layer Normalization, 2016, equation 3
    Example:
        >>> layer, x = LayerNormalization(), jnp.array([[1.0, 3.0], [10.0, 30.0]])
        >>> layer.apply(layer.init(jax.random.key(0), x), x, Context("train"))[0].round(3)
        Array([[-1.,  1.],
               [-1.,  1.]], dtype=float32)
    """

    epsilon: Number = number(default=1e-5, above=0, scale="log", constant=True)
    over: Literal["example", "channels"] = choice(default="example")
    scale: Initializer | None = choice(default=ONE)
    bias: Initializer | None = choice(default=Zero())

    def init(self, key: Array, example: Any) -> Variables:
        axes = self._axes(example)
        return Variables(_affine(self, key, tuple(example.shape[axis] for axis in axes)), {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        if self.over == "example":
            _refuse_padding("LayerNormalization", x, context, 'over = "channels"')
        y = _standardized(x, self._axes(x), self.epsilon)
        return context.tap("z", _rescaled(variables, y)), {}

    def _axes(self, x: Any) -> tuple[int, ...]:
        return tuple(range(1, x.ndim)) if self.over == "example" else (x.ndim - 1,)


@part
class InstanceNormalization:
    """Standardizes every channel of every example over space.

    Formula: y = γ (x − μ) / √(σ² + ε) + β, μ and σ² of one channel of one example
    Numbers: epsilon: ε, within the root
    Choices: scale: where γ starts, none without; bias: where β starts, none without
    Shapes: [batch, space ..., channel] → the same; γ, β [channel]
    Watch for: contrast of an image is lost; a channel that is the same everywhere becomes 0.
    Source: Ulyanov, Vedaldi & Lempitsky, Instance Normalization, 2016, equation 2
    Example:
        >>> layer, x = InstanceNormalization(), jnp.array([[[1.0], [3.0]]])
        >>> layer.apply(layer.init(jax.random.key(0), x), x, Context("train"))[0].ravel().round(3)
        Array([-1.,  1.], dtype=float32)
    """

    epsilon: Number = number(default=1e-5, above=0, scale="log", constant=True)
    scale: Initializer | None = choice(default=ONE)
    bias: Initializer | None = choice(default=Zero())

    def init(self, key: Array, example: Any) -> Variables:
        if len(example.shape) < 3:
            raise SpecError(
                "InstanceNormalization needs inputs [batch, space ..., channel], "
                f"got {described(example.shape)}; a single value has no variance"
            )
        return Variables(_affine(self, key, (example.shape[-1],)), {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        _refuse_padding("InstanceNormalization", x, context, "LayerNormalization over channels")
        y = _standardized(x, tuple(range(1, x.ndim - 1)), self.epsilon)
        return context.tap("z", _rescaled(variables, y)), {}


@part
class GroupNormalization:
    """Standardizes groups of channels of every example over space.

    Formula: y = γ (x − μ) / √(σ² + ε) + β, μ and σ² of one group of channels of one example
    Numbers: epsilon: ε, within the root
    Choices: groups: number of groups; scale: where γ starts, none without; bias: where β starts,
        none without
    Shapes: [batch, ..., channel] → the same; γ, β [channel]
    Watch for: with 1 group all values of an example are averaged, with as many groups as channels
        it is InstanceNormalization.
    Source: Wu & He, Group Normalization, 2018, equations 1 to 5
    Example:
        >>> layer, x = GroupNormalization(groups=2), jnp.array([[1.0, 3.0, 5.0, 9.0]])
        >>> layer.apply(layer.init(jax.random.key(0), x), x, Context("train"))[0].round(3)
        Array([[-1.,  1., -1.,  1.]], dtype=float32)
    """

    groups: int = choice(default=8, low=1)
    epsilon: Number = number(default=1e-5, above=0, scale="log", constant=True)
    scale: Initializer | None = choice(default=ONE)
    bias: Initializer | None = choice(default=Zero())

    def init(self, key: Array, example: Any) -> Variables:
        if example.shape[-1] % self.groups:
            raise SpecError(
                f"GroupNormalization.groups must divide the {example.shape[-1]} channels of its "
                f"inputs, got {self.groups}"
            )
        return Variables(_affine(self, key, (example.shape[-1],)), {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        _refuse_padding("GroupNormalization", x, context, "LayerNormalization over channels")
        apart = x.reshape(*x.shape[:-1], self.groups, -1)
        axes = (*range(1, x.ndim - 1), x.ndim)
        y = _standardized(apart, axes, self.epsilon).reshape(x.shape)
        return context.tap("z", _rescaled(variables, y)), {}


@part
class RMSNormalization:
    """Divides the channels of every position by their root mean square.

    Formula: y = γ x / √(mean x² + ε)
    Numbers: epsilon: ε, within the root
    Choices: scale: where γ starts, none without
    Shapes: [batch, ..., channel] → the same; γ [channel]
    Watch for: the mean stays, unlike in LayerNormalization.
    Source: Zhang & Sennrich, Root Mean Square Layer Normalization, 2019, equation 4
    Example:
        >>> layer, x = RMSNormalization(), jnp.array([[3.0, -3.0]])
        >>> layer.apply(layer.init(jax.random.key(0), x), x, Context("train"))[0].round(3)
        Array([[ 1., -1.]], dtype=float32)
    """

    epsilon: Number = number(default=1e-5, above=0, scale="log", constant=True)
    scale: Initializer | None = choice(default=ONE)

    def init(self, key: Array, example: Any) -> Variables:
        return Variables(_affine(self, key, (example.shape[-1],)), {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        y = x * jax.lax.rsqrt((x**2).mean(-1, keepdims=True) + self.epsilon)
        return context.tap("z", _rescaled(variables, y)), {}
