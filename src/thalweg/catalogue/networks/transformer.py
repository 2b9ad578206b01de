"""Transformers: blocks of attention, over a sequence that is read, continued, or translated.

``Transformer`` is an encoder or a decoder alone. ``TransformerEncoderDecoder`` is both, in two
halves, ``read`` and ``write``; its decoder is a stack of ``DecoderBlock``, each of which is given
what is read as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import jax
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
    MultiHeadAttention,
    SinusoidalPositions,
    TransformerBlock,
)
from thalweg.catalogue.layers.lengths import aware_of_padding, lengths_of
from thalweg.catalogue.layers.sequence import (
    apply_layer,
    apply_named,
    apply_stretch,
    init_layer,
    init_named,
    numbered,
    output_of,
)
from thalweg.catalogue.networks.halves import apply_halves, divided
from thalweg.catalogue.networks.network import Network
from thalweg.catalogue.networks.outputs import given_outputs
from thalweg.catalogue.networks.sequential import Sequential
from thalweg.part import Number, choice, number, part

__all__ = ["DecoderBlock", "Transformer", "TransformerEncoderDecoder"]


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
        >>> import jax.numpy as jnp
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
        vectors = (
            Dense(units=self.width, kernel=self.kernel)
            if self.symbols is None
            else Embedding(symbols=self.symbols, features=self.width)
        )
        layers = _stack(self, vectors, _block(self, self.causal))
        if self.returns != "sequence":
            layers.append(GlobalPooling(over=self.returns))
        return numbered([*layers, Dense(units=outputs, kernel=self.kernel, bias=Zero())])


def _block(network: Transformer | TransformerEncoderDecoder, causal: bool) -> TransformerBlock:
    return TransformerBlock(
        width=network.width,
        heads=network.heads,
        causal=causal,
        hidden=network.hidden,
        activation=network.activation,
        normalization=network.normalization,
        dropout=network.dropout,
    )


def _stack(network: Transformer | TransformerEncoderDecoder, vectors: Any, block: Any) -> list[Any]:
    """Vectors, positions and blocks, with what stands between and after them."""
    layers = [vectors]
    if network.positions is not None:
        layers.append(network.positions)
    if network.dropout is not None:
        layers.append(Dropout(rate=network.dropout))
    layers += [block] * network.blocks
    if network.normalization == "pre":
        layers.append(LayerNormalization(over="channels"))
    return layers


class Memory(NamedTuple):
    """What is known of sources when all of them is read.

    Args:
        outputs: of every step, [batch, source time, feature].
        lengths: how many steps of each source count, [batch].
    """

    outputs: Array
    lengths: Array


class CrossAttention(NamedTuple):
    """Attention of many heads from one sequence to a memory, both given."""

    attention: MultiHeadAttention
    kind = "cross_attention"

    def init(self, key: Array, example: tuple[Any, Memory]) -> Variables:
        return self.attention.init(key, example[0])

    def apply(
        self, variables: Variables, given: tuple[Array, Memory], context: Context
    ) -> tuple[Array, Any]:
        x, (outputs, lengths) = given
        return self.attention.attend(variables.parameters, x, outputs, context, lengths), {}


class DecoderBlock(NamedTuple):
    """A ``TransformerBlock`` with a third way between its two, which reads from a memory.

    Args:
        block: what it is without that.
    """

    block: TransformerBlock
    kind = "decoder_block"

    def named_layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers, in order."""
        return tuple(named for way in self._ways() for named in way)

    def _ways(self) -> Iterator[list[tuple[str, Any]]]:
        """The layers of each way, the first of them its normalization."""
        drop = () if self.block.dropout is None else (Dropout(rate=self.block.dropout),)
        attention = MultiHeadAttention(heads=self.block.heads, causal=True)
        across = CrossAttention(MultiHeadAttention(heads=self.block.heads))
        ways = [
            (LayerNormalization(over="channels"), *way, *drop)
            for way in ((attention,), (across,), self.block.mapping())
        ]
        names = iter(numbered([layer for way in ways for layer in way]))
        for way in ways:
            yield [next(names) for _ in way]

    def init(self, key: Array, example: tuple[Any, Memory]) -> Variables:
        x, memory = example
        parameters = {}
        for way in self._ways():
            given = x
            for name, layer in way:
                of_both = (given, memory) if isinstance(layer, CrossAttention) else given
                own = init_layer(name, layer, key, of_both)
                given = output_of(name, layer, own, of_both)
                parameters |= {name: own.parameters} if own.parameters else {}
        return Variables(parameters, {})

    def apply(
        self, variables: Variables, given: tuple[Array, Memory], context: Context
    ) -> tuple[Array, Any]:
        x, memory = given
        pre = self.block.normalization == "pre"
        for (name, normalize), *way in self._ways():
            y = apply_layer(name, normalize, variables, x, context)[0] if pre else x
            for inner, layer in way:
                of_both = (y, memory) if isinstance(layer, CrossAttention) else y
                y, _ = apply_layer(inner, layer, variables, of_both, context)
            x = x + y
            x = x if pre else apply_layer(name, normalize, variables, x, context)[0]
        return x, {}


class Writer(NamedTuple):
    """The decoder of a ``TransformerEncoderDecoder``: it is given target tokens, and a memory."""

    layers: tuple[Any, ...]

    def named_layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers, in order."""
        return numbered(self.layers)

    def init(self, key: Array, example: tuple[Any, Memory]) -> Variables:
        x, memory = example
        parameters = {}
        for name, layer in self.named_layers():
            given = (x, memory) if isinstance(layer, DecoderBlock) else x
            own = init_layer(name, layer, key, given)
            x = output_of(name, layer, own, given)
            parameters |= {name: own.parameters} if own.parameters else {}
        return Variables(parameters, {})

    def apply(
        self, variables: Variables, given: tuple[Array, Memory], context: Context
    ) -> tuple[Array, Any]:
        x, memory = given
        for name, layer in self.named_layers():
            of_both = (x, memory) if isinstance(layer, DecoderBlock) else x
            x, *_ = apply_stretch([(name, layer)], variables, of_both, context)
        return x, {}


@part
class TransformerEncoderDecoder:
    """Reads a source by blocks that see all of it, and predicts a target by blocks that see both.

    Formula: m = encoder(vectors of the source + positions), of L transformer blocks;  g⁰ = vectors
        of the target + positions;  pre: g ← g + causal(N(g)), g ← g + attention(N(g), m),
        g ← g + W'' f(W' N(g)), L times, biases left out;  y_t = g_t W + b
    Numbers: dropout: rate after the positions and at the end of all ways of a block; without it
        there is no such layer
    Choices: width: features of every step; blocks: L; heads: of every attention; hidden: width
        within blocks, four times the others where not given; activation: f; normalization: ``pre``
        or ``post``, see TransformerBlock; positions: how order is told, not at all without;
        symbols: number of source tokens, taken from data where not given; source_time: number of
        steps of the source, taken from data where not given; kernel: where W starts; outputs:
        number of target tokens, taken from the task where not given
    Shapes: [batch, source time + target time] → [batch, target time, output]
    Watch for: inputs are those of EncoderDecoder: the source, then the target one step late, each
        padded at its own end with −1, each counted from 0 in its own vocabulary. All steps of the
        target are trained at once; written, they come one after the other.
    Source: Vaswani et al., Attention Is All You Need, 2017, section 3 (post); Xiong et al., On
        Layer Normalization in the Transformer Architecture, 2020 (pre)
    Example:
        >>> import jax.numpy as jnp
        >>> network = TransformerEncoderDecoder(width=8, symbols=9, source_time=3, outputs=5)
        >>> tokens = jnp.array([[7, 8, 1, 0, 4], [2, -1, -1, 0, 3]])
        >>> variables = network.init(jax.random.key(0), tokens)
        >>> network.apply(variables, tokens, Context("evaluate"))[0].shape
        (2, 2, 5)
    """

    width: int = choice(default=32, low=1)
    blocks: int = choice(default=2, low=1)
    heads: int = choice(default=4, low=1)
    hidden: int | None = choice(default=None, low=1)
    activation: Activation = choice(default=ReLU())
    normalization: Literal["pre", "post"] = choice(default="pre")
    positions: Network | None = choice(default=SinusoidalPositions())
    dropout: Number = number(default=None, low=0, below=1, search=(0, 0.8))
    symbols: int | None = choice(default=None, low=1)
    source_time: int | None = choice(default=None, low=1)
    kernel: Initializer = choice(default=Fan())
    outputs: int | None = choice(default=None, low=1)

    apply = apply_halves

    def init(self, key: Array, example: Any) -> Variables:
        source, target = jax.eval_shape(lambda x: divided(self, x), example)
        (reader, encoder), (writer, decoder), (ends, last) = self.named_layers()
        reads = init_layer(reader, encoder, key, source)
        read = output_of(reader, encoder, reads, source)
        lengths: Any = jax.ShapeDtypeStruct(read.shape[:1], "int32")
        given = target, Memory(read, lengths)
        writes = init_layer(writer, decoder, key, given)
        ended = init_layer(ends, last, key, output_of(writer, decoder, writes, given))
        held = {reader: reads, writer: writes, ends: ended}
        return Variables({name: own.parameters for name, own in held.items()}, {})

    def read(self, variables: Variables, source: Array, context: Context) -> Memory:
        """What is known of sources [batch, time]."""
        (name, encoder), *_ = self.named_layers()
        inside = context.of_lengths(lengths_of(source))
        outputs, _ = apply_layer(name, encoder, variables, source, inside)
        return Memory(outputs, lengths_of(source))

    def write(self, variables: Variables, memory: Memory, target: Array, context: Context) -> Array:
        """Outputs at every step of targets [batch, time] that are one step late."""
        _, (name, decoder), (ends, last) = self.named_layers()
        inside = context.of_lengths(lengths_of(target))
        outputs, _ = apply_layer(name, decoder, variables, (target, memory), inside)
        return apply_layer(ends, last, variables, outputs, inside)[0]

    def named_layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers, in order."""
        outputs = given_outputs(self)
        source, target = (
            Embedding(symbols=symbols, features=self.width) for symbols in (self.symbols, outputs)
        )
        block = DecoderBlock(_block(self, causal=True))
        return (
            ("encoder", Sequential(layers=tuple(_stack(self, source, _block(self, causal=False))))),
            ("decoder", Writer(tuple(_stack(self, target, block)))),
            ("dense_0", Dense(units=outputs, kernel=self.kernel, bias=Zero())),
        )
