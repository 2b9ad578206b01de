"""Sequence to sequence: one recurrent network reads the source, another writes the target.

The network has two halves, ``read`` and ``write``, with a ``Memory`` between them. ``Attending``
is a cell around a cell, so that a decoder with attention is a recurrence like any other; ``Writer``
is the layer that runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue import draws
from thalweg.catalogue.attention import AdditiveAttention
from thalweg.catalogue.attention.attention import Attention, weighed
from thalweg.catalogue.cells import GRU
from thalweg.catalogue.cells.cell import Cell, State, StepContext
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Fan, Initializer, Zero
from thalweg.catalogue.layers import Dense, Embedding, Recurrent
from thalweg.catalogue.layers.lengths import counted_steps, lengths_of
from thalweg.catalogue.layers.recurrence import unroll
from thalweg.catalogue.layers.sequence import apply_layer, init_layer, output_of, visited
from thalweg.catalogue.networks.feeding import Feeding
from thalweg.catalogue.networks.halves import apply_halves, divided
from thalweg.catalogue.networks.outputs import given_outputs
from thalweg.part import Number, choice, number, part

__all__ = ["Attending", "EncoderDecoder", "Memory"]


class Memory(NamedTuple):
    """What is known of sources when all of them is read.

    Args:
        outputs: of every step, [batch, source time, feature].
        lengths: how many steps of each source count, [batch].
        state: of the encoder at last, the first direction's, by name.
        last: C, the last outputs of all directions, [batch, feature].
    """

    outputs: Array
    lengths: Array
    state: State
    last: Array


class Attending(NamedTuple):
    """A cell that at every step also reads from a memory, as its last state asks.

    Args:
        cell: what a step does; its inputs are those of the step and what was read.
        attention: how well the memory fits the last state.
        memory: [batch, memory time, feature].
        keys: of the memory.
        allowed: which of it may be read, [batch, memory time].
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
        scores = self.attention.scores(held, last, self.keys)
        allowed = self.allowed.reshape(len(scores), *(1,) * (scores.ndim - 2), -1)
        weights = weighed(scores, allowed)
        step.tap("weights", weights[..., 0, :])
        read = self.attention.read(held, weights, self.memory, self.keys)[:, 0]
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
    Numbers: sampling: rate at which, while training, the decoder is fed a token drawn from what it
        said at the step before, in the place of the target; always the target without
    Choices: cell: what a step does; decoder_cell: what one of the decoder does, the same where not
        given; units: of the encoder; decoder_units: of the decoder, as many where not given;
        direction: of the encoder, ``forward`` or ``both``; context: C as ``start``, at all
        ``steps``, ``both``, or ``attention``, whose start is C too; attention: score of
        ``attention``, not used otherwise; features: length of the vectors of tokens;
        symbols: number of source tokens, taken from data where not given; source_time: number of
        steps of the source, taken from data where not given; kernel: where W starts; outputs:
        number of target tokens, taken from the task where not given
    Shapes: [batch, source time + target time] → [batch, target time, output]
    Watch for: inputs are the source, then the target one step late (teacher forcing), each padded
        at its own end with −1, each counted from 0 in its own vocabulary. Where s_0 and the last
        state of the encoder differ in kind or width it is tanh(C W + b). A fixed C must hold all of
        a long source: hence attention. Sampling wants a schedule, from near 0 up; no gradient goes
        through a draw.
    Source: Sutskever, Vinyals & Le, Sequence to Sequence Learning, 2014 (start); Cho et al.,
        Learning Phrase Representations using RNN Encoder-Decoder, 2014 (both); Bahdanau, Cho &
        Bengio, 2015 (attention); Bengio, Vinyals, Jaitly & Shazeer, Scheduled Sampling for
        Sequence Prediction with Recurrent Neural Networks, 2015, section 2.4 (sampling)
    Example:
        >>> network = EncoderDecoder(symbols=9, source_time=3, context="attention", outputs=5)
        >>> tokens = jnp.array([[7, 8, 1, 0, 4], [2, -1, -1, 0, 3]])
        >>> variables = network.init(jax.random.key(0), tokens)
        >>> network.apply(variables, tokens, Context("evaluate"))[0].shape
        (2, 2, 5)
    """

    cell: Cell = choice(default=GRU())
    decoder_cell: Cell | None = choice(default=None)
    units: int = choice(default=32, low=1)
    decoder_units: int | None = choice(default=None, low=1)
    direction: Literal["forward", "both"] = choice(default="forward")
    context: Literal["start", "steps", "both", "attention"] = choice(default="start")
    attention: Attention = choice(default=AdditiveAttention())
    sampling: Number = number(default=None, low=0, high=1)
    features: int = choice(default=16, low=1)
    symbols: int | None = choice(default=None, low=1)
    source_time: int | None = choice(default=None, low=1)
    kernel: Initializer = choice(default=Fan())
    outputs: int | None = choice(default=None, low=1)

    apply = apply_halves

    def init(self, key: Array, example: Any) -> Variables:
        source, target = jax.eval_shape(lambda x: divided(self, x), example)
        layers, parameters = dict(self.named_layers()), {}

        def started(name: str, example: Any) -> Any:
            own = init_layer(name, layers[name], key, example)
            parameters[name] = own.parameters
            return output_of(name, layers[name], own, example)

        def read(source: Array) -> Memory:
            return self.read(Variables(parameters, {}), source, Context("evaluate"))

        started("encoder", started("source", source))
        memory = jax.eval_shape(read, source)
        started("dense_0", started("decoder", (started("target", target), memory)))
        return Variables(parameters, {})

    def read(self, variables: Variables, source: Array, context: Context) -> Memory:
        """What is known of sources [batch, time]."""
        (embed, vectors_of), (name, encoder), *_ = self.named_layers()
        inside = context.of_lengths(lengths_of(source))
        vectors, _ = apply_layer(embed, vectors_of, variables, source, inside)
        own = Variables(variables.parameters[name], {})
        found = encoder.run(own.parameters, vectors, inside.within(name))
        outputs = jnp.concatenate([one.outputs for one in found.values()], axis=-1)
        outputs = inside.within(name).tap("a", outputs)
        visited(name, encoder, own, vectors, outputs, inside)
        first = next(iter(self.cell.states(self.units)))
        last = jnp.concatenate([one.state[first] for one in found.values()], axis=-1)
        return Memory(outputs, lengths_of(source), found["forward"].state, last)

    def write(self, variables: Variables, memory: Memory, target: Array, context: Context) -> Array:
        """Outputs at every step of targets [batch, time] that are one step late."""
        *_, (embed, vectors_of), (name, decoder), (ends, last) = self.named_layers()
        inside = context.of_lengths(lengths_of(target))
        vectors, _ = apply_layer(embed, vectors_of, variables, target, inside)
        given: tuple[Any, ...] = (vectors, memory)
        if self.sampling is not None and context.mode == "train":
            held = variables.parameters
            given = (*given, (held[embed]["kernel"], Variables(held[ends], {})))
        outputs, _ = apply_layer(name, decoder, variables, given, inside)
        return apply_layer(ends, last, variables, outputs, inside)[0]

    def named_layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers, in order."""
        outputs = given_outputs(self)
        encoder = Recurrent(cell=self.cell, units=self.units, direction=self.direction)
        return (
            ("source", Embedding(symbols=self.symbols, features=self.features)),
            ("encoder", encoder),
            ("target", Embedding(symbols=outputs, features=self.features)),
            ("decoder", Writer(self)),
            ("dense_0", Dense(units=outputs, kernel=self.kernel, bias=Zero())),
        )


class Writer(NamedTuple):
    """The decoder of an ``EncoderDecoder``: it is given vectors of the target, and a memory."""

    network: EncoderDecoder

    def init(self, key: Array, example: tuple[Any, Memory]) -> Variables:
        vectors, memory = example
        network, width = self.network, memory.last.shape[-1]
        states = self.cell.states(self.units)
        for_cell, for_attention, for_bridge = jax.random.split(key, 3)
        fed = vectors.shape[-1] + (width if network.context != "start" else 0)
        drawn: dict[str, Any] = self.cell.draw(for_cell, fed, self.units)
        if network.context == "attention":
            first = next(iter(states.values()))
            drawn["attention"] = network.attention.draw(for_attention, first, width)
        if self._is_bridged:
            for name, state in states.items():
                bridge = Dense(units=state, kernel=network.kernel, bias=Zero())
                held = init_layer(name, bridge, for_bridge, memory.last).parameters
                drawn |= {f"{name}_{kind}": value for kind, value in held.items()}
        return Variables(drawn, {})

    def apply(
        self, variables: Variables, given: tuple[Any, ...], context: Context
    ) -> tuple[Array, Any]:
        vectors, memory, *fed = given
        targets = vectors
        cell, parameters = self.cell, variables.parameters
        start = context.remembered(self._start(parameters, memory))
        if self.network.context == "attention":
            keys = self.network.attention.keys(parameters["attention"], memory.outputs)
            real = counted_steps(memory.lengths, keys.shape[1])
            cell = Attending(cell, self.network.attention, memory.outputs, keys, real)
            read = cell.states(self.units)["read"]
            start = {"read": jnp.zeros((len(vectors), read)), **start}
        elif self.network.context != "start":
            whole = memory.last[:, None]
            whole = jnp.broadcast_to(whole, (*vectors.shape[:2], whole.shape[-1]))
            vectors = jnp.concatenate([vectors, whole], axis=-1)
        if fed:
            ((table, last),) = fed
            cell = self._feeding(cell, targets, table, last, context)
            nothing = jnp.zeros((len(vectors), 1))
            start = {**start, "said": nothing, "count": nothing}
        found = unroll(cell, parameters, vectors, context, start)
        if context.taps is not None and self.network.context == "attention":
            # Where there are heads they come first, as everywhere.
            name = f"{context.prefix}weights"
            context.taps[name] = jnp.moveaxis(context.taps[name], 1, -2)
        own = self.cell.states(1)
        context.remember({name: found.state[name] for name in own})
        return context.tap("a", found.outputs), {}

    def _feeding(
        self, cell: Cell, vectors: Array, table: Array, last: Variables, context: Context
    ) -> Feeding:
        key = context.within("sampling").key
        if key is None:
            raise ValueError("EncoderDecoder.sampling needs a key in training")
        for_coins, for_tokens = jax.random.split(key)
        coins = draws.uniform(for_coins, vectors.shape[:2], jnp.float32)
        itself = coins < self.network.sampling
        _, dense = self.network.named_layers()[-1]

        def readout(outputs: Array) -> Array:
            return dense.apply(last, outputs, Context("train"))[0]

        return Feeding(cell, vectors, table, readout, itself, for_tokens)

    def _start(self, parameters: Mapping[str, Array], memory: Memory) -> State:
        states = self.cell.states(self.units)
        if self.network.context == "steps":
            return {name: jnp.zeros((len(memory.last), width)) for name, width in states.items()}
        if not self._is_bridged:
            return memory.state
        return {
            name: jnp.tanh(memory.last @ parameters[f"{name}_kernel"] + parameters[f"{name}_bias"])
            for name in states
        }

    @property
    def cell(self) -> Cell:
        """What a step of it does."""
        return self.network.decoder_cell or self.network.cell

    @property
    def units(self) -> int:
        """Width of its state."""
        return self.network.decoder_units or self.network.units

    @property
    def _is_bridged(self) -> bool:
        handed = self.network.cell.states(self.network.units)
        alike = self.cell.states(self.units) == handed and self.network.direction == "forward"
        return self.network.context != "steps" and not alike
