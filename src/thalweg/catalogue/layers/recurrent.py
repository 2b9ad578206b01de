"""The recurrent layer: a cell along time, in one direction or both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.cells import LSTM
from thalweg.catalogue.cells.cell import Cell, State
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Initializer
from thalweg.catalogue.joined import joined, taken_apart
from thalweg.catalogue.layers.contract import Network
from thalweg.catalogue.layers.dropout import drawn
from thalweg.catalogue.layers.pooling import GlobalPooling
from thalweg.catalogue.layers.recurrence import Unrolled, as_is, unroll
from thalweg.catalogue.layers.windows import described
from thalweg.errors import SpecError
from thalweg.part import Number, choice, number, part

__all__ = ["Recurrent"]


@part
class Recurrent:
    """Runs a cell along time, with the same weights at every step.

    Formula: s_t = cell(s_{t−1}, x_t) for t = 1 ... T;  backward: s_t = cell(s_{t+1}, x_t) for
        t = T ... 1;  both: the two with weights of their own, h_t = [forward h_t, backward h_t]
    Numbers: dropout: rate at which features of the inputs are silenced; recurrent_dropout: that of
        the state where it is multiplied; without them there are no such masks
    Choices: cell: what a step does; units: width of its state; direction: ``forward``,
        ``backward`` or ``both``; returns: the outputs of every step, the ``last`` one of each
        direction, or their ``mean`` or ``max`` over time; normalization: a layer such as
        LayerNormalization for the product with the inputs, that with the state and the LSTM's cell
        on its way out, none where not given; start: where a trained initial state starts, which is
        fixed at 0 without; truncation: after so many steps the state goes on and no gradient goes
        back (truncated backpropagation through time), all the way where not given
    Shapes: [batch, time, input] → [batch, time, unit], or [batch, unit]; twice as wide for both
    Watch for: steps beyond the end of a sequence change nothing; outputs there are 0. Backwards,
        the last output is that at the first step. Masks of dropout stay the same along a sequence.
        With normalization the paper's plain RNN normalizes the sum of the products, here each one.
        Truncated, there is still one update for a sequence, from the gradients of all its
        stretches, with one set of weights; dependences longer than a stretch are not learned.
        Time is a loop: no recurrent cell, gated or not, can be computed for all steps at once.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, sections 10.2 and 10.3; Schuster &
        Paliwal, Bidirectional Recurrent Neural Networks, 1997; Gal & Ghahramani, 2016 (dropout);
        Ba, Kiros & Hinton, Layer Normalization, 2016, equations 20 to 22; Williams & Peng, An
        Efficient Gradient-Based Algorithm for On-Line Training of Recurrent Network Trajectories,
        1990 (truncation)
    Example:
        >>> layer = Recurrent(units=3, direction="both", returns="last")
        >>> x = jnp.ones((4, 7, 2))
        >>> variables = layer.init(jax.random.key(0), x)
        >>> layer.apply(variables, x, Context("evaluate"))[0].shape
        (4, 6)
    """

    cell: Cell = choice(default=LSTM())
    units: int = choice(default=32, low=1)
    direction: Literal["forward", "backward", "both"] = choice(default="forward")
    returns: Literal["sequence", "last", "mean", "max"] = choice(default="sequence")
    dropout: Number = number(default=None, low=0, below=1, search=(0, 0.8))
    recurrent_dropout: Number = number(default=None, low=0, below=1, search=(0, 0.8))
    normalization: Network | None = choice(default=None)
    start: Initializer | None = choice(default=None)
    truncation: int | None = choice(default=None, low=1)

    def init(self, key: Array, example: Any) -> Variables:
        if len(example.shape) != 3:
            raise SpecError(
                f"Recurrent needs inputs [batch, time, feature], got {described(example.shape)}; "
                "tokens go through an Embedding first"
            )
        keys = dict(zip(self._directions(), jax.random.split(key, 2), strict=False))
        inputs = example.shape[-1]
        return Variables(self._joined({n: self._draw(k, inputs) for n, k in keys.items()}), {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        found = self.run(variables.parameters, x, context)
        if self.returns == "sequence":
            y = _side_by_side(one.outputs for one in found.values())
        elif self.returns == "last":
            first = next(iter(self.cell.states(self.units)))
            y = _side_by_side(one.state[first] for one in found.values())
        else:
            outputs = _side_by_side(one.outputs for one in found.values())
            y, _ = GlobalPooling(over=self.returns).apply(Variables({}, {}), outputs, context)
        return context.tap("a", y), {}

    def run(
        self,
        parameters: Mapping[str, Any],
        x: Array,
        context: Context,
        start: Mapping[str, State] | None = None,
    ) -> dict[str, Unrolled]:
        """Outputs and last states of every direction; a start that is given replaces the layer's.

        Args:
            parameters: of the layer.
            x: inputs [batch, time, input].
            start: state before the first step by name, for every direction.
        """
        found = {}
        for name, backward in self._directions().items():
            own = parameters[name] if self.direction == "both" else parameters
            inside = context.within(name) if self.direction == "both" else context
            masked = self._masked(x, inside)
            first = self._start(own, len(x)) if start is None else start[name]
            if context.past is not None and backward:
                raise SpecError("Recurrent.direction must be forward to go on step by step")
            found[name] = unroll(
                self.cell,
                own,
                masked,
                inside,
                inside.remembered(first),
                backward=backward,
                normalize=self._normalizer(own, inside),
                mask=self._mask(len(x), x.dtype, inside),
                truncation=self.truncation,
            )
            inside.remember(found[name].state)
        return found

    def _directions(self) -> dict[str, bool]:
        """Names of the directions, and whether they run backwards."""
        both = {"forward": False, "backward": True}
        return both if self.direction == "both" else {self.direction: both[self.direction]}

    def _joined(self, by_direction: dict[str, Any]) -> dict[str, Any]:
        return by_direction if self.direction == "both" else by_direction[self.direction]

    def _draw(self, key: Array, inputs: int) -> dict[str, Any]:
        for_cell, for_start, for_scales = jax.random.split(key, 3)
        parameters: dict[str, Any] = self.cell.draw(for_cell, inputs, self.units)
        states = self.cell.states(self.units)
        if self.normalization is not None:
            widths = {n[:-7]: p.shape[-1] for n, p in parameters.items() if n.endswith("_kernel")}
            widths |= dict(list(states.items())[1:])
            parameters["normalization"] = {
                name: self._scales(for_scales, width) for name, width in widths.items()
            }
        if self.start is not None:
            for name, width in states.items():
                for_start, own = jax.random.split(for_start)
                parameters[f"{name}_start"] = self.start.sample(own, (width,))
        return parameters

    def _scales(self, key: Array, width: int) -> dict[str, Array]:
        normalization: Any = self.normalization
        drawn = normalization.init(key, jax.ShapeDtypeStruct((1, width), jnp.float32))
        if jax.tree.leaves(drawn.state):
            raise SpecError(
                "Recurrent.normalization must hold no state, as LayerNormalization does not, "
                f"got {normalization!r}"
            )
        return drawn.parameters

    def _normalizer(
        self, parameters: Mapping[str, Any], context: Context
    ) -> Callable[[str, Array], Array]:
        if self.normalization is None:
            return as_is
        normalization, silent = self.normalization, Context(context.mode)

        def normalize(name: str, values: Array) -> Array:
            # The product with the inputs of all steps is normalized like that of one.
            rows = joined(values, 0, values.ndim - 1)
            own = Variables(parameters["normalization"][name], {})
            normalized, _ = normalization.apply(own, rows, silent)
            return taken_apart(normalized, 0, values.shape[:-1])

        return normalize

    def _start(self, parameters: Mapping[str, Array], batch: int) -> State:
        states = self.cell.states(self.units)
        if self.start is None:
            return {name: jnp.zeros((batch, width)) for name, width in states.items()}
        return {
            name: jnp.broadcast_to(parameters[f"{name}_start"], (batch, width))
            for name, width in states.items()
        }

    def _masked(self, x: Array, context: Context) -> Array:
        """Inputs, the same features silenced at every step."""
        if self.dropout is None or context.mode != "train":
            return x
        mask = _mask("dropout", self.dropout, (len(x), 1, x.shape[-1]), x.dtype, context)
        return x * mask

    def _mask(self, batch: int, dtype: Any, context: Context) -> Array | None:
        if self.recurrent_dropout is None or context.mode != "train":
            return None
        width = next(iter(self.cell.states(self.units).values()))
        return _mask("recurrent_dropout", self.recurrent_dropout, (batch, width), dtype, context)


def _mask(name: str, rate: Number, shape: tuple[int, ...], dtype: Any, context: Context) -> Array:
    key = context.within(name).key
    if key is None:
        raise ValueError(f"Recurrent.{name} needs a key in training; pass Context('train', key)")
    kept, factor = drawn(key, rate, shape)
    return jnp.where(kept, factor, 0).astype(dtype)


def _side_by_side(arrays: Any) -> Array:
    held = list(arrays)
    return held[0] if len(held) == 1 else jnp.concatenate(held, axis=-1)
