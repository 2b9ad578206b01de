"""Embedding: a vector for each symbol."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Initializer, Normal
from thalweg.catalogue.layers.lengths import PADDING
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["Embedding"]


@part
class Embedding:
    """Looks up a trained vector for each symbol.

    Formula: y = W_s, row s of W; the same as one-hot(s) W; y = 0 where s = -1, which is padding
    Choices: symbols: how many there are, numbered from 0; in an experiment as many as the data have
        tokens where not given; features: length of a vector; kernel:
        where W starts
    Shapes: symbols [batch, ...] → [batch, ..., feature]; W [symbol, feature]
    Watch for: inputs may be stored as floats, but must be whole numbers from -1, below ``symbols``.
        Experiments refuse data that are not; elsewhere a symbol outside gives not-a-numbers.
    Source: Bengio et al., A Neural Probabilistic Language Model, 2003, section 2
    Example:
        >>> import jax
        >>> layer = Embedding(symbols=10, features=4)
        >>> variables = layer.init(jax.random.key(0), jnp.zeros((1, 3)))
        >>> layer.apply(variables, jnp.array([[1.0, 2.0, 1.0]]), Context("evaluate"))[0].shape
        (1, 3, 4)
    """

    symbols: int | None = choice(default=None, low=1)
    features: int = choice(low=1)
    kernel: Initializer = choice(default=Normal(deviation=1.0))

    def init(self, key: Array, example: Any) -> Variables:
        if self.symbols is None:
            raise SpecError(
                "Embedding.symbols is open: give it, or let an experiment take it from data whose "
                "inputs are tokens"
            )
        return Variables({"kernel": self.kernel.sample(key, (self.symbols, self.features))}, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        symbols = jnp.asarray(x, jnp.int32)
        kernel = jnp.asarray(variables.parameters["kernel"])
        # Negative ones would count from the end.
        outside = jnp.where(symbols < 0, len(kernel), symbols)
        vectors = kernel.at[outside].get(mode="fill", fill_value=jnp.nan)
        vectors = jnp.where((symbols == PADDING)[..., None], 0.0, vectors)
        return context.tap("z", vectors), {}
