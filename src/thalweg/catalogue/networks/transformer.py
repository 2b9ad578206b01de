"""Transformers: blocks of attention, over a sequence that is read or continued."""

from __future__ import annotations

from typing import Any, Literal

from jax import Array

from thalweg.catalogue.activations import Activation, ReLU
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Fan, Initializer, Zero
from thalweg.catalogue.layers import (
    Dense,
    Dropout,
    Embedding,
    GlobalPooling,
    LayerNormalization,
    SinusoidalPositions,
    TransformerBlock,
)
from thalweg.catalogue.layers.lengths import aware_of_padding
from thalweg.catalogue.layers.sequence import apply_named, init_named, numbered
from thalweg.catalogue.networks.network import Network
from thalweg.catalogue.networks.outputs import given_outputs
from thalweg.part import Number, choice, number, part

__all__ = ["Transformer"]


@part
class Transformer:
    """Stacks transformer blocks and reads one output from a sequence, or one at every step.

    Formula: h⁰ = vectors of the tokens + positions;  h^l = block(h^{l−1});  y = pooled(h^L) W + b,
        or y_t = h_t^L W + b
    Numbers: dropout: rate after the positions and at the end of both ways of a block; without it
        there is no such layer
    Choices: width: features of every step; blocks: L; heads: of every attention; causal: whether a
        step sees only itself and what came before; returns: outputs from the ``mean`` or ``max``
        over time, or a ``sequence`` of them; hidden: width within blocks, four times the others
        where not given; activation: f; normalization: ``pre`` or ``post``, see TransformerBlock;
        positions: how order is told, not at all without; symbols: how many tokens there are, taken
        from data of tokens where not given, and none for data of numbers, which are mapped
        linearly; kernel: where W starts; outputs: width of the output, taken from the task where
        not given
    Shapes: tokens [batch, time] or [batch, time, input] → [batch, output] or [batch, time, output]
    Watch for: causal with a ``sequence`` is a language model (the decoder alone); neither is a
        classifier (the encoder alone). Without positions and causal, order is lost.
    Source: Vaswani et al., Attention Is All You Need, 2017; Radford et al., Improving Language
        Understanding by Generative Pre-Training, 2018 (decoder alone)
    Example:
        >>> import jax, jax.numpy as jnp
        >>> network = Transformer(symbols=10, causal=True, returns="sequence", outputs=10)
        >>> tokens = jnp.array([[3, 1, 4, 1], [5, 9, -1, -1]])
        >>> variables = network.init(jax.random.key(0), tokens)
        >>> network.apply(variables, tokens, Context("evaluate"))[0].shape
        (2, 4, 10)
    """

    width: int = choice(default=32, low=1)
    blocks: int = choice(default=2, low=1)
    heads: int = choice(default=4, low=1)
    causal: bool = choice(default=False)
    returns: Literal["mean", "max", "sequence"] = choice(default="mean")
    hidden: int | None = choice(default=None, low=1)
    activation: Activation = choice(default=ReLU())
    normalization: Literal["pre", "post"] = choice(default="pre")
    positions: Network | None = choice(default=SinusoidalPositions())
    dropout: Number = number(default=None, low=0, below=1, search=(0, 0.8))
    symbols: int | None = choice(default=None, low=1)
    kernel: Initializer = choice(default=Fan())
    outputs: int | None = choice(default=None, low=1)

    init = init_named

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        return apply_named(self, variables, x, aware_of_padding(context, x))

    def named_layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers, in order."""
        outputs = given_outputs(self)
        layers: list[Any] = [
            Dense(units=self.width, kernel=self.kernel)
            if self.symbols is None
            else Embedding(symbols=self.symbols, features=self.width)
        ]
        if self.positions is not None:
            layers.append(self.positions)
        if self.dropout is not None:
            layers.append(Dropout(rate=self.dropout))
        block = TransformerBlock(
            width=self.width,
            heads=self.heads,
            causal=self.causal,
            hidden=self.hidden,
            activation=self.activation,
            normalization=self.normalization,
            dropout=self.dropout,
        )
        layers += [block] * self.blocks
        if self.normalization == "pre":
            layers.append(LayerNormalization(over="channels"))
        if self.returns != "sequence":
            layers.append(GlobalPooling(over=self.returns))
        return numbered([*layers, Dense(units=outputs, kernel=self.kernel, bias=Zero())])
