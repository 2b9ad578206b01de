"""Trained networks as what decoders are given: models that tell the next token, step by step.

A step costs one step, however long the past is: recurrent layers carry their state from token to
token, causal attention keeps the keys and values of the tokens before. What is told is exactly
what the network gives for the whole sequence at once. Layers that look along time in any other way
are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from thalweg.catalogue.context import Context, Past, Variables, Visit
from thalweg.catalogue.decoders.decoder import Model
from thalweg.catalogue.layers import (
    Activate,
    BatchNormalization,
    Convolution,
    Dense,
    Dropout,
    Embedding,
    LayerNormalization,
    LearnedPositions,
    MultiHeadAttention,
    Recurrent,
    SinusoidalPositions,
)
from thalweg.catalogue.layers.lengths import lengths_of
from thalweg.catalogue.networks import encoder_decoder, transformer
from thalweg.errors import SpecError

__all__ = ["looks_elsewhere", "model_of", "translates"]

#: Layers that treat every step alike, or that remember those before it.
STEPWISE = (
    Activate,
    BatchNormalization,
    Dense,
    Dropout,
    Embedding,
    LearnedPositions,
    SinusoidalPositions,
    encoder_decoder.Writer,
    transformer.CrossAttention,
)


def translates(network: Any) -> bool:
    """Whether a network reads a source before it writes."""
    return hasattr(network, "read")


def model_of(
    network: Any,
    variables: Variables,
    prompts: Any,
    length: int,
    sources: Any = None,
    end: int | None = None,
) -> Model:
    """The model of tokens that a network is.

    Args:
        network: with outputs at every step that depend on the steps up to there alone.
        variables: what it holds.
        prompts: tokens that are there already, int [batch, time], at least one, padded at the end.
        length: most tokens that will follow.
        sources: what an encoder reads, int [batch, source time], padded at the end.
        end: the token after which a sequence is complete; None where there is no such token.

    Raises:
        SpecError: the network has no outputs at every step, or looks along time in other ways; or
            prompts or sources are no sequences of tokens.
    """
    prompts = _tokens("prompts", prompts)
    counts = lengths_of(prompts)
    if translates(network) != (sources is not None):
        wanted = "sources to read" if translates(network) else "no sources: it has no encoder"
        raise SpecError(f"{type(network).__name__} needs {wanted}")
    sources = None if sources is None else _tokens("sources", sources)
    memory, state = _begun(network, variables, prompts, sources, length + prompts.shape[1] - 1)
    begin = jnp.take_along_axis(prompts, counts[:, None] - 1, axis=1)[:, 0]
    return Model(Partial(_step, network, variables, memory), state, begin, end, longest=length)


def _tokens(name: str, given: Any) -> Array:
    """Sequences of tokens, int32 [batch, time]."""
    tokens = np.asarray(given)
    if tokens.ndim != 2 or not np.issubdtype(tokens.dtype, np.integer):
        raise SpecError(
            f"model_of: {name} must be whole numbers [batch, time], got {tokens.dtype} "
            f"{list(tokens.shape)}"
        )
    held = (tokens >= 0).sum(axis=1)
    ends = np.where(tokens >= 0, np.arange(1, tokens.shape[1] + 1), 0).max(axis=1, initial=0)
    for fault, sentence in ((held == 0, "hold a token"), (ends > held, "be padded at its end")):
        if fault.any():
            row = int(fault.argmax())
            raise SpecError(
                f"model_of: each of {name} must {sentence}, got {tokens[row].tolist()} in row "
                f"{row + 1}"
            )
    return jnp.asarray(tokens, jnp.int32)


@partial(jax.jit, static_argnames="room")
def _begun(
    network: Any, variables: Variables, prompts: Array, sources: Array | None, room: int
) -> tuple[Any, Any]:
    """The memory of what was read, and what is remembered of all of the prompts but their last."""
    memory = None
    if sources is not None:
        memory = network.read(variables, sources, Context("evaluate"))
    last = lengths_of(prompts)[:, None] - 1
    # A step of padding where there is nothing before: not all layers take sequences without steps.
    until = max(prompts.shape[1] - 1, 1)
    before = jnp.where(jnp.arange(prompts.shape[1]) < last, prompts, -1)[:, :until]
    past, visits = Past({}, {}, room), []
    outputs = _written(network, variables, memory, before, past, visits)
    _check(network, outputs, visits)
    return memory, past.after


def _written(
    network: Any,
    variables: Variables,
    memory: Any,
    tokens: Array,
    past: Past,
    visits: list[Visit] | None = None,
) -> Array:
    context = Context("evaluate", past=past, visits=visits)
    if translates(network):
        return network.write(variables, memory, tokens, context)
    return network.apply(variables, tokens, context)[0]


def _step(
    network: Any, variables: Variables, memory: Any, state: Any, tokens: Array
) -> tuple[Any, Array]:
    """One step of all beams of all rows, which the network takes for one batch."""
    batch, beams = tokens.shape

    def together(leaf: Array) -> Array:
        return leaf.reshape(batch * beams, *leaf.shape[2:])

    def apart(leaf: Array) -> Array:
        return leaf.reshape(batch, beams, *leaf.shape[1:])

    memory = jax.tree.map(lambda leaf: jnp.repeat(leaf, beams, axis=0), memory)
    past = Past(jax.tree.map(together, state), {})
    outputs = _written(network, variables, memory, tokens.reshape(-1, 1), past)
    return jax.tree.map(apart, past.after), apart(jax.nn.log_softmax(outputs[:, 0]))


def _check(network: Any, outputs: Array, visits: list[Visit]) -> None:
    """Refuse what does not tell the next token from those before it."""
    owner = type(network).__name__
    outer = {visit.name.rpartition(".")[0] for visit in visits}
    elsewhere = looks_elsewhere([visit for visit in visits if visit.name not in outer])
    if elsewhere is not None:
        raise SpecError(
            f"{owner} cannot go on step by step: what {elsewhere} gives may depend on steps to come"
        )
    if outputs.ndim != 3:
        raise SpecError(
            f'{owner} must give an output at every step, as with returns = "sequence"; it gives '
            f"one of shape {outputs.shape[1:]}"
        )


def looks_elsewhere(visits: Sequence[Visit]) -> str | None:
    """The first of some layers whose outputs may depend on other steps than those before."""
    return next((visit.name for visit in visits if not _is_stepwise(visit.layer)), None)


def _is_stepwise(layer: Any) -> bool:
    if isinstance(layer, Recurrent):
        return layer.direction == "forward" and layer.returns == "sequence"
    if isinstance(layer, MultiHeadAttention):
        return layer.causal
    if isinstance(layer, LayerNormalization):
        return layer.over == "channels"
    if isinstance(layer, Convolution):
        return layer.size == (1,)
    return isinstance(layer, STEPWISE)
