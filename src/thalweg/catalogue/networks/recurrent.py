"""Recurrent networks: layers of cells along time, with one output or one at every step."""

from __future__ import annotations

from typing import Any, Literal

from jax import Array

from thalweg.catalogue.cells import LSTM
from thalweg.catalogue.cells.cell import Cell
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Fan, Initializer, Zero
from thalweg.catalogue.layers import Dense, Dropout, Embedding, Recurrent, Residual
from thalweg.catalogue.layers.lengths import aware_of_padding
from thalweg.catalogue.layers.sequence import apply_named, init_named, numbered
from thalweg.catalogue.networks.network import Network
from thalweg.catalogue.networks.outputs import given_outputs
from thalweg.errors import SpecError
from thalweg.part import Number, choice, number, part

__all__ = ["RecurrentNetwork"]


@part
class RecurrentNetwork:
    """Stacks recurrent layers and reads one output from a sequence, or one at every step.

    Formula: h⁰ = x, or vectors of the tokens;  h^l = recurrent(h^{l−1}), or h^{l−1} +
        recurrent(h^{l−1});  y = pooled(h^L) W + b, or y_t = h_t^L W + b
    Numbers: dropout: rate before every recurrent layer, the same along a sequence, and before the
        last layer; without it there is no such layer
    Choices: cell: what a step does; hidden: units of the recurrent layers, in order; direction:
        ``forward``, ``backward`` or ``both``; returns: outputs from the ``last`` state, from the
        ``mean`` or ``max`` over time, or a ``sequence`` of them; residual: whether there is a way
        around every recurrent layer that gives a sequence; normalization: within recurrent layers,
        none where not given; truncation: of recurrent layers, steps after which no gradient goes
        back, all the way where not given; symbols: how many tokens there are, taken from data of
        tokens where not given, and none for data of numbers; features: length of their vectors;
        kernel: where W starts; outputs: width of the output, taken from the task where not given
    Shapes: tokens [batch, time] or [batch, time, input] → [batch, output] (many to one) or [batch,
        time, output] (many to many)
    Watch for: ``sequence`` is for targets at every step; predicting the next token asks for
        ``forward``, since any other direction has seen it. Weights are the same at every step,
        however long the sequence is. Behind Repeat it is one to many.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, chapter 10
    Example:
        >>> import jax, jax.numpy as jnp
        >>> network = RecurrentNetwork(symbols=10, hidden=(4,), outputs=2)
        >>> tokens = jnp.array([[3, 1, 4, 1], [5, 9, -1, -1]])
        >>> variables = network.init(jax.random.key(0), tokens)
        >>> network.apply(variables, tokens, Context("evaluate"))[0].shape
        (2, 2)
    """

    cell: Cell = choice(default=LSTM())
    hidden: tuple[int, ...] = choice(default=(32,), low=1)
    direction: Literal["forward", "backward", "both"] = choice(default="forward")
    returns: Literal["last", "mean", "max", "sequence"] = choice(default="last")
    residual: bool = choice(default=False)
    normalization: Network | None = choice(default=None)
    truncation: int | None = choice(default=None, low=1)
    dropout: Number = number(default=None, low=0, below=1, search=(0, 0.8))
    symbols: int | None = choice(default=None, low=1)
    features: int = choice(default=16, low=1)
    kernel: Initializer = choice(default=Fan())
    outputs: int | None = choice(default=None, low=1)

    def check(self) -> None:
        if not self.hidden:
            raise SpecError("RecurrentNetwork.hidden must name at least one layer, got none")

    init = init_named

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        return apply_named(self, variables, x, aware_of_padding(context, x))

    def named_layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers, in order."""
        outputs, layers = given_outputs(self), []
        if self.symbols is not None:
            layers.append(Embedding(symbols=self.symbols, features=self.features))
        for place, units in enumerate(self.hidden, 1):
            returns = self.returns if place == len(self.hidden) else "sequence"
            layer = Recurrent(
                cell=self.cell,
                units=units,
                direction=self.direction,
                returns=returns,
                dropout=self.dropout,
                normalization=self.normalization,
                truncation=self.truncation,
            )
            around = self.residual and returns == "sequence"
            layers.append(Residual(layers=(layer,)) if around else layer)
        if self.dropout is not None:
            layers.append(Dropout(rate=self.dropout))
        return numbered([*layers, Dense(units=outputs, kernel=self.kernel, bias=Zero())])
