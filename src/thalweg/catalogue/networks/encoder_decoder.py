"""Sequence to sequence: one recurrent network reads the source, another writes the target.

``Attending`` is a cell around a cell, so that a decoder with attention is a recurrence like any
other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.attention import AdditiveAttention
from thalweg.catalogue.attention.attention import Attention, weighed
from thalweg.catalogue.cells import GRU
from thalweg.catalogue.cells.cell import Cell, State, StepContext
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Fan, Initializer, Zero
from thalweg.catalogue.layers import Dense, Embedding, Recurrent
from thalweg.catalogue.layers.lengths import counted_steps, lengths_of
from thalweg.catalogue.layers.recurrence import unroll
from thalweg.catalogue.layers.sequence import apply_layer, init_layer
from thalweg.catalogue.layers.windows import described
from thalweg.catalogue.networks.outputs import given_outputs
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["Attending", "EncoderDecoder", "divided"]


class Attending(NamedTuple):
    """A cell that at every step also reads from a memory, as its last state asks.

    Args:
        cell: what a step does; its inputs are those of the step and what was read.
        attention: how well the memory fits the last state.
        memory: [batch, memory time, feature].
        keys: of the memory.
        allowed: which of it may be read, [batch, 1, memory time].
    """

    cell: Cell
    attention: Attention
    memory: Array
    keys: Array
    allowed: Array

    @property
    def gates(self) -> tuple[str, ...]:
        return self.cell.gates

    def states(self, units: int) -> dict[str, int]:
        own = self.cell.states(units)
        return {"read": next(iter(own.values())) + self.memory.shape[-1], **own}

    def draw(self, key: Array, inputs: int, units: int) -> dict[str, Array]:
        return self.cell.draw(key, inputs + self.memory.shape[-1], units)

    def project(self, parameters: Mapping[str, Array], x: Array, context: Context) -> Array:
        ahead = {**parameters, "input_kernel": parameters["input_kernel"][: x.shape[-1]]}
        return self.cell.project(ahead, x, context)

    def step(self, step: StepContext, projected: Array, state: State) -> State:
        names = self.cell.states(1)
        last = state[next(iter(names))][:, None]
        held: Any = step.parameters["attention"]
        weights = weighed(self.attention.scores(held, last, self.keys), self.allowed)
        weights = step.tap("weights", weights[:, 0])
        read = jnp.einsum("bt,btf->bf", weights, self.memory)
        kernel = step.parameters["input_kernel"]
        projected = projected + read @ kernel[len(kernel) - read.shape[-1] :]
        new = self.cell.step(step, projected, {name: state[name] for name in names})
        return {"read": jnp.concatenate([new[next(iter(names))], read], axis=-1), **new}


@part
class EncoderDecoder:
    """Reads a source sequence and predicts a target sequence of another length from it.

    Formula: C = last state of the encoder;  s_t = decoder(s_{t−1}, y_{t−1}), with C as s_0, as
        another input at every step, or both;  with attention c_t = Σ_j α_tj h_j over all outputs h
        of the encoder is that input, α_t = softmax(score(s_{t−1}, h));  outputs: s_t W + b, or
        [s_t, c_t] W + b with attention
    Choices: cell: what a step does in both; units: of the encoder; decoder_units: of the decoder,
        as many where not given; direction: of the encoder, ``forward`` or ``both``; context: C as
        ``start``, at all ``steps``, ``both``, or ``attention``, whose start is C too; attention:
        score of ``attention``, not used otherwise; features: length of the vectors of tokens;
        symbols: number of source tokens, taken from data where not given; source_time: number of
        steps of the source, taken from data where not given; kernel: where W starts; outputs:
        number of target tokens, taken from the task where not given
    Shapes: [batch, source time + target time] → [batch, target time, output]
    Watch for: inputs are the source, then the target one step late (teacher forcing), each padded
        at its own end with −1, each counted from 0 in its own vocabulary. Where s_0 is wider or
        narrower than C it is tanh(C W + b). A fixed C must hold all of a long source: hence
        attention.
    Source: Sutskever, Vinyals & Le, Sequence to Sequence Learning, 2014 (start); Cho et al.,
        Learning Phrase Representations using RNN Encoder-Decoder, 2014 (both); Bahdanau, Cho &
        Bengio, 2015 (attention)
    Example:
        >>> network = EncoderDecoder(symbols=9, source_time=3, context="attention", outputs=5)
        >>> tokens = jnp.array([[7, 8, 1, 0, 4], [2, -1, -1, 0, 3]])
        >>> variables = network.init(jax.random.key(0), tokens)
        >>> network.apply(variables, tokens, Context("evaluate"))[0].shape
        (2, 2, 5)
    """

    cell: Cell = choice(default=GRU())
    units: int = choice(default=32, low=1)
    decoder_units: int | None = choice(default=None, low=1)
    direction: Literal["forward", "both"] = choice(default="forward")
    context: Literal["start", "steps", "both", "attention"] = choice(default="start")
    attention: Attention = choice(default=AdditiveAttention())
    features: int = choice(default=16, low=1)
    symbols: int | None = choice(default=None, low=1)
    source_time: int | None = choice(default=None, low=1)
    kernel: Initializer = choice(default=Fan())
    outputs: int | None = choice(default=None, low=1)

    def init(self, key: Array, example: Any) -> Variables:
        source, target = jax.eval_shape(lambda x: divided(self, x), example)
        states, width = self.cell.states(self._decoder_units), self._context_width
        vectors = jax.ShapeDtypeStruct((1, 1, self.features), jnp.float32)
        for_decoder, for_attention, for_bridge = jax.random.split(key, 3)
        fed = self.features + (width if self.context != "start" else 0)
        decoder: dict[str, Any] = self.cell.draw(for_decoder, fed, self._decoder_units)
        first, read = next(iter(states.values())), 0
        if self.context == "attention":
            read = width
            decoder["attention"] = self.attention.draw(for_attention, first, width)
        if self._is_bridged:
            flat = jax.ShapeDtypeStruct((1, width), jnp.float32)
            for name, state in states.items():
                bridge = init_layer(name, self._bridge(state), for_bridge, flat).parameters
                decoder |= {f"{name}_{kind}": held for kind, held in bridge.items()}
        last = jax.ShapeDtypeStruct((1, first + read), jnp.float32)
        given = (source, vectors, target, last)
        parameters = {
            name: init_layer(name, layer, key, shape).parameters
            for (name, layer), shape in zip(self._layers(), given, strict=True)
        }
        return Variables({**parameters, "decoder": decoder}, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        source, target = divided(self, x)
        (reads, embed), (reader, encoder), (writes, follow), (ends, last) = self._layers()
        inside = context.of_lengths(lengths_of(source))
        vectors, _ = apply_layer(reads, embed, variables, source, inside)
        found = encoder.run(variables.parameters[reader], vectors, inside.within(reader))
        memory = jnp.concatenate([one.outputs for one in found.values()], axis=-1)
        start = self._start(variables.parameters["decoder"], found)
        inside = context.of_lengths(lengths_of(target))
        vectors, _ = apply_layer(writes, follow, variables, target, inside)
        outputs = self._decoded(variables, vectors, memory, source, start, found, inside)
        return apply_layer(ends, last, variables, outputs, inside)[0], {}

    def _decoded(
        self,
        variables: Variables,
        vectors: Array,
        memory: Array,
        source: Array,
        start: State,
        found: Any,
        context: Context,
    ) -> Array:
        cell, parameters = self.cell, variables.parameters["decoder"]
        if self.context == "attention":
            keys = self.attention.keys(parameters["attention"], memory)
            real = counted_steps(lengths_of(source), source.shape[1])[:, None]
            cell = Attending(cell, self.attention, memory, keys, real)
            read = cell.states(self._decoder_units)["read"]
            start = {"read": jnp.zeros((len(vectors), read)), **start}
        elif self.context != "start":
            whole = self._whole(found)[:, None]
            whole = jnp.broadcast_to(whole, (*vectors.shape[:2], whole.shape[-1]))
            vectors = jnp.concatenate([vectors, whole], axis=-1)
        return unroll(cell, parameters, vectors, context.within("decoder"), start).outputs

    def _start(self, parameters: Mapping[str, Array], found: Any) -> State:
        """The first state of the decoder."""
        states, whole = self.cell.states(self._decoder_units), self._whole(found)
        if self.context == "steps":
            return {name: jnp.zeros((len(whole), width)) for name, width in states.items()}
        if not self._is_bridged:
            return found["forward"].state
        return {
            name: jnp.tanh(whole @ parameters[f"{name}_kernel"] + parameters[f"{name}_bias"])
            for name in states
        }

    def _whole(self, found: Any) -> Array:
        """C, the last outputs of all directions."""
        first = next(iter(self.cell.states(self.units)))
        return jnp.concatenate([one.state[first] for one in found.values()], axis=-1)

    def _layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers around the decoder."""
        outputs = given_outputs(self)
        encoder = Recurrent(cell=self.cell, units=self.units, direction=self.direction)
        return (
            ("source", Embedding(symbols=self.symbols, features=self.features)),
            ("encoder", encoder),
            ("target", Embedding(symbols=outputs, features=self.features)),
            ("dense_0", Dense(units=outputs, kernel=self.kernel, bias=Zero())),
        )

    def _bridge(self, width: int) -> Dense:
        return Dense(units=width, kernel=self.kernel, bias=Zero())

    @property
    def _decoder_units(self) -> int:
        return self.decoder_units or self.units

    @property
    def _context_width(self) -> int:
        directions = 2 if self.direction == "both" else 1
        return directions * next(iter(self.cell.states(self.units).values()))

    @property
    def _is_bridged(self) -> bool:
        alike = self._decoder_units == self.units and self.direction == "forward"
        return self.context != "steps" and not alike


def divided(network: Any, x: Array) -> tuple[Array, Array]:
    """Source and target tokens, each [batch, time], of the inputs of a network."""
    if network.source_time is None:
        raise SpecError(
            f"{type(network).__name__}.source_time is open: give it, or let an experiment take it "
            "from data that have a source"
        )
    if x.ndim != 2 or x.shape[1] <= network.source_time:
        raise SpecError(
            f"{type(network).__name__} needs tokens [batch, time], more than source_time = "
            f"{network.source_time} of them, got {described(x.shape)}"
        )
    tokens = x.astype(jnp.int32)
    return tokens[:, : network.source_time], tokens[:, network.source_time :]
