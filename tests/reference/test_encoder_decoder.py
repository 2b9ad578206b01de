"""Encoder-decoders against loops in NumPy, one sequence at a time, in double precision."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.attention import (
    AdditiveAttention,
    DotAttention,
    GeneralAttention,
    HeadsAttention,
)
from thalweg.catalogue.cells import GRU, LSTM
from thalweg.catalogue.context import Context
from thalweg.catalogue.initializers import Normal
from thalweg.catalogue.networks import EncoderDecoder
from thalweg.errors import SpecError

SMALL = Normal(deviation=0.5)
CELL = GRU(kernel=SMALL, recurrent_kernel=SMALL, bias=SMALL)
CELL_OF_TWO = LSTM(kernel=SMALL, recurrent_kernel=SMALL, bias=SMALL)
SOURCE = 4
TOKENS = jnp.array([[3, 1, 2, 0, 0, 4, 2], [2, 4, -1, -1, 0, 1, -1], [1, -1, -1, -1, 0, 3, 3]])
FIELDS: dict[str, Any] = {"features": 2, "symbols": 5, "source_time": SOURCE, "outputs": 6}


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def softmax(z: Any) -> Any:
    return np.exp(z - z.max()) / np.exp(z - z.max()).sum()


def weights(shape: tuple[int, ...]) -> np.ndarray:
    return np.sin(1 + np.arange(np.prod(shape))).reshape(shape)


def gru(p: Any, x: Any, h: Any) -> Any:
    u = np.split(x @ p["input_kernel"] + p["bias"], 3)
    w = np.split(h @ p["recurrent_kernel"], 3)
    r, z = sigmoid(u[0] + w[0]), sigmoid(u[1] + w[1])
    return z * h + (1 - z) * np.tanh(u[2] + r * (w[2] + p["candidate_bias"]))


def stepped(cell: Any, p: Any, x: Any, state: Any) -> Any:
    """One step; a state is what is given out, and what else there is."""
    if not isinstance(cell, LSTM):
        return (gru(p, x, state[0]),)
    z = x @ p["input_kernel"] + p["bias"] + state[0] @ p["recurrent_kernel"]
    i, f, g, o = np.split(z, 4)
    c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def read_by(attention: Any, a: Any, s: Any, memory: Any) -> tuple[Any, Any]:
    """What is read of a memory, and the weights of every head."""
    if isinstance(attention, HeadsAttention):
        width = memory.shape[-1] // attention.heads
        found, shares = [], []
        for head in range(attention.heads):
            own = slice(head * width, (head + 1) * width)
            scores = memory @ a["memory_kernel"][:, own] @ (s @ a["query_kernel"][:, own])
            shares.append(softmax(scores / np.sqrt(width)))
            found.append(shares[-1] @ memory @ a["value_kernel"][:, own])
        return np.concatenate(found) @ a["output_kernel"], np.stack(shares)
    if isinstance(attention, AdditiveAttention):
        hidden = np.tanh(s @ a["query_kernel"] + memory @ a["memory_kernel"])
        scores = (hidden @ a["score_kernel"])[:, 0]
    elif isinstance(attention, GeneralAttention):
        scores = memory @ a["memory_kernel"] @ s
    else:
        scores = memory @ s / (np.sqrt(len(s)) if attention.scale == "root" else 1)
    weights = softmax(scores)
    return weights @ memory, weights[None]


def outputs_of(network: Any, p: Any, tokens: Any) -> tuple[Any, Any]:
    """The logits of one example, as the card writes them, and shares [step, head, source step];
    padded steps are left out.
    """
    source, target = (part[part >= 0] for part in (tokens[:SOURCE], tokens[SOURCE:]))
    ways = (
        [p["encoder"]]
        if network.direction == "forward"
        else [p["encoder"][way] for way in ("forward", "backward")]
    )
    cells = network.cell, network.decoder_cell or network.cell
    nothing = [np.zeros(network.units), np.zeros(network.units)]
    vectors, outputs, last = p["source"]["kernel"][source], [], []
    for turn, own in zip((1, -1), ways, strict=False):
        state, found = nothing, []
        for x in vectors[::turn]:
            state = stepped(cells[0], own, x, state)
            found.append(state[0])
        outputs.append(np.stack(found[::turn]))
        last.append(state)
    memory, whole = np.concatenate(outputs, axis=-1), np.concatenate([s[0] for s in last])
    decoder, found, shares = p["decoder"], [], []
    state = [np.zeros(network.decoder_units or network.units)] * 2
    if network.context != "steps":
        bridged = "hidden_kernel" in decoder
        names = ("hidden", "cell")[: 1 + isinstance(cells[1], LSTM)]
        state = last[0]
        if bridged:
            state = [np.tanh(whole @ decoder[f"{n}_kernel"] + decoder[f"{n}_bias"]) for n in names]
    for y in p["target"]["kernel"][target]:
        if network.context == "attention":
            c, weights = read_by(network.attention, decoder["attention"], state[0], memory)
            state = stepped(cells[1], decoder, np.concatenate([y, c]), state)
            found.append(np.concatenate([state[0], c]))
            shares.append(weights)
        else:
            y = y if network.context == "start" else np.concatenate([y, whole])
            state = stepped(cells[1], decoder, y, state)
            found.append(state[0])
    return np.stack(found) @ p["dense_0"]["kernel"] + p["dense_0"]["bias"], shares


NETWORKS = {
    "start": EncoderDecoder(cell=CELL, units=3, context="start", **FIELDS),
    "bridged": EncoderDecoder(cell=CELL, units=3, decoder_units=4, context="start", **FIELDS),
    "lstm": EncoderDecoder(cell=CELL_OF_TWO, units=3, context="start", **FIELDS),
    "lstm to gru": EncoderDecoder(cell=CELL_OF_TWO, decoder_cell=CELL, units=3, **FIELDS),
    "gru to lstm": EncoderDecoder(
        cell=CELL, decoder_cell=CELL_OF_TWO, units=3, context="both", **FIELDS
    ),
    "steps": EncoderDecoder(cell=CELL, units=3, context="steps", direction="both", **FIELDS),
    "both": EncoderDecoder(cell=CELL, units=3, context="both", direction="both", **FIELDS),
    **{
        name: EncoderDecoder(cell=CELL, context="attention", **given, **FIELDS)
        for name, given in {
            "additive": {"units": 3, "decoder_units": 4, "direction": "both"},
            "general": {"units": 3, "attention": GeneralAttention()},
            "dot": {"units": 3, "attention": DotAttention()},
            "dot without scale": {"units": 3, "attention": DotAttention(scale="none")},
            "heads": {"units": 3, "direction": "both", "attention": HeadsAttention(heads=3)},
        }.items()
    },
}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_loops_give_the_same_outputs_and_gradients(network: Any) -> None:
    variables = network.init(jax.random.key(1), TOKENS)
    real = np.asarray(TOKENS[:, SOURCE:] >= 0)[..., None]

    @jax.jit
    def weighted(parameters: Any) -> Any:
        own = variables._replace(parameters=parameters)
        y, _ = network.apply(own, TOKENS, Context("train"))
        return jnp.where(real, y * weights(y.shape), 0).sum(), y

    slopes, y = jax.grad(weighted, has_aux=True)(variables.parameters)
    assert y.shape == (3, 3, 6)
    p = jax.tree.map(np.asarray, variables.parameters)
    for row, tokens in enumerate(np.asarray(TOKENS)):
        expected, _ = outputs_of(network, p, tokens)
        np.testing.assert_allclose(y[row, : len(expected)], expected, rtol=1e-9, atol=1e-11)

    def total(moved: Any) -> float:
        w, found = weights(y.shape), 0.0
        for row, tokens in enumerate(np.asarray(TOKENS)):
            outputs, _ = outputs_of(network, moved, tokens)
            found += (outputs * w[row, : len(outputs)]).sum()
        return found

    leaves, structure = jax.tree.flatten(p)
    for place, (held, slope) in enumerate(zip(leaves, jax.tree.leaves(slopes), strict=True)):
        way, ends = weights(held.shape), []
        for step in (1e-5, -1e-5):
            moved = [*leaves[:place], held + step * way, *leaves[place + 1 :]]
            ends.append(total(structure.unflatten(moved)))
        difference = (ends[0] - ends[1]) / 2e-5
        assert float((slope * way).sum()) == pytest.approx(difference, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", ["additive", "heads"])
def test_weights_are_taps_by_head(name: str) -> None:
    network, taps = NETWORKS[name], {}
    variables = network.init(jax.random.key(1), TOKENS)
    network.apply(variables, TOKENS, Context("evaluate", taps=taps))
    found, p = taps["decoder.weights"], jax.tree.map(np.asarray, variables.parameters)
    heads = 1 if name == "additive" else 3
    assert found.shape == ((3, 3, SOURCE) if heads == 1 else (3, heads, 3, SOURCE))
    for row, tokens in enumerate(np.asarray(TOKENS)):
        _, shares = outputs_of(network, p, tokens)
        expected = np.stack(shares, axis=1)  # [head, step, source step]
        own = found[row].reshape(heads, 3, SOURCE)[:, : expected.shape[1], : expected.shape[2]]
        np.testing.assert_allclose(own, expected, rtol=1e-9, atol=1e-11)


def test_a_state_of_several_parts_is_handed_over() -> None:
    network = EncoderDecoder(cell=LSTM(), units=3, **FIELDS)
    variables = network.init(jax.random.key(1), TOKENS)
    taps: dict[str, Any] = {}
    nudge = {"encoder.cell": jnp.zeros((3, SOURCE, 3)).at[0, 1].set(1.0)}
    plain, _ = network.apply(variables, TOKENS, Context("evaluate", taps=taps))
    moved, _ = network.apply(variables, TOKENS, Context("evaluate", nudges=nudge))
    assert {"encoder.forget", "decoder.forget", "decoder.cell", "dense_0.z"} <= set(taps)
    assert (jnp.abs(moved - plain).max(axis=(1, 2)) > 1e-9).tolist() == [True, False, False]


def test_weights_of_attention_are_a_tap_and_leave_padding_out() -> None:
    network = EncoderDecoder(cell=CELL, units=3, context="attention", **FIELDS)
    variables = network.init(jax.random.key(1), TOKENS)
    taps: dict[str, Any] = {}
    network.apply(variables, TOKENS, Context("evaluate", taps=taps))
    weights = np.asarray(taps["decoder.weights"])
    assert weights.shape == (3, 3, SOURCE)
    counts = np.asarray(TOKENS[:, :SOURCE] >= 0)
    real = np.asarray(TOKENS[:, SOURCE:] >= 0)
    assert ((weights > 0) == counts[:, None] & real[..., None]).all()
    np.testing.assert_allclose(weights.sum(axis=-1), real)


def test_refusals() -> None:
    with pytest.raises(SpecError, match=r"EncoderDecoder\.source_time is open"):
        EncoderDecoder(symbols=5, outputs=6).init(jax.random.key(0), TOKENS)
    with pytest.raises(SpecError, match=r"needs tokens .* more than source_time = 7"):
        EncoderDecoder(symbols=5, source_time=7, outputs=6).init(jax.random.key(0), TOKENS)


@pytest.mark.parametrize("context", ["both", "attention"])
def test_fed_by_itself_it_reads_what_it_said(context: Any) -> None:
    fields = {**FIELDS, "cell": CELL, "units": 3, "context": context}
    taught, free = EncoderDecoder(**fields), EncoderDecoder(sampling=1.0, **fields)
    variables = taught.init(jax.random.key(1), TOKENS)
    # What is said is a draw; of scores so far apart it is the best.
    held = {**variables.parameters["dense_0"]}
    held["kernel"] = 1e4 * held["kernel"]
    variables = variables._replace(parameters={**variables.parameters, "dense_0": held})

    def outputs(network: Any, parameters: Any, tokens: Any) -> Any:
        own = variables._replace(parameters=parameters)
        return network.apply(own, tokens, Context("train", jax.random.key(2)))[0]

    said = TOKENS
    for t in range(1, 3):
        best = outputs(taught, variables.parameters, said)[:, t - 1].argmax(axis=-1)
        best = best.astype(jnp.int32)
        said = said.at[:, SOURCE + t].set(jnp.where(TOKENS[:, SOURCE + t] < 0, -1, best))
    assert (said != TOKENS).any()
    real = (TOKENS[:, SOURCE:] >= 0)[..., None]

    def total(parameters: Any, network: Any, tokens: Any) -> Any:
        y = outputs(network, parameters, tokens)
        return (jnp.where(real, y, 0) * jnp.sin(1 + jnp.arange(y.size)).reshape(y.shape)).sum()

    grad = jax.value_and_grad(total)
    ours = grad(variables.parameters, free, TOKENS)
    theirs = grad(variables.parameters, taught, said)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-6)
    # At a rate of 0 targets alone are read, and in evaluation always.
    never = EncoderDecoder(sampling=0.0, **fields)
    same = grad(variables.parameters, never, TOKENS), grad(variables.parameters, taught, TOKENS)
    for one, other in zip(*map(jax.tree.leaves, same), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    evaluated = [n.apply(variables, TOKENS, Context("evaluate"))[0] for n in (taught, free)]
    np.testing.assert_array_equal(*evaluated)
