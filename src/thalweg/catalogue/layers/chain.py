"""The output layer of a linear-chain conditional random field."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Fan, Initializer, Zero
from thalweg.catalogue.layers.lengths import counted_steps
from thalweg.catalogue.layers.windows import described
from thalweg.catalogue.products import product
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["LinearChain"]


@part
class LinearChain:
    """Scores every label of a step together with the label before it.

    Formula: ψ_t(i, j) = (x_t W + b)_j + A_ij for label j after label i;  ψ_1(i, j) = (x_1 W + b)_j
        + s_j;  at the last step e_j is added
    Choices: kernel: where W starts; transitions: where A, s and e start; outputs: K², the pairs of
        K labels, taken from the task where not given
    Shapes: [batch, time, feature] → [batch, time, K²], row i of the pairs after row i − 1; W
        [feature, K], A [K, K]
    Watch for: its loss is LinearChainLikelihood, by which A learns what labels follow each other.
        All scores of padded steps are 0, so they favour no label before them. Takes K² numbers a
        step: for tens of labels, not for words.
    Source: Lafferty, McCallum & Pereira, Conditional Random Fields, 2001, section 3; Huang, Xu &
        Yu, Bidirectional LSTM-CRF Models for Sequence Tagging, 2015, equation 1 (on a network)
    Example:
        >>> layer, x = LinearChain(outputs=9), jnp.ones((2, 5, 4))
        >>> variables = layer.init(jax.random.key(0), x)
        >>> {name: held.shape for name, held in variables.parameters.items()}
        {'kernel': (4, 3), 'bias': (3,), 'transitions': (3, 3), 'start': (3,), 'end': (3,)}
    """

    kernel: Initializer = choice(default=Fan())
    transitions: Initializer = choice(default=Zero())
    outputs: int | None = choice(default=None, low=1)

    def init(self, key: Array, example: Any) -> Variables:
        labels = math.isqrt(self.outputs or 0)
        if labels**2 != self.outputs:
            raise SpecError(
                "LinearChain.outputs must be the square of the number of labels, got "
                f"{self.outputs}; leave it open, with LinearChainLikelihood as the loss"
            )
        if len(example.shape) != 3:
            raise SpecError(
                f"LinearChain needs inputs [batch, time, feature], got {described(example.shape)}"
            )
        for_kernel, *others = jax.random.split(key, 4)
        shapes = {"transitions": (labels, labels), "start": (labels,), "end": (labels,)}
        return Variables(
            {
                "kernel": self.kernel.sample(for_kernel, (example.shape[-1], labels)),
                "bias": jnp.zeros(labels),
                **{
                    name: self.transitions.sample(own, shape)
                    for own, (name, shape) in zip(others, shapes.items(), strict=True)
                },
            },
            {},
        )

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        held, time = variables.parameters, x.shape[1]
        real = jnp.ones(x.shape[:2], bool)
        if context.lengths is not None:
            real = counted_steps(context.lengths, time)
            x = jnp.where(real[..., None], x, 0)
        own = context.tap("z", product(x, held["kernel"]) + held["bias"])
        last = real & ~jnp.pad(real[:, 1:], ((0, 0), (0, 1)))
        own = own + jnp.where(last[..., None], held["end"], 0)
        first = (jnp.arange(time) == 0)[:, None, None]
        moves = context.tap("transitions", jnp.where(first, held["start"], held["transitions"]))
        pairs = jnp.where(real[..., None, None], own[:, :, None, :] + moves, 0)
        return pairs.reshape(*x.shape[:2], -1), {}
