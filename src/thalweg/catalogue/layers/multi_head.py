"""Attention of many heads, and the blocks that transformers stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.activations import Activation, ReLU
from thalweg.catalogue.attention import DotAttention
from thalweg.catalogue.attention.attention import weighed
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Glorot, Initializer, Zero
from thalweg.catalogue.layers.activation import Activate
from thalweg.catalogue.layers.branches import Residual
from thalweg.catalogue.layers.dense import Dense
from thalweg.catalogue.layers.dropout import Dropout
from thalweg.catalogue.layers.lengths import counted_steps, places_of
from thalweg.catalogue.layers.normalization import LayerNormalization
from thalweg.catalogue.layers.sequence import apply_layer, apply_named, init_named, numbered
from thalweg.catalogue.layers.windows import described
from thalweg.catalogue.products import product
from thalweg.errors import SpecError
from thalweg.part import Number, choice, number, part

__all__ = ["MultiHeadAttention", "TransformerBlock"]


@part
class MultiHeadAttention:
    """Lets every step read from all steps of its sequence, in several ways at once.

    Formula: per head: softmax(Q Kᵀ / √d) V, Q = x W_Q + b_Q, K = m W_K + b_K, V = m W_V + b_V, d
        the width of a head and m = x;  y = [heads] W_O + b_O
    Numbers: dropout: rate at which weights of attention are silenced; none without
    Choices: heads: how many there are; causal: whether a step sees only itself and what came
        before; kernel: where W start; bias: where b start, none without
    Shapes: [batch, time, feature] → the same; every W [feature, feature], side by side by head
    Watch for: padded steps are not seen. It does not know the order of steps: see
        SinusoidalPositions. All steps are computed at once, at a cost that grows with time².
    Source: Vaswani et al., Attention Is All You Need, 2017, section 3.2
    Example:
        >>> layer, x = MultiHeadAttention(heads=2), jnp.ones((3, 5, 4))
        >>> variables, taps = layer.init(jax.random.key(0), x), {}
        >>> y, _ = layer.apply(variables, x, Context("evaluate", taps=taps))
        >>> y.shape, taps["weights"].shape
        ((3, 5, 4), (3, 2, 5, 5))
    """

    heads: int = choice(default=4, low=1)
    causal: bool = choice(default=False)
    dropout: Number = number(default=None, low=0, below=1, search=(0, 0.8))
    kernel: Initializer = choice(default=Glorot())
    bias: Initializer | None = choice(default=Zero())

    def init(self, key: Array, example: Any) -> Variables:
        width = example.shape[-1]
        if len(example.shape) != 3:
            raise SpecError(
                "MultiHeadAttention needs inputs [batch, time, feature], "
                f"got {described(example.shape)}; tokens go through an Embedding first"
            )
        if width % self.heads:
            raise SpecError(
                f"MultiHeadAttention.heads must divide the {width} features of its inputs, "
                f"got {self.heads}"
            )
        parameters = {}
        for name in ("query", "key", "value", "output"):
            key, for_kernel, for_bias = jax.random.split(key, 3)
            parameters[f"{name}_kernel"] = self.kernel.sample(for_kernel, (width, width))
            if self.bias is not None:
                parameters[f"{name}_bias"] = self.bias.sample(for_bias, (width,))
        return Variables(parameters, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        if context.past is not None:
            return self._resumed(variables.parameters, x, context), {}
        return self.attend(variables.parameters, x, x, context, context.lengths), {}

    def attend(
        self,
        parameters: Mapping[str, Array],
        x: Array,
        memory: Array,
        context: Context,
        lengths: Array | None,
    ) -> Array:
        """What steps read from a memory.

        Args:
            x: what asks, [batch, time, feature].
            memory: what is read, [batch, memory time, feature].
            lengths: how many steps of each memory count, [batch].
        """
        allowed = None
        if lengths is not None:
            real = counted_steps(lengths, memory.shape[1])
            memory = jnp.where(real[..., None], memory, 0)
            allowed = real[:, None, None, :]
        if self.causal:
            past = jnp.tri(x.shape[1], memory.shape[1], dtype=bool)
            allowed = past if allowed is None else allowed & past
        keys, values = (self._mapped(parameters, name, memory) for name in ("key", "value"))
        return self._read(parameters, x, keys, values, allowed, context)

    def _resumed(self, parameters: Mapping[str, Array], x: Array, context: Context) -> Array:
        """Steps that go on from a past, whose keys and values are kept."""
        if not self.causal:
            raise SpecError("MultiHeadAttention.causal must be true to go on step by step")
        assert context.past is not None
        rows, places = jnp.arange(len(x))[:, None], places_of(context.within("steps"), x)
        kept = jnp.zeros((len(x), context.past.room, x.shape[-1]), x.dtype)
        held = context.remembered({"key": kept, "value": kept})
        held = {
            name: before.at[rows, places].set(self._mapped(parameters, name, x), mode="drop")
            for name, before in held.items()
        }
        context.remember(held)
        allowed = jnp.arange(held["key"].shape[1]) <= places[..., None]
        return self._read(parameters, x, held["key"], held["value"], allowed[:, None], context)

    def _read(
        self,
        parameters: Mapping[str, Array],
        x: Array,
        keys: Array,
        values: Array,
        allowed: Array | None,
        context: Context,
    ) -> Array:
        """What steps read by keys and values [batch, memory time, feature]."""
        queries, keys, values = (
            self._apart(given) for given in (self._mapped(parameters, "query", x), keys, values)
        )
        weights = weighed(DotAttention().scores({}, queries, keys), allowed)
        weights = context.tap("weights", weights)
        if self.dropout is not None:
            drop = Dropout(rate=self.dropout)
            weights, _ = apply_layer("dropout", drop, Variables({}, {}), weights, context)
        read = (weights @ values).swapaxes(1, 2).reshape(x.shape)
        return context.tap("z", self._mapped(parameters, "output", read))

    def _mapped(self, parameters: Mapping[str, Array], name: str, x: Array) -> Array:
        y = product(x, parameters[f"{name}_kernel"])
        return y if self.bias is None else y + parameters[f"{name}_bias"]

    def _apart(self, x: Array) -> Array:
        """[batch, time, feature] → [batch, head, time, feature of one]."""
        return x.reshape(*x.shape[:2], self.heads, -1).swapaxes(1, 2)


@part
class TransformerBlock:
    """Lets steps attend to one another, then maps every step by two dense layers.

    Formula: pre: x ← x + attention(N(x)), x ← x + W'' f(W' N(x));  post: x ← N(x + attention(x)),
        x ← N(x + W'' f(W' x)), biases left out
    Numbers: dropout: rate at the end of both ways; without it there is no such layer
    Choices: width: features of its inputs and outputs; heads: of the attention; causal: whether a
        step sees only itself and what came before; hidden: width of W', four times the others
        where not given; activation: f; normalization: N ``pre``, before both ways, or ``post``,
        after them
    Shapes: [batch, time, feature] → the same
    Watch for: ``post`` is the paper's, and needs its rate warmed up; ``pre`` leaves a way from end
        to end without normalization, which trains more easily and wants one more at the end.
    Source: Vaswani et al., Attention Is All You Need, 2017, section 3.1 (post); Xiong et al., On
        Layer Normalization in the Transformer Architecture, 2020, table 1 (pre)
    Example:
        >>> layer, x = TransformerBlock(width=4, normalization="post"), jnp.ones((3, 5, 4))
        >>> sorted(layer.init(jax.random.key(0), x).parameters)
        ['layer_normalization_0', 'layer_normalization_1', 'residual_0', 'residual_1']
    """

    width: int = choice(default=32, low=1)
    heads: int = choice(default=4, low=1)
    causal: bool = choice(default=False)
    hidden: int | None = choice(default=None, low=1)
    activation: Activation = choice(default=ReLU())
    normalization: Literal["pre", "post"] = choice(default="pre")
    dropout: Number = number(default=None, low=0, below=1, search=(0, 0.8))

    apply = apply_named

    def init(self, key: Array, example: Any) -> Variables:
        if example.shape[-1] != self.width:
            raise SpecError(
                f"TransformerBlock.width must be the {example.shape[-1]} features of its inputs, "
                f"got {self.width}"
            )
        return init_named(self, key, example)

    def named_layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers, in order."""
        normalize, last = LayerNormalization(over="channels"), self.mapping()
        drop = () if self.dropout is None else (Dropout(rate=self.dropout),)
        ways = (MultiHeadAttention(heads=self.heads, causal=self.causal), *drop), (*last, *drop)
        if self.normalization == "pre":
            return numbered([Residual(layers=(normalize, *way)) for way in ways])
        return numbered([layer for way in ways for layer in (Residual(layers=way), normalize)])

    def mapping(self) -> tuple[Any, ...]:
        """The dense layers, with their activation between them."""
        inner = Dense(units=self.hidden or 4 * self.width, kernel=Glorot())
        outer = Dense(units=self.width, kernel=Glorot())
        return inner, Activate(function=self.activation), outer
