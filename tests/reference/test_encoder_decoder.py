"""Encoder-decoders against loops in NumPy, one sequence at a time, in double precision."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.attention import AdditiveAttention, GeneralAttention
from thalweg.catalogue.cells import GRU, LSTM
from thalweg.catalogue.context import Context
from thalweg.catalogue.initializers import Normal
from thalweg.catalogue.networks import EncoderDecoder
from thalweg.errors import SpecError

SMALL = Normal(deviation=0.5)
CELL = GRU(kernel=SMALL, recurrent_kernel=SMALL, bias=SMALL)
SOURCE = 4
TOKENS = jnp.array([[3, 1, 2, 0, 0, 4, 2], [2, 4, -1, -1, 0, 1, -1], [1, -1, -1, -1, 0, 3, 3]])
FIELDS: dict[str, Any] = {"features": 2, "symbols": 5, "source_time": SOURCE, "outputs": 6}


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def gru(p: Any, x: Any, h: Any) -> Any:
    u = np.split(x @ p["input_kernel"] + p["bias"], 3)
    w = np.split(h @ p["recurrent_kernel"], 3)
    r, z = sigmoid(u[0] + w[0]), sigmoid(u[1] + w[1])
    return z * h + (1 - z) * np.tanh(u[2] + r * (w[2] + p["candidate_bias"]))


def outputs_of(network: Any, p: Any, tokens: Any) -> Any:
    """The logits of one example, as the card writes them; padded steps are left out."""
    source, target = (part[part >= 0] for part in (tokens[:SOURCE], tokens[SOURCE:]))
    ways = (
        [p["encoder"]]
        if network.direction == "forward"
        else [p["encoder"][way] for way in ("forward", "backward")]
    )
    vectors, outputs, last = p["source"]["kernel"][source], [], []
    for turn, own in zip((1, -1), ways, strict=False):
        h, found = np.zeros(network.units), []
        for x in vectors[::turn]:
            h = gru(own, x, h)
            found.append(h)
        outputs.append(np.stack(found[::turn]))
        last.append(h)
    memory, whole = np.concatenate(outputs, axis=-1), np.concatenate(last)
    decoder, found = p["decoder"], []
    s = np.zeros(network.decoder_units or network.units)
    if network.context != "steps":
        bridged = "hidden_kernel" in decoder
        s = np.tanh(whole @ decoder["hidden_kernel"] + decoder["hidden_bias"]) if bridged else whole
    for y in p["target"]["kernel"][target]:
        if network.context == "attention":
            a = decoder["attention"]
            if isinstance(network.attention, AdditiveAttention):
                hidden = np.tanh(s @ a["query_kernel"] + memory @ a["memory_kernel"])
                scores = (hidden @ a["score_kernel"])[:, 0]
            else:
                scores = memory @ a["memory_kernel"] @ s
            weights = np.exp(scores - scores.max())
            c = weights @ memory / weights.sum()
            s = gru(decoder, np.concatenate([y, c]), s)
            found.append(np.concatenate([s, c]))
        else:
            y = y if network.context == "start" else np.concatenate([y, whole])
            s = gru(decoder, y, s)
            found.append(s)
    return np.stack(found) @ p["dense_0"]["kernel"] + p["dense_0"]["bias"]


@pytest.mark.parametrize(
    "network",
    [
        EncoderDecoder(cell=CELL, units=3, context="start", **FIELDS),
        EncoderDecoder(cell=CELL, units=3, decoder_units=4, context="start", **FIELDS),
        EncoderDecoder(cell=CELL, units=3, context="steps", direction="both", **FIELDS),
        EncoderDecoder(cell=CELL, units=3, context="both", direction="both", **FIELDS),
        EncoderDecoder(
            cell=CELL, units=3, decoder_units=4, context="attention", direction="both", **FIELDS
        ),
        EncoderDecoder(
            cell=CELL, units=3, context="attention", attention=GeneralAttention(), **FIELDS
        ),
    ],
    ids=["start", "bridged", "steps", "both", "additive", "general"],
)
def test_loops_give_the_same_outputs(network: Any) -> None:
    variables = network.init(jax.random.key(1), TOKENS)
    y, _ = network.apply(variables, TOKENS, Context("train"))
    assert y.shape == (3, 3, 6)
    p = jax.tree.map(np.asarray, variables.parameters)
    for row, tokens in enumerate(np.asarray(TOKENS)):
        expected = outputs_of(network, p, tokens)
        np.testing.assert_allclose(y[row, : len(expected)], expected, rtol=1e-9, atol=1e-11)


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
